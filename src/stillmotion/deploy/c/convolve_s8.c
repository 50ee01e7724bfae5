/* needs: geometry quantised */
static void convolve_s8(const int8_t *x, int8_t *y, const struct geometry *g, const struct quantised *q)
{
    int group_filters = g->filters / g->groups;
    int i, j, group, f, r, c, k, filter;
    for (i = 0; i < g->out_rows; i++) {
        for (j = 0; j < g->out_columns; j++) {
            const int8_t *w = q->kernel;
            for (group = 0, filter = 0; group < g->groups; group++) {
                for (f = 0; f < group_filters; f++, filter++) {
                    int32_t sum = q->bias[filter];
                    for (r = 0; r < g->kernel_rows; r++) {
                        int row = i * g->stride_rows + r * g->gap_rows - g->above;
                        for (c = 0; c < g->kernel_columns; c++, w += g->group_channels) {
                            int column = j * g->stride_columns + c * g->gap_columns - g->before;
                            const int8_t *in;
                            if (row < 0 || row >= g->rows || column < 0 || column >= g->columns)
                                continue;
                            in = x + (row * g->columns + column) * g->channels + group * g->group_channels;
                            for (k = 0; k < g->group_channels; k++)
                                sum += (in[k] - q->zero_in) * w[k];
                        }
                    }
                    *y++ = finish_s8(sum, q, filter);
                }
            }
        }
    }
}
