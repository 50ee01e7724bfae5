/* Centre n samples in place, times n and a power of two that leaves $BITS bits; returns that power, or 99 for a constant. */
static int ${P}_centre(int16_t *b)
{
    int32_t sum = 0, largest = 0;
    int i, up = 0;
    for (i = 0; i < $T; ++i) {
        sum += b[i];
    }
    for (i = 0; i < $T; ++i) {
        int32_t v = $T * b[i] - sum;
        v = v < 0 ? -v : v;
        largest = v > largest ? v : largest;
    }
    if (!largest) {
        return 99;
    }
    for (; largest < (1 << ($BITS - 1)); largest <<= 1) {
        ++up;
    }
    for (; largest >= (1 << $BITS); largest >>= 1) {
        --up;
    }
    for (i = 0; i < $T; ++i) {
        int32_t v = $T * b[i] - sum;
        b[i] = (int16_t)(up < 0 ? (v + ((int32_t)1 << (-up - 1))) >> -up : v * ((int32_t)1 << up));
    }
    return up;
}

$TRANSFORM/* Peak, its share, and the power in bands of a signal whose step is 2^exponent. */
static OWN_FRAME void ${P}_spectrum(int16_t *b, ${P}_place *place, int exponent)
{
@peak_share|    uint32_t total = 0;
@peak_hz,peak_share|    uint32_t best = 0;
@peak_hz|    int peak = 0;
@even|    int first = place->index;
    int bin = 1, band, up = ${P}_centre(b);
    if (up != 99) {
        ${P}_transform(b);
    }
@even|    place->index += 2 * place->step;
    for (band = 0; band < $BANDS; ++band) {
        uint32_t sum = 0;
        if (up != 99) {
            for (; bin <= ${P}_band[band]; ++bin) {
                uint32_t power = ${P}_power(b, bin);
                sum += power;
@peak_hz,peak_share|                if (power > best + (best >> 8)) {
@peak_hz,peak_share|                    best = power;
@peak_hz|                    peak = bin;
@peak_hz,peak_share|                }
            }
        }
@peak_share|        total += sum;
        place->unit = $POWER;
        ${P}_put(place, sum, 2 * (exponent - up), 0);
    }
@even|    place->index = first;
@peak_hz|    place->unit = $POWER - 2;
@peak_hz|    ${P}_put(place, (uint32_t)peak, 0, 0);
@peak_share|    up = -16;
@peak_share|    if (best) {
@peak_share|        int own = 0;
@peak_share|        best = normalise(best, &up);
@peak_share|        total = normalise(total, &own);
@peak_share|        best = divide(best, total);
@peak_share|        up -= own;
@peak_share|    }
@table|    place->unit = $POWER - 1;
@peak_share|    ${P}_put(place, best, up, 0);
}

