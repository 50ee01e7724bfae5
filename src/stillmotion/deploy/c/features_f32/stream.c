/* Read one stream of n samples: a channel, the norm of several, or the same of derivatives. */
static void ${P}_read(const float *x, float *b, int stream, int n, int jerk)
{
    int count = ${P}_stream[stream + 1] - ${P}_stream[stream], i;
    const $COLUMN *column = ${P}_column + ${P}_stream[stream];
    (void)jerk;
    for (; n; --n, x += $D) {
        float squares = 0.0f, v = 0.0f;
        for (i = 0; i < count; ++i) {
            v = x[column[i]];
$JERK            squares = squares + v * v;
        }
        *b++ = count == 1 ? v : sqrt_f32(squares);
    }
}

