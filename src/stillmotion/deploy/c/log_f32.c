/* Natural logarithm of a normal x > 0: a polynomial after Cephes, without a mathematics library. */
static float log_f32(float x)
{
    union {
        uint32_t bits;
        float value;
    } part;
    float exponent, square, y;
    part.value = x;
    /* The mantissa in sqrt(1/2) ... sqrt(2). */
    exponent = (float)((int32_t)(part.bits + 0x4afb0du) / 8388608 - 127);
    part.bits = ((part.bits + 0x4afb0du) & 0x7fffffu) + 0x3f3504f3u;
    x = part.value - 1.0f;
    square = x * x;
    y = 7.0376836292e-2f;
    y = y * x - 1.1514610310e-1f;
    y = y * x + 1.1676998740e-1f;
    y = y * x - 1.2420140846e-1f;
    y = y * x + 1.4249322787e-1f;
    y = y * x - 1.6668057665e-1f;
    y = y * x + 2.0000714765e-1f;
    y = y * x - 2.4999993993e-1f;
    y = y * x + 3.3333331174e-1f;
    y = y * x * square;
    y = y + exponent * -2.12194440e-4f;
    y = y - 0.5f * square;
    return x + y + exponent * 0.693359375f;
}
