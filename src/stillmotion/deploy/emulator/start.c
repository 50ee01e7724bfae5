/* Start of a program on an emulated Cortex-M: vectors, memory, the floating-point unit where there is one. */
#include <stdint.h>

extern int main(void);
extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;

void start(void);
static void stop(void)
{
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) void *const vectors[16] = {
    &stack_top, (void *)start, (void *)stop, (void *)stop, (void *)stop, (void *)stop, (void *)stop, 0, 0, 0, 0,
    (void *)stop, (void *)stop, 0, (void *)stop, (void *)stop,
};

void start(void)
{
    uint32_t *from = &data_load, *to;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20;
    __asm volatile("dsb\nisb");
#endif
    for (to = &data_start; to < &data_end;) {
        *to++ = *from++;
    }
    for (to = &bss_start; to < &bss_end;) {
        *to++ = 0;
    }
    main();
    stop();
}
