/* needs: recurrence requantise saturate_s8 sigmoid_q15 dot_s8 */
/* The integers of a recurrent cell; the state as int8 has the scale 2^exponent / 128. */
struct cell {
    const int8_t *kernel, *recurrent;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    const int32_t *state_multiplier;
    const int8_t *state_shift;
    int16_t zero_in, exponent;
};

static int32_t limit(int32_t value, int32_t most)
{
    return value < -most ? -most : value > most ? most : value;
}

/* A sum of products with 12 fractional bits, saturated at 256. */
static int32_t to_q12(int32_t sum, int32_t multiplier, int shift)
{
    if (shift < 0) {
        sum = limit(sum, INT32_MAX >> -shift) * ((int32_t)1 << -shift);
        shift = 0;
    }
    return limit(requantise(sum, multiplier, shift), (int32_t)1 << 20);
}

static int32_t input_q12(const int8_t *x, const struct recurrence *r, const struct cell *q, int row)
{
    int32_t sum = dot_s8(0, x, q->kernel + row * r->features, r->features, q->zero_in);
    return to_q12(sum, q->multiplier[row], q->shift[row]);
}

static int32_t state_q12(const int8_t *h, const struct recurrence *r, const struct cell *q, int row)
{
    int32_t sum = dot_s8(0, h, q->recurrent + row * r->units, r->units, 0);
    return to_q12(sum, q->state_multiplier[row], q->state_shift[row]);
}
