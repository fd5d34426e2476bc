/* The bare switch of coir/context.h. */
#ifndef BENCH_COIR_H
#define BENCH_COIR_H

#include <coir.h>

#include "../lib/bench.h"
#include "../lib/context.h"

struct context {
    coir_context suspended;
    context_fn fn;
};

static void context_entry(void *value, void *arg) {
    const struct context *self = value;
    self->fn(arg);
}

BENCH_SOME void context_make(struct context *context, void *stack, size_t size_bytes, context_fn fn,
                             void *arg) {
    context->fn = fn;
    const int rc = coir_context_init(&context->suspended, stack, size_bytes, context_entry, arg);
    if (rc < 0)
        bench_die("coir_context_init", rc);
}

BENCH_INLINE void context_switch(struct context *from, struct context *to) {
    coir_context_switch(&from->suspended, &to->suspended, to);
}

#endif
