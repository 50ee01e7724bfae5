/* Square root of x >= 0 by Newton's method, without a mathematics library. */
static float sqrt_f32(float x)
{
    union {
        uint32_t bits;
        float value;
    } root;
    int i;
    if (!(x > 0.0f)) {
        return 0.0f;
    }
    root.value = x;
    root.bits = (root.bits >> 1) + 0x1fbd1df5u;
    for (i = 0; i < 4; ++i) {
        root.value = 0.5f * (root.value + x / root.value);
    }
    return root.value;
}
