/* Fold samples t and $T - t to their sum and difference: a cosine is even in time and a sine odd. */
static void ${P}_transform(int16_t *b)
{
    int i;
    for (i = 1; i <= $HALFWAY; ++i) {
        int16_t first = b[i], last = b[$T - i];
        b[i] = (int16_t)(first + last);
        b[$T - i] = (int16_t)(first - last);
    }
}

/* Power of a bin of the folded samples. */
static uint32_t ${P}_power(const int16_t *b, int bin)
{
    int32_t re = (int32_t)b[0] * (1 << $TURN), im = 0;
    int i, angle = 0;
    uint32_t power;
    for (i = 1; i <= $HALFWAY; ++i) {
        angle += bin;
        angle -= angle >= $T ? $T : 0;
        re += b[i] * ${P}_cosines[angle];
        im += b[$T - i] * ${P}_sines[angle];
    }
    if (!($T & 1)) {
        re += b[$T / 2] * (bin & 1 ? -(1 << $TURN) : 1 << $TURN);
    }
    re = (re + 16384) >> 15;
    im = (im + 16384) >> 15;
    power = (uint32_t)re * (uint32_t)re + (uint32_t)im * (uint32_t)im;
    return 2 * bin == $T ? power >> 1 : power;
}

