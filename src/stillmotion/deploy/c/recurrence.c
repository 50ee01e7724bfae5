struct recurrence {
    int16_t steps, features, units;
    int16_t sequences, backward;
};
