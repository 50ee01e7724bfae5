/* needs: requantise saturate_s8 */
/* Weights of a layer and how its sums become int8; zero_in is 0 where the biases hold it already. */
struct quantised {
    const int8_t *kernel;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int16_t zero_in, zero_out, low, high;
};

static int8_t finish_s8(int32_t sum, const struct quantised *q, int filter)
{
    return saturate_s8(requantise(sum, q->multiplier[filter], q->shift[filter]) + q->zero_out, q->low, q->high);
}
