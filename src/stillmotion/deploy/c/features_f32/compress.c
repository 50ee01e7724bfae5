    value = value < 0.0f ? -log1p_f32(-value) : log1p_f32(value);
