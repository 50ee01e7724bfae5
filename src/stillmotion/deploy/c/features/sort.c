/* Shell's sort with the gaps of Ciura. */
static void ${P}_sort($SAMPLE *b, int n)
{
    static const uint16_t gaps[9] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    $SAMPLE *end = b + n, *p, *q;
    int k;
    for (k = 0; k < 9; ++k) {
        int gap = gaps[k];
        $SAMPLE *second = gap < n ? b + gap : end;
        for (p = second; p < end; ++p) {
            $SAMPLE v = *p;
            for (q = p; q >= second && q[-gap] > v; q -= gap) {
                *q = q[-gap];
            }
            *q = v;
        }
    }
}

