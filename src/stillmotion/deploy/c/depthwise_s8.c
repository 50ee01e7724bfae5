/* needs: geometry quantised */
static void depthwise_s8(const int8_t *x, int8_t *y, const struct geometry *g, const struct quantised *q)
{
    int size = g->kernel_rows * g->kernel_columns;
    int i, j, f, r, c;
    for (i = 0; i < g->out_rows; i++) {
        int top = i * g->stride_rows - g->above;
        for (j = 0; j < g->out_columns; j++) {
            int left = j * g->stride_columns - g->before;
            for (f = 0; f < g->filters; f++) {
                const int8_t *w = q->kernel + f * size;
                int32_t sum = q->bias[f];
                for (r = 0; r < g->kernel_rows; r++) {
                    int row = top + r * g->gap_rows;
                    const int8_t *in;
                    if (row < 0 || row >= g->rows) {
                        w += g->kernel_columns;
                        continue;
                    }
                    in = x + row * g->columns * g->channels + f;
                    for (c = 0; c < g->kernel_columns; c++, w++) {
                        int column = left + c * g->gap_columns;
                        if (column >= 0 && column < g->columns)
                            sum += (in[column * g->channels] - q->zero_in) * *w;
                    }
                }
                *y++ = finish_s8(sum, q, f);
            }
        }
    }
}
