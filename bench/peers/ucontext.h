/* The C library's own switch, swapcontext: the portable one, once of POSIX. It keeps the
 * floating-point environment and, by a system call at each switch, the signal mask. */
#ifndef BENCH_UCONTEXT_H
#define BENCH_UCONTEXT_H

#include <errno.h>
#include <stdint.h>
#include <ucontext.h>

#include "../lib/bench.h"
#include "../lib/context.h"

#define CONTEXT_KEEPS_FP

struct context {
    ucontext_t suspended;
    context_fn fn;
    void *arg;
};

/* makecontext passes on ints only. */
static void context_entry(unsigned high, unsigned low) {
    const struct context *self =
        (const struct context *)(uintptr_t)((uint64_t)high << 32 | (uint64_t)low);
    self->fn(self->arg);
}

BENCH_SOME void context_make(struct context *context, void *stack, size_t size_bytes, context_fn fn,
                             void *arg) {
    const uint64_t address = (uint64_t)(uintptr_t)context;
    if (getcontext(&context->suspended) != 0)
        bench_die("getcontext", errno);
    context->fn = fn;
    context->arg = arg;
    context->suspended.uc_stack.ss_sp = stack;
    context->suspended.uc_stack.ss_size = size_bytes;
    context->suspended.uc_link = NULL;
    makecontext(&context->suspended, (void (*)(void))context_entry, 2, (unsigned)(address >> 32),
                (unsigned)address);
}

BENCH_INLINE void context_switch(struct context *from, struct context *to) {
    (void)swapcontext(&from->suspended, &to->suspended);
}

#endif
