static float dot_f32(float sum, const float *x, const float *w, int count)
{
    int i;
    for (i = 0; i < count; i++)
        sum += x[i] * w[i];
    return sum;
}
