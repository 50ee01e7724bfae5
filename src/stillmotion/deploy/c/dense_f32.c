/* needs: clamp_f32 */
static void dense_f32(const float *x, float *y, int positions, int inputs, int filters, const float *kernel,
                      const float *bias, float low, float high)
{
    int p, f, i;
    for (p = 0; p < positions; p++, x += inputs) {
        const float *w = kernel;
        for (f = 0; f < filters; f++) {
            float sum = bias[f];
            for (i = 0; i < inputs; i++)
                sum += x[i] * *w++;
            *y++ = clamp_f32(sum, low, high);
        }
    }
}
