static void ${P}_put_signed(${P}_place *place, int32_t value, int exponent)
{
    ${P}_put(place, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, exponent, value < 0);
}

