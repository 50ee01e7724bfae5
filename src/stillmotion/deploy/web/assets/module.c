/* What the page calls, and the functions of string.h. */
#include <string.h>

#include "${NAME}.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static float sample_[${MACRO}_CHANNELS], logits_[${MACRO}_CLASSES], probabilities_[${MACRO}_CLASSES];

EXPORT(sample) float *page_sample(void) { return sample_; }
EXPORT(logits) float *page_logits(void) { return logits_; }
EXPORT(probabilities) float *page_probabilities(void) { return probabilities_; }
EXPORT(init) void page_init(void) { ${NAME}_init(); }
EXPORT(push) int page_push(void) { return ${NAME}_push(sample_); }

EXPORT(answer) void page_answer(void)
{
    ${NAME}_logits(logits_);
    ${NAME}_probabilities(logits_, probabilities_);
}

void *memcpy(void *to, const void *from, size_t count)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    while (count--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t <= f)
        return memcpy(to, from, count);
    while (count--)
        t[count] = f[count];
    return to;
}

void *memset(void *to, int value, size_t count)
{
    unsigned char *t = to;
    while (count--)
        *t++ = (unsigned char)value;
    return to;
}
