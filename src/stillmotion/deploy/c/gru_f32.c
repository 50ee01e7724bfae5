/* needs: recurrence dot_f32 sigmoid_f32 tanh_f32 */
static void gru_f32(const float *x, float *y, void *scratch, const struct recurrence *r, const float *kernel,
                    const float *recurrent, const float *bias)
{
    int units = r->units, step, row, u;
    float *h = (float *)scratch, *sums = h + units; /* update, reset, candidate from the input, from the state */
    for (u = 0; u < units; u++)
        h[u] = 0.0f;
    for (step = 0; step < r->steps; step++) {
        int time = r->backward ? r->steps - 1 - step : step;
        for (row = 0; row < 3 * units; row++) {
            const float *w = recurrent + row * units;
            sums[row] = dot_f32(bias[row], x + time * r->features, kernel + row * r->features, r->features);
            if (row < 2 * units)
                sums[row] = dot_f32(sums[row], h, w, units);
            else
                sums[units + row] = dot_f32(bias[units + row], h, w, units);
        }
        for (u = 0; u < units; u++) {
            float z = sigmoid_f32(sums[u]), reset = sigmoid_f32(sums[units + u]);
            float candidate = tanh_f32(sums[2 * units + u] + reset * sums[3 * units + u]);
            h[u] = z * h[u] + (1.0f - z) * candidate;
            if (r->sequences)
                y[time * units + u] = h[u];
        }
    }
    for (u = 0; u < units && !r->sequences; u++)
        y[u] = h[u];
}
