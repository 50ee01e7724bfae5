/* Shell's sort with the gaps of Ciura. */
static void ${P}_sort(int16_t *b, int n)
{
    static const uint16_t gaps[9] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    int16_t *end = b + n, *p, *q;
    int k;
    for (k = 0; k < 9; ++k) {
        int gap = gaps[k];
        int16_t *second = gap < n ? b + gap : end;
        for (p = second; p < end; ++p) {
            int16_t v = *p;
            for (q = p; q >= second && q[-gap] > v; q -= gap) {
                *q = q[-gap];
            }
            *q = v;
        }
    }
}

/* Four times the quantile of sorted values, at so many quarters. */
static int32_t ${P}_quantile(const int16_t *b, int n, int quarters)
{
    int at = quarters * (n - 1), part = at & 3;
    b += at >> 2;
    return 4 * b[0] + (part ? part * (b[1] - b[0]) : 0);
}

static void ${P}_put_signed(${P}_place *place, int32_t value, int exponent)
{
    ${P}_put(place, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, exponent, value < 0);
}

/* Statistics in time of n samples b + base, whose step is 2^exponent; sorts them. */
static OWN_FRAME void ${P}_time(int16_t *b, int n, int32_t base, ${P}_place *place, int exponent)
{
    uint64_t squares = 0;
    int32_t sum = 0, low = 65535, high = -32768, margin, largest;
    uint32_t crossings = 0;
    int i, above = 0, own = 0;
    for (i = 0; i < n; ++i) {
        int32_t v = b[i] + base;
        sum += v;
        squares += (uint32_t)v * (uint32_t)v;
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    largest = -low > high ? -low : high;
    margin = sum - (int32_t)(((uint32_t)n * (uint32_t)largest) >> 21);
    for (i = 0; i < n; ++i) {
        int now = n * (b[i] + base) >= margin;
        crossings += (uint32_t)(i && now != above);
        above = now;
    }
    ${P}_put_signed(place, sum, exponent);
    margin = (int32_t)spread(n, squares, sum, &own);
    ${P}_put(place, (uint32_t)margin, own + exponent, 0);
    ${P}_put_signed(place, low, exponent);
    ${P}_put_signed(place, high, exponent);
    ${P}_sort(b, n);
    ${P}_put_signed(place, ${P}_quantile(b, n, 2) + 4 * base, exponent);
    ${P}_put_signed(place, ${P}_quantile(b, n, 3) - ${P}_quantile(b, n, 1), exponent);
    own = 2 * exponent;
    low = (int32_t)narrow(squares, &own);
    ${P}_put(place, (uint32_t)low, own, 0);
    ${P}_put(place, crossings, 0, 0);
}

