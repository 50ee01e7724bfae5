/* Where the next feature goes; every put moves on to the next statistic. */
typedef struct {
    float *y;
@even|    int index, step;
@table|    const $PLACE *at;
@table|    uint32_t kept, bit;
} ${P}_place;

static void ${P}_put(${P}_place *place, float value)
{
@table|    int index;
@table|    uint32_t kept = place->kept & place->bit;
@table|    place->bit <<= 1;
@table|    if (!kept) {
@table|        return;
@table|    }
@table|    index = *place->at++;
$SCALE    place->y[$INDEX] = value;
@even|    place->index += place->step;
}

