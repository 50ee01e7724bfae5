    value = (value - ${P}_mean[place->index]) * ${P}_factor[place->index];
    value = clamp_f32(value, -$CLIP, $CLIP);
