@even|    int index = place->index;
@table|    int index;
@table|    uint32_t kept = place->kept & place->bit;
@table|    place->bit <<= 1;
@table|    if (!kept) {
@table|        ++place->unit;
@table|        return;
@table|    }
@table|    index = *place->at++;
