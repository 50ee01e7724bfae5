${SORT}static float ${P}_quantile(const float *b, int n, int quarters)
{
    int at = quarters * (n - 1), part = at & 3;
    b += at >> 2;
    return part ? b[0] + (b[1] - b[0]) * (0.25f * (float)part) : b[0];
}

