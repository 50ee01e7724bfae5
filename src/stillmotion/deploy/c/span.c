/* The elements of a kernel that lie on an axis of this length: from *first up to, not including, *last. */
static void find_span(int start, int taps, int gap, int length, int *first, int *last)
{
    *first = 0;
    *last = taps;
    while (*first < taps && start + *first * gap < 0)
        ++*first;
    while (*last > *first && start + (*last - 1) * gap >= length)
        --*last;
}
