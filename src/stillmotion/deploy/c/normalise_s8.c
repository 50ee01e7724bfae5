/* needs: saturate_s8 */
static void normalise_s8(const int16_t *x, int8_t *y, int samples, int channels, const int16_t *centre,
                         const int16_t *factor, const uint8_t *shift, int32_t zero)
{
    int i, c;
    for (i = 0; i < samples; i++) {
        for (c = 0; c < channels; c++, x++) {
            int32_t half = ((int32_t)1 << shift[c]) >> 1;
            *y++ = saturate_s8((((*x - (int32_t)centre[c]) * factor[c] + half) >> shift[c]) + zero, -128, 127);
        }
    }
}
