static int is_finite_f32(float value)
{
    return value >= -FLT_MAX && value <= FLT_MAX;
}
