/* Boost.Context as a switch, through the C functions of its library. It saves the callee-saved
 * registers and the floating-point control words. */
#ifndef BENCH_BOOST_H
#define BENCH_BOOST_H

#include <stddef.h>

#include "../lib/bench.h"
#include "../lib/context.h"

typedef struct {
    void *context; /* of the side that switched here */
    void *data;    /* what it passed */
} boost_transfer;

extern boost_transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *stack_top, size_t size_bytes, void (*fn)(boost_transfer));

struct context {
    void *suspended;
    context_fn fn;
    void *arg;
};

/* What the library passes is {from, to}: the side it comes from must be stored by the side it
 * arrives at. */
BENCH_INLINE void context_arrive(boost_transfer transfer) {
    struct context *from = transfer.data;
    from->suspended = transfer.context;
}

BENCH_INLINE void context_switch(struct context *from, struct context *to) {
    context_arrive(jump_fcontext(to->suspended, from));
}

/* Started once from context_make, to be told which context it is. */
static void context_entry(boost_transfer transfer) {
    const struct context *self = transfer.data;
    context_arrive(jump_fcontext(transfer.context, NULL));
    self->fn(self->arg);
}

static void context_make(struct context *context, void *stack, size_t size_bytes, context_fn fn,
                         void *arg) {
    void *fresh = make_fcontext((char *)stack + size_bytes, size_bytes, context_entry);
    context->fn = fn;
    context->arg = arg;
    context->suspended = jump_fcontext(fresh, context).context;
}

#endif
