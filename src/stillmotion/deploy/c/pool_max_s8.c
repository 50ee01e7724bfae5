/* needs: geometry */
static void pool_max_s8(const int8_t *x, int8_t *y, const struct geometry *g)
{
    int i, j, f, r, c;
    for (i = 0; i < g->out_rows; i++) {
        for (j = 0; j < g->out_columns; j++) {
            for (f = 0; f < g->filters; f++) {
                int8_t best = -128;
                for (r = 0; r < g->kernel_rows; r++) {
                    int row = i * g->stride_rows + r * g->gap_rows - g->above;
                    for (c = 0; c < g->kernel_columns; c++) {
                        int column = j * g->stride_columns + c * g->gap_columns - g->before;
                        int8_t value;
                        if (row < 0 || row >= g->rows || column < 0 || column >= g->columns)
                            continue;
                        value = x[(row * g->columns + column) * g->channels + f];
                        if (value > best)
                            best = value;
                    }
                }
                *y++ = best;
            }
        }
    }
}
