/* Walk down every tree: left where a feature is at most the threshold. A child counts nodes from its tree's first; below
 * 0 it is a leaf, whose row of values is -1 - child. */
static void ${P}_walk(const $IN *x, $SUM *y)
{
    int tree, i;
    for (i = 0; i < $CLASSES; ++i) {
        y[i] = 0;
    }
    for (tree = 0; tree < $TREES; ++tree) {
        int32_t node = 0;
        const $VALUE *row;
        while (node >= 0) {
            node += ${P}_first[tree];
            node = x[${P}_feature[node]] <= ${P}_threshold[node] ? ${P}_left[node] : ${P}_right[node];
        }
        row = ${P}_row + (-1 - node) * $CLASSES;
        for (i = 0; i < $CLASSES; ++i) {
            y[i] = y[i] + row[i];
        }
    }
}

