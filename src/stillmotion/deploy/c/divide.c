/* Divide by a number of which 16 bits count; both have their highest bit set. The quotient is that times 2^16. */
static uint32_t divide(uint32_t a, uint32_t b)
{
    uint32_t quotient = 0, step;
    int bit;
    step = b & 0xffff0000u;
    for (bit = 0; bit < 17; ++bit) {
        quotient <<= 1;
        if (a >= step) {
            a -= step;
            ++quotient;
        }
        step >>= 1;
    }
    return quotient;
}
