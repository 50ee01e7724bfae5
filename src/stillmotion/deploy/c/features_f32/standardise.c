    value = (value - ${P}_mean[$INDEX]) * ${P}_factor[$INDEX];
    value = clamp_f32(value, -$CLIP, $CLIP);
