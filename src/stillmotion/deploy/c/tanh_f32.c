/* needs: exp_f32 */
static float tanh_f32(float x)
{
    return 1.0f - 2.0f / (exp_f32(x * 2.0f) + 1.0f);
}
