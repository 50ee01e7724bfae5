${SORT}/* Four times the quantile of sorted values, at so many quarters. */
static int32_t ${P}_quantile(const int16_t *b, int n, int quarters)
{
    int at = quarters * (n - 1), part = at & 3;
    b += at >> 2;
    return 4 * b[0] + (part ? part * (b[1] - b[0]) : 0);
}

