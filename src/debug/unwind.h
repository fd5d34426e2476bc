/* Backtraces by libunwind, which reads the tables that compilers emit for exceptions and knows the
 * callers of functions without frame pointers too.
 *
 * It is loaded when it is first wanted, if the system has it. To link with it would make every
 * program need it, and would hand the exceptions of C++ programs to it, which exports the functions
 * of the compiler's own unwinder; a program that is linked statically does without.
 *
 * It makes two system calls a frame (for a lock), half a microsecond. What it finds out about the
 * frame of a call depends on nothing but the address and the registers there, mostly in the
 * simplest way: so that is remembered as a rule, and it is asked once for each place in the program
 * rather than for each task that waits there. */
#ifndef COIR_DEBUG_UNWIND_H
#define COIR_DEBUG_UNWIND_H

#include "debug/backtrace.h"

#define COIR_RULES 1024

/* How to go from a frame to the one around it, by the return address in the former. The frame's end
 * is the stack pointer of its caller. */
struct coir__rule {
    uintptr_t pc;
    uint32_t size;    /* from the stack pointer to the end */
    uint32_t fp_size; /* from the frame pointer to the end; 0 if that does not lie in the frame */
    uint32_t fp_slot; /* how far below the end the caller's frame pointer is saved; 0: it is not */
    uint32_t pc_slot; /* the same for the return address */
};

struct coir__unwinder {
    ucontext_t registers; /* where a walk of the library began */
    uint64_t cursor[4096];
    struct coir__rule rules[COIR_RULES];
};

/* The frames of a suspended task. False, with those found so far, if it could not get to its base.
 */
bool coir__unwind(struct coir__unwinder *unwinder, const struct coir__task *task,
                  struct coir__trace *out);

#endif
