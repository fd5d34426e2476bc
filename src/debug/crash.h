/* What is said of a program that dies of a signal while tasks run. Called in the handler, with the
 * signal unblocked: where the stack or the program's files are damaged, a report may fault itself.
 */
#ifndef COIR_DEBUG_CRASH_H
#define COIR_DEBUG_CRASH_H

#include "arch/registers.h"
#include "core/runtime.h"

/* The running task has overflowed its stack. */
void coir__crash_tell_overflow(const struct coir__runtime *rt, const ucontext_t *context);
/* The runtime's thread has got a signal that ends the program, or, if `handled`, is for the
 * program's own handler. */
void coir__crash_tell(const struct coir__runtime *rt, const siginfo_t *info,
                      const ucontext_t *context, bool handled);
/* Where the running task, or the loop, is: after a message that has said what was wrong. */
void coir__crash_tell_place(const struct coir__runtime *rt, const ucontext_t *context);

/* All that can be said when saying more has failed. */
void coir__crash_tell_least(const siginfo_t *info, const ucontext_t *context);

#endif
