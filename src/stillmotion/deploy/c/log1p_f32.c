/* needs: log_f32 */
/* log(1 + x) for x >= 0: what the sum loses is multiplied back. */
static float log1p_f32(float x)
{
    float sum = 1.0f + x;
    return sum - 1.0f > 0.0f ? log_f32(sum) * (x / (sum - 1.0f)) : x;
}
