/* needs: geometry clamp_f32 */
static void convolve_f32(const float *x, float *y, const struct geometry *g, const float *kernel, const float *bias,
                         float low, float high)
{
    int group_filters = g->filters / g->groups;
    int i, j, group, f, r, c, k;
    for (i = 0; i < g->out_rows; i++) {
        for (j = 0; j < g->out_columns; j++) {
            const float *w = kernel, *b = bias;
            for (group = 0; group < g->groups; group++) {
                for (f = 0; f < group_filters; f++) {
                    float sum = *b++;
                    for (r = 0; r < g->kernel_rows; r++) {
                        int row = i * g->stride_rows + r * g->gap_rows - g->above;
                        for (c = 0; c < g->kernel_columns; c++, w += g->group_channels) {
                            int column = j * g->stride_columns + c * g->gap_columns - g->before;
                            const float *in;
                            if (row < 0 || row >= g->rows || column < 0 || column >= g->columns)
                                continue;
                            in = x + (row * g->columns + column) * g->channels + group * g->group_channels;
                            for (k = 0; k < g->group_channels; k++)
                                sum += in[k] * w[k];
                        }
                    }
                    *y++ = clamp_f32(sum, low, high);
                }
            }
        }
    }
}
