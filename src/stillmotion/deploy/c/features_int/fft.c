/* sin(2 pi i / $T) * 2^15 for i from 0 to $T / 2; cosines begin a quarter later. */
static int32_t ${P}_sine(int i)
{
    return i <= $T / 4 ? ${P}_sines[i] : ${P}_sines[$T / 2 - i];
}

static int32_t ${P}_cosine(int i)
{
    return i <= $T / 4 ? ${P}_sines[$T / 4 - i] : -(int32_t)${P}_sines[i - $T / 4];
}

/* Fourier transform of $N complex numbers in place, divided by $N. */
static void ${P}_transform(int16_t *b)
{
    int i, j, k, half, turn;
    for (i = 1, j = 0; i < $N; ++i) {
        int bit = $N >> 1;
        for (; j & bit; bit >>= 1) {
            j ^= bit;
        }
        j ^= bit;
        for (k = 0; i < j && k < 2; ++k) {
            int16_t v = b[2 * i + k];
            b[2 * i + k] = b[2 * j + k];
            b[2 * j + k] = v;
        }
    }
    for (half = 1, turn = $N; half < $N; half *= 2, turn >>= 1) {
        for (j = 0; j < half; ++j) {
            int32_t c = ${P}_cosine(j * turn), s = ${P}_sine(j * turn);
            for (i = j; i < $N; i += 2 * half) {
                int16_t *p = b + 2 * i, *q = p + 2 * half;
                int32_t re = (c * q[0] + s * q[1] + 16384) >> 15, im = (c * q[1] - s * q[0] + 16384) >> 15;
                q[0] = (int16_t)((p[0] - re + 1) >> 1);
                q[1] = (int16_t)((p[1] - im + 1) >> 1);
                p[0] = (int16_t)((p[0] + re + 1) >> 1);
                p[1] = (int16_t)((p[1] + im + 1) >> 1);
            }
        }
    }
}

/* Power of a bin of the $T real samples that the complex numbers were. */
static uint32_t ${P}_power(const int16_t *b, int bin)
{
    const int16_t *p = b + 2 * bin, *q = b + 2 * ($N - bin);
    int32_t c, s, odd, even, re, im;
    if (bin == $N) {
        re = b[0] - b[1];
        return 2 * ((uint32_t)re * (uint32_t)re);
    }
    c = ${P}_cosine(bin);
    s = ${P}_sine(bin);
    odd = p[1] + q[1];
    even = q[0] - p[0];
    re = p[0] + q[0] + ((c * odd + s * even) >> 15);
    im = p[1] - q[1] + ((c * even - s * odd) >> 15);
    return (uint32_t)re * (uint32_t)re + (uint32_t)im * (uint32_t)im;
}

