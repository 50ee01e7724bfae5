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

/* Statistics in time of n samples at so many a second; sorts them. */
static void ${P}_time(float *b, int n, ${P}_place *place)
{
    ${P}_centre_of c = ${P}_centre(b, n, 1);
    float deviation = 0.0f, energy = 0.0f, median;
    int i, above = 0, crossings = 0;
    for (i = 0; i < n; ++i) {
        float v = (b[i] - c.first) - c.rest;
        int now = v >= -c.margin;
        deviation = deviation + v * v;
        energy = energy + b[i] * b[i];
        crossings += i && now != above;
        above = now;
    }
    ${P}_put(place, c.first + c.rest);
    ${P}_put(place, sqrt_f32(deviation / (float)n));
    ${P}_sort(b, n);
    ${P}_put(place, b[0]);
    ${P}_put(place, b[n - 1]);
    median = ${P}_quantile(b, n, 2);
    ${P}_put(place, median);
    ${P}_put(place, ${P}_quantile(b, n, 3) - ${P}_quantile(b, n, 1));
    ${P}_put(place, energy / (float)n);
    ${P}_put(place, (float)crossings * ($RATE / (float)(n - 1)));
}

