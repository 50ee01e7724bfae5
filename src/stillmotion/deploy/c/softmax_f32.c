/* needs: exp_f32 */
static void softmax_f32(const float *x, float *y, int outer, int length, int inner)
{
    int i, j, k;
    for (i = 0; i < outer; i++) {
        for (j = 0; j < inner; j++) {
            const float *in = x + i * length * inner + j;
            float *out = y + i * length * inner + j;
            float largest = in[0], sum = 0.0f;
            for (k = 1; k < length; k++)
                largest = in[k * inner] > largest ? in[k * inner] : largest;
            for (k = 0; k < length; k++) {
                out[k * inner] = exp_f32(in[k * inner] - largest);
                sum += out[k * inner];
            }
            for (k = 0; k < length; k++)
                out[k * inner] = out[k * inner] / sum;
        }
    }
}
