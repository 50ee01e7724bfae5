$HEAD
{
    int32_t *sum = (int32_t *)scratch;
    int i;
    ${P}_walk(x, sum);
    for (i = 0; i < $CLASSES; ++i) {
        int exponent = 31;
        uint32_t mantissa = normalise(sum[i] > 0 ? (uint32_t)sum[i] : 1, &exponent);
        int32_t value = (int32_t)((uint32_t)exponent << 25) + log2_of_one_plus(mantissa & 0x7fffffff);
        value = (value >> 16) * $SLOPE + (int32_t)(((uint32_t)(value & 0xffff) * $SLOPE) >> 16);
        value = ((value >> $SHIFT) - ($OFFSET) + 8) >> 4;
        y[i] = (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
    }
}
