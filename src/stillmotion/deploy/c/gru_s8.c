/* needs: cell_s8 narrow_q15 */
static void gru_s8(const int8_t *x, int8_t *y, void *scratch, const struct recurrence *r, const struct cell *q)
{
    int units = r->units, step, row, u;
    int32_t *wide = (int32_t *)scratch, *sums = wide + units; /* update, reset, candidate of input, of state */
    int8_t *h = (int8_t *)(sums + 4 * units);
    for (u = 0; u < units; u++)
        wide[u] = h[u] = 0;
    for (step = 0; step < r->steps; step++) {
        int time = r->backward ? r->steps - 1 - step : step;
        for (row = 0; row < 3 * units; row++) {
            sums[row] = input_q12(x + time * r->features, r, q, row) + q->bias[row];
            if (row < 2 * units)
                sums[row] += state_q12(h, r, q, row);
            else
                sums[units + row] = limit(state_q12(h, r, q, row) + q->bias[units + row], 65535);
        }
        for (u = 0; u < units; u++) {
            int32_t z = sigmoid_q15(sums[u]), reset = sigmoid_q15(sums[units + u]) * sums[3 * units + u];
            int32_t candidate = tanh_q15(sums[2 * units + u] + ((reset + 16384) >> 15));
            wide[u] = (z * wide[u] + (32768 - z) * candidate + 16384) >> 15;
            h[u] = narrow_q15(wide[u], q->exponent);
            if (r->sequences)
                y[time * units + u] = h[u];
        }
    }
    for (u = 0; u < units && !r->sequences; u++)
        y[u] = h[u];
}
