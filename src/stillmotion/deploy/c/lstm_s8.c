/* needs: cell_s8 multiply_q15 */
static void lstm_s8(const int8_t *x, int8_t *y, void *scratch, const struct recurrence *r, const struct cell *q)
{
    int units = r->units, step, row, u;
    int32_t *c = (int32_t *)scratch, *gates = c + units;
    int8_t *h = (int8_t *)(gates + 4 * units);
    for (u = 0; u < units; u++)
        c[u] = h[u] = 0;
    for (step = 0; step < r->steps; step++) {
        int time = r->backward ? r->steps - 1 - step : step;
        for (row = 0; row < 4 * units; row++)
            gates[row] = input_q12(x + time * r->features, r, q, row) + state_q12(h, r, q, row) + q->bias[row];
        for (u = 0; u < units; u++) {
            int32_t added = sigmoid_q15(gates[u]) * tanh_q15(gates[2 * units + u]);
            int32_t out;
            c[u] = multiply_q15(c[u], sigmoid_q15(gates[units + u])) + ((added + 16384) >> 15);
            out = sigmoid_q15(gates[3 * units + u]) * tanh_q15((c[u] + 4) >> 3);
            h[u] = saturate_s8((out + ((int32_t)1 << 22)) >> 23, -128, 127);
            if (r->sequences)
                y[time * units + u] = h[u];
        }
    }
    for (u = 0; u < units && !r->sequences; u++)
        y[u] = h[u];
}
