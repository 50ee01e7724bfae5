/* Write mantissa * 2^exponent, in the unit of its statistic, as sign(v) log(1 + |v|), standardised and clipped. */
static void ${P}_put(${P}_place *place, uint32_t mantissa, int exponent, int negative)
{
    int32_t value = 0;
$NEXT_PLACE    if (mantissa) {
        uint32_t unit = ${P}_unit[place->unit];
        int whole = 0;
        mantissa = normalise(mantissa, &exponent);
        mantissa = (mantissa >> 16) * unit + (((mantissa & 0xffff) * unit) >> 16);
        exponent += ${P}_unit_exponent[place->unit] + 31;
        mantissa = normalise(mantissa, &exponent);
        if (exponent < 0) {
            mantissa = exponent < -31 ? 0 : mantissa >> -exponent;
        } else {
            uint32_t one = exponent > 31 ? 0 : (uint32_t)1 << (31 - exponent);
            whole = exponent;
            mantissa += one;
            if (mantissa < one) {
                mantissa >>= 1;
                ++whole;
            }
            mantissa &= 0x7fffffff;
        }
        value = (int32_t)((uint32_t)whole << 25) + log2_of_one_plus(mantissa);
    }
    if (negative) {
        value = -value;
    }
    value = (value >> 16) * ${P}_slope[index] + (int32_t)(((uint32_t)(value & 0xffff) * ${P}_slope[index]) >> 16);
    value = ((value >> ${P}_shift[index]) - ${P}_offset[index] + $HALF) >> $FRACTION;
    place->y[index] = ($OUT)(value > $LIMIT ? $LIMIT : value < -$LIMIT ? -$LIMIT : value);
@even|    place->index += place->step;
    ++place->unit;
}

