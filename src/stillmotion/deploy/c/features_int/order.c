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

