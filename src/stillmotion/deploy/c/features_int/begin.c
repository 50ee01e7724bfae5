/* Where the next feature goes; every put moves on to the next statistic. */
typedef struct {
    $OUT *y;
@even|    int index, step, unit;
@table|    const $PLACE *at;
@table|    uint32_t kept, bit;
@table|    int unit;
} ${P}_place;

