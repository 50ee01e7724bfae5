/* needs: geometry quantised span */
static int32_t strided_dot_s8(int32_t sum, const int8_t *x, const int8_t *w, int count, int stride, int zero)
{
    const int8_t *end = w + count;
    for (; w < end; x += stride)
        sum += (*x - zero) * *w++;
    return sum;
}

static void depthwise_s8(const int8_t *x, int8_t *y, const struct geometry *g, const struct quantised *q)
{
    int channels = g->channels, width = g->kernel_columns, size = g->kernel_rows * width;
    int down = g->gap_rows * g->columns * channels, aside = g->gap_columns * channels;
    int i, j, f, r, top, bottom, left, right;
    for (i = 0; i < g->out_rows; i++) {
        int row = i * g->stride_rows - g->above;
        find_span(row, g->kernel_rows, g->gap_rows, g->rows, &top, &bottom);
        for (j = 0; j < g->out_columns; j++) {
            int column = j * g->stride_columns - g->before, rows = bottom - top, run, stride = aside;
            const int8_t *kernel = q->kernel, *start;
            find_span(column, width, g->gap_columns, g->columns, &left, &right);
            run = right - left;
            start = x + ((row + top * g->gap_rows) * g->columns + column + left * g->gap_columns) * channels;
            kernel += top * width + left;
            if (width == 1 && run == 1) { /* a column is one run */
                run = rows;
                stride = down;
                rows = 1;
            }
            for (f = 0; f < g->filters; f++, kernel += size) {
                int32_t sum = q->bias[f];
                for (r = 0; r < rows; r++)
                    sum = strided_dot_s8(sum, start + f + r * down, kernel + r * width, run, stride, q->zero_in);
                *y++ = finish_s8(sum, q, f);
            }
        }
    }
}
