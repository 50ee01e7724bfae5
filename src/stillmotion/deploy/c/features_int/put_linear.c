/* Write mantissa * 2^exponent, in the unit of its statistic, standardised and clipped. */
static void ${P}_put(${P}_place *place, uint32_t mantissa, int exponent, int negative)
{
    int32_t value = 0;
$NEXT_PLACE    if (mantissa) {
        uint32_t unit = ${P}_unit[place->unit];
        mantissa = normalise(mantissa, &exponent);
        mantissa = (mantissa >> 16) * unit + (((mantissa & 0xffff) * unit) >> 16);
        exponent += ${P}_unit_exponent[place->unit];
        mantissa = normalise(mantissa, &exponent);
        mantissa = (mantissa >> 16) * ${P}_slope[index] + (((mantissa & 0xffff) * ${P}_slope[index]) >> 16);
        exponent = ${P}_shift[index] - exponent;
        value = exponent > 31 ? 0 : exponent < 2 ? 0x3fffffff : (int32_t)(mantissa >> exponent);
    }
    value = ((negative ? -value : value) - ${P}_offset[index] + $HALF) >> $FRACTION;
    place->y[index] = ($OUT)(value > $LIMIT ? $LIMIT : value < -$LIMIT ? -$LIMIT : value);
@even|    place->index += place->step;
    ++place->unit;
}

