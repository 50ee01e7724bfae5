/* The smallest program: what a model adds to it is the model's size. */
#include <stdint.h>
#ifdef MODEL
#include "entry.h"
#endif

#define WORDS(bytes) (((bytes) + 3) / 4)
volatile uint32_t window[WORDS(WINDOW_BYTES)], output[WORDS(OUTPUT_BYTES)];

int main(void)
{
#ifdef MODEL
    call((const void *)window, (void *)output);
#else
    output[0] = window[0];
#endif
    return 0;
}
