static void softmax_s8(const int8_t *x, int8_t *y, int outer, int length, int inner, uint32_t parts,
                       const uint16_t *table)
{
    int i, j, k;
    for (i = 0; i < outer; i++) {
        for (j = 0; j < inner; j++) {
            const int8_t *in = x + i * length * inner + j;
            int8_t *out = y + i * length * inner + j;
            int largest = -128;
            uint32_t sum = 0;
            for (k = 0; k < length; k++)
                largest = in[k * inner] > largest ? in[k * inner] : largest;
            for (k = 0; k < length; k++)
                sum += table[largest - in[k * inner]];
            for (k = 0; k < length; k++) {
                int32_t share = (int32_t)((table[largest - in[k * inner]] * parts + sum / 2) / sum) - 128;
                out[k * inner] = (int8_t)(share > 127 ? 127 : share);
            }
        }
    }
}
