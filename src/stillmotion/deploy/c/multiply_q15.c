/* value * factor with 15 fractional bits, rounded half up, in 32 bits. */
static int32_t multiply_q15(int32_t value, int32_t factor)
{
    return factor * (value >> 15) + ((factor * (value & 32767) + 16384) >> 15);
}
