/* Not inlined: its variables would lie on the stack beside those of all others. */
#ifdef __GNUC__
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME
#endif
