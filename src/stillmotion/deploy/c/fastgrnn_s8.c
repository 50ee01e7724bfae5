/* needs: cell_s8 narrow_q15 multiply_q15 */
static void fastgrnn_s8(const int8_t *x, int8_t *y, void *scratch, const struct recurrence *r, const struct cell *q)
{
    int units = r->units, step, u;
    int32_t *wide = (int32_t *)scratch, *sums = wide + units;
    int8_t *h = (int8_t *)(sums + units);
    int32_t zeta = q->bias[2 * units], nu = q->bias[2 * units + 1];
    for (u = 0; u < units; u++)
        wide[u] = h[u] = 0;
    for (step = 0; step < r->steps; step++) {
        int time = r->backward ? r->steps - 1 - step : step;
        for (u = 0; u < units; u++)
            sums[u] = input_q12(x + time * r->features, r, q, u) + state_q12(h, r, q, u);
        for (u = 0; u < units; u++) {
            int32_t z = sigmoid_q15(sums[u] + q->bias[u]), candidate = tanh_q15(sums[u] + q->bias[units + u]);
            int32_t weight = ((zeta * (32768 - z) + 16384) >> 15) + nu;
            weight = weight > 65535 ? 65535 : weight;
            wide[u] = ((weight * candidate + 16384) >> 15) + multiply_q15(wide[u], z);
            h[u] = narrow_q15(wide[u], q->exponent);
            if (r->sequences)
                y[time * units + u] = h[u];
        }
    }
    for (u = 0; u < units && !r->sequences; u++)
        y[u] = h[u];
}
