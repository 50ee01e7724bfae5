/* Where the next feature goes; every put moves on to the next statistic. */
typedef struct {
    $OUT *y;
    int index, step, unit;
} ${P}_place;

