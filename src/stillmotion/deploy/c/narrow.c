/* Drop low bits until 32 are enough. */
static uint32_t narrow(uint64_t a, int *exponent)
{
    while (a >> 32) {
        a >>= 1;
        ++*exponent;
    }
    return (uint32_t)a;
}
