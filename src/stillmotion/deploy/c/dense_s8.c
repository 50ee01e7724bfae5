/* needs: quantised */
static void dense_s8(const int8_t *x, int8_t *y, int positions, int inputs, int filters, const struct quantised *q)
{
    int p, f, i;
    for (p = 0; p < positions; p++, x += inputs) {
        const int8_t *w = q->kernel;
        for (f = 0; f < filters; f++) {
            int32_t sum = q->bias[f];
            for (i = 0; i < inputs; i++)
                sum += x[i] * *w++;
            *y++ = finish_s8(sum, q, f);
        }
    }
}
