/* Multiply by multiplier * 2^(-31 - shift), as TensorFlow Lite's reference does: a rounding doubling high product, then
 * a rounding shift. A right shift of a negative number must keep its sign, as on every compiler known to us. */
typedef char shifts_keep_the_sign[(-1 >> 1) == -1 ? 1 : -1];

static int32_t requantise(int32_t value, int32_t multiplier, int shift)
{
    int32_t high = (int32_t)(((int64_t)value * multiplier + ((int32_t)1 << 30)) >> 31);
    int32_t mask = (int32_t)(((uint32_t)1 << shift) - 1);
    return (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0));
}
