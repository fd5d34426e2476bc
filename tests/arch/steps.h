/* Single steps: a function of one's own is called before each instruction, as a profiler's signal
 * may strike there.
 *
 * On x86_64 the processor does it (the trap flag), for all code. On aarch64 a program cannot ask
 * for that: there breakpoints take turns in arch/aarch64/switch.S, so that only its instructions
 * are seen. */
#ifndef TESTS_ARCH_STEPS_H
#define TESTS_ARCH_STEPS_H

#include <signal.h> /* ucontext_t */
#include <stdbool.h>
#include <stdint.h>

/* Skips the test, and says why, where there are no single steps. */
void need_steps(void);

/* From here on, for each instruction: called in a signal handler, on the stack that is in use. */
void steps_begin(void (*each)(ucontext_t *at));
void steps_end(void);

/* Whether code other than the switch is seen too. */
bool steps_everywhere(void);

uintptr_t pc_of(const ucontext_t *at);
uintptr_t sp_of(const ucontext_t *at);
/* Overwrites what lies below the stack pointer and above what the signal has put there, where there
 * is such room. For code that keeps nothing there: an unwinder must not look there either. */
void spoil_below_sp(const ucontext_t *at);

#endif
