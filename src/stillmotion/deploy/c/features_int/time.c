/* Statistics in time of n samples b + base, whose step is 2^exponent; they may be sorted. */
static OWN_FRAME void ${P}_time(int16_t *b, int n, int32_t base, ${P}_place *place, int exponent)
{
@std,energy|    uint64_t squares = 0;
@mean,std,zero_crossings|    int32_t sum = 0;
@min,max,zero_crossings|    int32_t low = 65535, high = -32768;
@zero_crossings|    int32_t margin, largest;
@zero_crossings|    uint32_t crossings = 0;
@zero_crossings|    int above = 0;
@std,energy|    uint32_t mantissa;
@std,energy|    int own = 0;
@mean,std,min,max,energy,zero_crossings|    int i;
@mean,std,min,max,energy,zero_crossings|    for (i = 0; i < n; ++i) {
@mean,std,min,max,energy,zero_crossings|        int32_t v = b[i] + base;
@mean,std,zero_crossings|        sum += v;
@std,energy|        squares += (uint32_t)v * (uint32_t)v;
@min,max,zero_crossings|        low = v < low ? v : low;
@min,max,zero_crossings|        high = v > high ? v : high;
@mean,std,min,max,energy,zero_crossings|    }
@zero_crossings|    largest = -low > high ? -low : high;
@zero_crossings|    margin = sum - (int32_t)(((uint32_t)n * (uint32_t)largest) >> 21);
@zero_crossings|    ${WHEN_CROSSING}for (i = 0; i < n; ++i) {
@zero_crossings|        int now = n * (b[i] + base) >= margin;
@zero_crossings|        crossings += (uint32_t)(i && now != above);
@zero_crossings|        above = now;
@zero_crossings|    }
@mean|    ${P}_put_signed(place, sum, exponent);
@std|    mantissa = spread(n, squares, sum, &own);
@std|    ${P}_put(place, mantissa, own + exponent, 0);
@min|    ${P}_put_signed(place, low, exponent);
@max|    ${P}_put_signed(place, high, exponent);
@median,iqr|    $WHEN_SORTED${P}_sort(b, n);
@median|    ${P}_put_signed(place, ${P}_quantile(b, n, 2) + 4 * base, exponent);
@iqr|    ${P}_put_signed(place, ${P}_quantile(b, n, 3) - ${P}_quantile(b, n, 1), exponent);
@energy|    own = 2 * exponent;
@energy|    mantissa = narrow(squares, &own);
@energy|    ${P}_put(place, mantissa, own, 0);
@zero_crossings|    ${P}_put(place, crossings, 0, 0);
    (void)base;
    (void)exponent;
}

