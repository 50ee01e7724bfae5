/* needs: round_root */
/* Standard deviation times n, from the sum of n values and that of their squares. */
static uint32_t spread(int n, uint64_t squares, int32_t sum, int *exponent)
{
    uint64_t square = squares * (uint32_t)n - (uint64_t)((int64_t)sum * sum);
    uint32_t a;
    *exponent = 0;
    if (!square) {
        return 0;
    }
    while (square >> 32) {
        square >>= 2;
        ++*exponent;
    }
    for (a = (uint32_t)square; !(a >> 30); a <<= 2) {
        --*exponent;
    }
    return round_root(a);
}
