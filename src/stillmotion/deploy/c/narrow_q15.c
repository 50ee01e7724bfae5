/* needs: saturate_s8 */
/* A state with 15 fractional bits as int8 of the scale 2^exponent / 128. */
static int8_t narrow_q15(int32_t value, int exponent)
{
    return saturate_s8((value + ((int32_t)1 << (7 + exponent))) >> (8 + exponent), -128, 127);
}
