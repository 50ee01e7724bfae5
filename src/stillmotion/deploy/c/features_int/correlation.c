/* Correlation of two channels; 0 where one is constant. */
static OWN_FRAME void ${P}_correlation(const int16_t *x, int first, int second, ${P}_place *place)
{
    uint64_t squares_a = 0, squares_b = 0;
    int64_t products = 0;
    int32_t sum_a = 0, sum_b = 0;
    uint32_t spread_a, spread_b, mantissa = 0;
    int t, exponent = 0, exponent_a, exponent_b, negative = 0;
    for (t = 0; t < $T; ++t, x += $D) {
        int32_t a = x[first], b = x[second];
        sum_a += a;
        sum_b += b;
        squares_a += (uint32_t)(a * a);
        squares_b += (uint32_t)(b * b);
        products += a * b;
    }
    spread_a = spread($T, squares_a, sum_a, &exponent_a);
    spread_b = spread($T, squares_b, sum_b, &exponent_b);
    products = products * $T - (int64_t)sum_a * sum_b;
    if (spread_a && spread_b && products) {
        negative = products < 0;
        mantissa = normalise(narrow((uint64_t)(negative ? -products : products), &exponent), &exponent);
        exponent -= exponent_a + exponent_b + 16;
        exponent_a = 0;
        spread_a = normalise(spread_a * spread_b, &exponent_a);
        mantissa = divide(mantissa, spread_a);
        exponent -= exponent_a;
    }
    ${P}_put(place, mantissa, exponent, negative);
    place->unit = $CORRELATION;
}

