/* Run windows on an emulated Cortex-M; files and numbers pass through semihosting.
 *
 * Under -icount shift=0 every instruction takes a nanosecond, so that SysTick counts instructions, so many a tick; how
 * many is counted by a loop of known length. */
#include <stdint.h>
#include "entry.h"

#define WORDS(bytes) (((bytes) + 3) / 4)
#define SYSTICK ((volatile uint32_t *)0xE000E010)
#define PAINT 0xC0FFEE11u
#define LOOPS 1000000u

extern uint32_t bss_end;
static uint32_t window[WORDS(WINDOW_BYTES)], output[WORDS(OUTPUT_BYTES)];
/* Ticks of the loop, bytes of stack, windows; then ticks of all windows, and of each mark. */
static uint32_t counts[3];
static uint64_t ticks[1 + MARKS + 1];

static int semihost(int operation, const void *argument)
{
    register int r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int open_file(const char *name, uint32_t length, uint32_t mode)
{
    uint32_t block[3];
    block[0] = (uint32_t)name;
    block[1] = mode;
    block[2] = length;
    return semihost(1, block);
}

/* Returns the bytes that were not transferred. */
static int transfer(int operation, int file, void *data, uint32_t bytes)
{
    uint32_t block[3];
    block[0] = (uint32_t)file;
    block[1] = (uint32_t)data;
    block[2] = bytes;
    return semihost(operation, block);
}

static uint32_t since(uint32_t then)
{
    return (then - SYSTICK[2]) & 0xffffff;
}

#if MARKS
static int current;
static uint32_t began;

void mark(int block)
{
    uint32_t spent = since(began);
    if (current <= MARKS) {
        ticks[1 + current] += spent;
    }
    current = block;
    began = SYSTICK[2];
}
#endif

__attribute__((noinline)) static uint32_t *stack_pointer(void)
{
    uint32_t *sp;
    __asm volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

int main(void)
{
    int windows = open_file("windows.bin", 11, 1), outputs = open_file("outputs.bin", 11, 5), file;
    uint32_t loops = LOOPS, then, *sp = stack_pointer(), *p;
    SYSTICK[1] = 0xffffff;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
    then = SYSTICK[2];
    __asm volatile(".syntax unified\n1: subs %0, %0, #1\nbne 1b" : "+l"(loops) : : "cc");
    counts[0] = since(then);
    while (transfer(6, windows, window, WINDOW_BYTES) == 0) {
        if (counts[2] == 0) {
            for (p = &bss_end; p < sp - 16; ++p) {
                *p = PAINT;
            }
        }
#if MARKS
        current = MARKS;
        began = SYSTICK[2];
#endif
        then = SYSTICK[2];
        call(window, output);
        ticks[0] += since(then);
#if MARKS
        mark(MARKS);
#endif
        if (counts[2]++ == 0) {
            for (p = &bss_end; *p == PAINT && p < sp; ++p) {
            }
            counts[1] = (uint32_t)((char *)sp - (char *)p);
        }
        transfer(5, outputs, output, OUTPUT_BYTES);
    }
    file = open_file("counts.bin", 10, 5);
    transfer(5, file, counts, sizeof counts);
    transfer(5, file, ticks, sizeof ticks);
    {
        uint32_t stop[2] = {0x20026, 0};
        semihost(0x20, stop);
        semihost(0x18, (const void *)0x20026);
    }
    return 0;
}
