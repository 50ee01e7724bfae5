/* needs: geometry quantised span dot_s8 */
static void convolve_s8(const int8_t *x, int8_t *y, const struct geometry *g, const struct quantised *q)
{
    int channels = g->channels, depth = g->group_channels, width = g->kernel_columns;
    int group_filters = g->filters / g->groups, size = g->kernel_rows * width * depth;
    int beside = g->groups == 1 && g->gap_columns == 1; /* elements of a row lie side by side, */
    int together = beside && g->gap_rows == 1 && g->columns == width; /* and so do its rows */
    int i, j, group, f, r, c, top, bottom, left, right;
    for (i = 0; i < g->out_rows; i++) {
        int row = i * g->stride_rows - g->above;
        find_span(row, g->kernel_rows, g->gap_rows, g->rows, &top, &bottom);
        for (j = 0; j < g->out_columns; j++) {
            int column = j * g->stride_columns - g->before, rows = bottom - top, columns, run = depth;
            const int8_t *kernel = q->kernel, *start;
            find_span(column, width, g->gap_columns, g->columns, &left, &right);
            columns = right - left;
            start = x + ((row + top * g->gap_rows) * g->columns + column + left * g->gap_columns) * channels;
            kernel += (top * width + left) * depth;
            if (beside && columns > 0) {
                run *= columns;
                columns = 1;
            }
            if (together && rows > 0 && right - left == width) {
                run *= rows;
                rows = 1;
            }
            for (group = 0, f = 0; group < g->groups; group++, start += depth) {
                for (; f < (group + 1) * group_filters; f++, kernel += size) {
                    int32_t sum = q->bias[f];
                    for (r = 0; r < rows; r++)
                        for (c = 0; c < columns; c++)
                            sum = dot_s8(sum, start + (r * g->gap_rows * g->columns + c * g->gap_columns) * channels,
                                         kernel + (r * width + c) * depth, run, q->zero_in);
                    *y++ = finish_s8(sum, q, f);
                }
            }
        }
    }
}
