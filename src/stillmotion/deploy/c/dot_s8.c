static int32_t dot_s8(int32_t sum, const int8_t *x, const int8_t *w, int count, int zero)
{
    const int8_t *end = w + count;
    while (w < end)
        sum += (*x++ - zero) * *w++;
    return sum;
}
