/* One-sided power of a bin of $T centred and folded samples. */
static float ${P}_power(const float *b, int bin)
{
    float re = b[0], im = 0.0f;
    int i, angle = 0;
    for (i = 1; i <= $HALFWAY; ++i) {
        angle += bin;
        angle -= angle >= $T ? $T : 0;
        re = re + b[i] * ${P}_cosines[angle <= $T / 2 ? angle : $T - angle];
        if (angle <= $T / 2) {
            im = im + b[$T - i] * ${P}_sines[angle];
        } else {
            im = im - b[$T - i] * ${P}_sines[$T - angle];
        }
    }
    if (!($T & 1)) {
        re = bin & 1 ? re - b[$T / 2] : re + b[$T / 2];
    }
    return (re * re + im * im) * (2 * bin == $T ? $SINGLE : $DOUBLE);
}

/* Peak, its share, and the power in bands. */
static void ${P}_spectrum(float *b, ${P}_place *place)
{
    ${P}_centre_of c = ${P}_centre(b, $T, 1);
@peak_share|    float total = 0.0f;
@peak_hz,peak_share|    float best = 0.0f;
@peak_hz|    int peak = 0;
@even|    int first = place->index;
    int i, bin = 1, band;
    for (i = 0; i < $T; ++i) {
        b[i] = (b[i] - c.first) - c.rest;
    }
    for (i = 1; i <= $HALFWAY; ++i) {
        float low = b[i], high = b[$T - i];
        b[i] = low + high;
        b[$T - i] = low - high;
    }
@even|    place->index += 2 * place->step;
    for (band = 0; band < $BANDS; ++band) {
        float sum = 0.0f;
        for (; c.varies && bin <= ${P}_band[band]; ++bin) {
            float power = ${P}_power(b, bin);
            sum = sum + power;
@peak_hz,peak_share|            if (power > best * 1.00001f) {
@peak_hz,peak_share|                best = power;
@peak_hz|                peak = bin;
@peak_hz,peak_share|            }
        }
@peak_share|        total = total + sum;
        ${P}_put(place, sum);
    }
@even|    place->index = first;
@peak_hz|    ${P}_put(place, (float)peak * $HERTZ);
@peak_share|    ${P}_put(place, total > 0.0f ? best / total : 0.0f);
}

