/* log2(1 + f / 2^31) * 2^25 for f < 2^31: f times a polynomial. */
static int32_t log2_of_one_plus(uint32_t f)
{
    static const int32_t terms[6] = {-2319, 9726, -19996, 30797, -47220, 94548};
    int32_t part = (int32_t)(f >> 16), value = 0;
    uint32_t slope;
    int i;
    for (i = 0; i < 6; ++i) {
        value = ((value * part + 16384) >> 15) + terms[i];
    }
    slope = (uint32_t)value;
    return (int32_t)(((f >> 16) * slope + (((f & 0xffff) * (slope >> 1)) >> 15)) >> 6);
}
