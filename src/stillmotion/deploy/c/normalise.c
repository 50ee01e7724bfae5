/* Shift left until the highest bit is 1; a is not 0. */
static uint32_t normalise(uint32_t a, int *exponent)
{
    int shift;
    for (shift = 16; shift; shift >>= 1) {
        if (!(a >> (32 - shift))) {
            a <<= shift;
            *exponent -= shift;
        }
    }
    return a;
}
