/* Read one stream of n samples: a channel, the norm of several less 32768, or the same of differences. */
static void ${P}_read(const int16_t *x, int16_t *b, int stream, int n, int jerk)
{
    int count = ${P}_stream[stream + 1] - ${P}_stream[stream];
    const $COLUMN *column = ${P}_column + ${P}_stream[stream];
    (void)jerk;
    for (; n; --n, x += $D) {
        uint32_t squares = 0;
        int32_t v = 0;
        int i;
        for (i = 0; i < count; ++i) {
            uint32_t square;
            v = x[column[i]];
$JERK            square = (uint32_t)v * (uint32_t)v;
            squares = squares + square < square ? 0xffffffffu : squares + square;
        }
        *b++ = (int16_t)(count == 1 ? v : (int32_t)round_root(squares) - 32768);
    }
}

