/* Mean less the first sample, and whether the samples, a step apart, vary by more than rounding. */
typedef struct {
    float first, rest, margin;
    int varies;
} ${P}_centre_of;

static ${P}_centre_of ${P}_centre(const float *b, int n, int step)
{
    ${P}_centre_of c;
    float low = b[0], high = b[0], sum = 0.0f;
    int i;
    c.first = b[0];
    for (i = 0; i < n; ++i) {
        float v = b[i * step];
        sum = sum + (v - c.first);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    c.rest = sum / (float)n;
    c.margin = (-low > high ? -low : high) * 4.76837158e-7f;
    c.varies = high - low > c.margin;
    return c;
}

