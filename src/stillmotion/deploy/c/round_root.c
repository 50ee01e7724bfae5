/* Square root, rounded to the nearest; 65535 at most. */
static uint32_t round_root(uint32_t a)
{
    uint32_t root = 0, bit;
    for (bit = (uint32_t)1 << 30; bit; bit >>= 2) {
        if (a >= root + bit) {
            a -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return a > root && root < 65535 ? root + 1 : root;
}
