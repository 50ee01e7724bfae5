$HEAD
{
    int i;
    ${P}_walk(x, y);
    for (i = 0; i < $CLASSES; ++i) {
        float mean = y[i] / $COUNT;
        y[i] = log_f32(mean > $SMALLEST ? mean : $SMALLEST);
    }
}
