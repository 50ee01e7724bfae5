/* Correlation of two channels; 0 where one is constant. */
static void ${P}_correlation(const float *x, int first, int second, ${P}_place *place)
{
    ${P}_centre_of a = ${P}_centre(x + first, $T, $D), b = ${P}_centre(x + second, $T, $D);
    float squares_a = 0.0f, squares_b = 0.0f, products = 0.0f, size;
    int t;
    for (t = 0; t < $T; ++t, x += $D) {
        float v = (x[first] - a.first) - a.rest, w = (x[second] - b.first) - b.rest;
        squares_a = squares_a + v * v;
        squares_b = squares_b + w * w;
        products = products + v * w;
    }
    size = sqrt_f32(squares_a / $COUNT) * sqrt_f32(squares_b / $COUNT);
    ${P}_put(place, a.varies && b.varies && size > 0.0f ? (products / $COUNT) / size : 0.0f);
}

