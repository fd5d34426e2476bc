/* The bare switch: two stacks, one jump, nothing else. For schedulers of one's own, and to measure
 * what a switch costs. Works with and without the runtime (the runtime itself is built on it).
 *
 * A context is a suspended flow of control: a stack pointer to a saved frame (arch/README.md draws
 * it). Switching saves the callee-saved registers of the ABI. The floating-point control words
 * (MXCSR and x87 control word, FPCR) belong to the thread and are not switched. */
#ifndef COIR_CONTEXT_H
#define COIR_CONTEXT_H

#include "base.h"

COIR_BEGIN_DECLS

typedef struct coir_context {
    void *sp; /* where the saved frame lies while the context is suspended */
} coir_context;

/* The first function on a fresh stack. `value` is what the first switch to it passed, `arg` what
 * coir_context_init was given. Must never return: there is nothing to return to (it traps). */
typedef void (*coir_context_fn)(void *value, void *arg);

/* Prepares `context` so that the first switch to it calls fn(value, arg) on the given stack. The
 * stack is the caller's: at least 1024 bytes, best with a guard below, alive as long as the
 * context is used; on OpenBSD mapped with MAP_STACK, as every stack there. What Valgrind or a
 * sanitizer has to know of it, and of the switches, the caller tells them. Errors: -EINVAL for NULL
 * or a stack that is too small. Never parks. */
COIR_API COIR_MUST_CHECK int coir_context_init(coir_context *context, void *stack,
                                               size_t stack_size_bytes, coir_context_fn fn,
                                               void *arg);

/* Suspends the caller into `from` and resumes `to`. Returns the `value` with which somebody later
 * resumes `from`. `from` and `to` must differ, and `to` must be suspended on this thread: neither
 * is checked, this is some twenty instructions. */
COIR_API void *coir_context_switch(coir_context *from, const coir_context *to, void *value);

COIR_END_DECLS

#endif
