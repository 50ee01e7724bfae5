/* Statistics in time of n samples at so many a second, which may be sorted. */
static void ${P}_time(float *b, int n, ${P}_place *place)
{
@mean,std,zero_crossings|    ${P}_centre_of c = ${P}_centre(b, n, 1);
@std|    float deviation = 0.0f;
@energy|    float energy = 0.0f;
@ends|    float low = b[0], high = b[0];
@zero_crossings|    int above = 0, crossings = 0;
@std,energy,ends,zero_crossings|    int i;
@std,energy,ends,zero_crossings|    for (i = 0; i < n; ++i) {
@std,zero_crossings|        float v = (b[i] - c.first) - c.rest;
@zero_crossings|        int now = v >= -c.margin;
@std|        deviation = deviation + v * v;
@energy|        energy = energy + b[i] * b[i];
@zero_crossings|        crossings += i && now != above;
@zero_crossings|        above = now;
@ends|        low = b[i] < low ? b[i] : low;
@ends|        high = b[i] > high ? b[i] : high;
@std,energy,ends,zero_crossings|    }
@mean|    ${P}_put(place, c.first + c.rest);
@std|    ${P}_put(place, sqrt_f32(deviation / (float)n));
@median,iqr|    $WHEN_SORTED${P}_sort(b, n);
@min|    ${P}_put(place, $LOW);
@max|    ${P}_put(place, $HIGH);
@median|    ${P}_put(place, ${P}_quantile(b, n, 2));
@iqr|    ${P}_put(place, ${P}_quantile(b, n, 3) - ${P}_quantile(b, n, 1));
@energy|    ${P}_put(place, energy / (float)n);
@zero_crossings|    ${P}_put(place, (float)crossings * ($RATE / (float)(n - 1)));
}

