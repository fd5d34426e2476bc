/* Boost.Context as a switch, through the C functions of its library. It saves the callee-saved
 * registers and the floating-point control words. */
#ifndef BENCH_BOOST_H
#define BENCH_BOOST_H

#include <stddef.h>

#include "../lib/bench.h"
#include "../lib/context.h"

#define CONTEXT_KEEPS_FP

typedef struct {
    void *context; /* of the side that switched here */
    void *data;    /* what it passed */
} boost_transfer;

extern boost_transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *stack_top, size_t size_bytes, void (*fn)(boost_transfer));

struct context {
    void *suspended;
    struct context *from; /* who switched here last */
    context_fn fn;
    void *arg;
};

/* What the library passes is the side it arrives at, which has to store the other one. */
BENCH_INLINE struct context *context_arrive(boost_transfer transfer) {
    struct context *self = (struct context *)transfer.data;
    self->from->suspended = transfer.context;
    return self;
}

BENCH_INLINE void context_switch(struct context *from, struct context *to) {
    to->from = from;
    (void)context_arrive(jump_fcontext(to->suspended, to));
}

static void context_entry(boost_transfer transfer) {
    const struct context *self = context_arrive(transfer);
    self->fn(self->arg);
}

BENCH_SOME void context_make(struct context *context, void *stack, size_t size_bytes, context_fn fn,
                             void *arg) {
    context->fn = fn;
    context->arg = arg;
    context->suspended = make_fcontext((char *)stack + size_bytes, size_bytes, context_entry);
}

#endif
