/* A number of counts as an integer: rounded half away from zero, saturated. */
static int16_t to_count(float value)
{
    value = value < -32768.0f ? -32768.0f : value > 32767.0f ? 32767.0f : value;
    return (int16_t)(value < 0.0f ? value - 0.5f : value + 0.5f);
}
