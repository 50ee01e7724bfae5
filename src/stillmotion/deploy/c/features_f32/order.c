/* Shell's sort with the gaps of Ciura. */
static void ${P}_sort(float *b, int n)
{
    static const uint16_t gaps[9] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    float *end = b + n, *p, *q;
    int k;
    for (k = 0; k < 9; ++k) {
        int gap = gaps[k];
        float *second = gap < n ? b + gap : end;
        for (p = second; p < end; ++p) {
            float v = *p;
            for (q = p; q >= second && q[-gap] > v; q -= gap) {
                *q = q[-gap];
            }
            *q = v;
        }
    }
}

static float ${P}_quantile(const float *b, int n, int quarters)
{
    int at = quarters * (n - 1), part = at & 3;
    b += at >> 2;
    return part ? b[0] + (b[1] - b[0]) * (0.25f * (float)part) : b[0];
}

