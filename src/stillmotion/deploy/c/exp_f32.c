/* e to the power of x, limited to +-87 (NaN becomes -87): a polynomial after Cephes, without a mathematics library. */
static float exp_f32(float x)
{
    union {
        int32_t bits;
        float value;
    } power;
    float n, k, r, p;
    x = x > -87.0f ? x : -87.0f;
    x = x > 87.0f ? 87.0f : x;
    n = x * 1.44269504f;
    power.bits = (int32_t)(n < 0.0f ? n - 0.5f : n + 0.5f);
    k = (float)power.bits;
    power.bits = (power.bits + 127) * ((int32_t)1 << 23);
    r = x - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    return (p + 1.0f) * power.value;
}
