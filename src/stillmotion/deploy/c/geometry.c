/* Where a kernel lies on a map (rows, columns, channels). */
struct geometry {
    int16_t rows, columns, channels;
    int16_t out_rows, out_columns, filters;
    int16_t kernel_rows, kernel_columns, group_channels, groups;
    int16_t stride_rows, stride_columns, gap_rows, gap_columns, above, before;
};
