/* needs: recurrence dot_f32 sigmoid_f32 tanh_f32 */
static void fastgrnn_f32(const float *x, float *y, void *scratch, const struct recurrence *r, const float *kernel,
                         const float *recurrent, const float *bias)
{
    int units = r->units, step, u;
    float *h = (float *)scratch, *sums = h + units;
    float zeta = bias[2 * units], nu = bias[2 * units + 1];
    for (u = 0; u < units; u++)
        h[u] = 0.0f;
    for (step = 0; step < r->steps; step++) {
        int time = r->backward ? r->steps - 1 - step : step;
        for (u = 0; u < units; u++) {
            float sum = dot_f32(0.0f, x + time * r->features, kernel + u * r->features, r->features);
            sums[u] = dot_f32(sum, h, recurrent + u * units, units);
        }
        for (u = 0; u < units; u++) {
            float z = sigmoid_f32(sums[u] + bias[u]), candidate = tanh_f32(sums[u] + bias[units + u]);
            h[u] = (zeta * (1.0f - z) + nu) * candidate + z * h[u];
            if (r->sequences)
                y[time * units + u] = h[u];
        }
    }
    for (u = 0; u < units && !r->sequences; u++)
        y[u] = h[u];
}
