/* Where the next feature goes; every put moves on to the next statistic. */
typedef struct {
    float *y;
    int index, step;
} ${P}_place;

static void ${P}_put(${P}_place *place, float value)
{
$SCALE    place->y[place->index] = value;
    place->index += place->step;
}

