/* needs: recurrence dot_f32 sigmoid_f32 tanh_f32 */
static void lstm_f32(const float *x, float *y, void *scratch, const struct recurrence *r, const float *kernel,
                     const float *recurrent, const float *bias)
{
    int units = r->units, step, row, u;
    float *h = (float *)scratch, *c = h + units, *gates = c + units;
    for (u = 0; u < 2 * units; u++)
        h[u] = 0.0f;
    for (step = 0; step < r->steps; step++) {
        int time = r->backward ? r->steps - 1 - step : step;
        for (row = 0; row < 4 * units; row++) {
            float sum = dot_f32(bias[row], x + time * r->features, kernel + row * r->features, r->features);
            gates[row] = dot_f32(sum, h, recurrent + row * units, units);
        }
        for (u = 0; u < units; u++) {
            c[u] = sigmoid_f32(gates[units + u]) * c[u] + sigmoid_f32(gates[u]) * tanh_f32(gates[2 * units + u]);
            h[u] = sigmoid_f32(gates[3 * units + u]) * tanh_f32(c[u]);
            if (r->sequences)
                y[time * units + u] = h[u];
        }
    }
    for (u = 0; u < units && !r->sequences; u++)
        y[u] = h[u];
}
