/* Must die: a task whose stack has no guard, as on a system where too many of them are in use
 * already, writes below its lowest byte. The canary is found gone when the task next waits; with an
 * argument it does not, and ends. */
#include <coir.h>

#include "core/runtime.h"

static int overflow_a_little(void *arg) {
    volatile char *const lowest = (volatile char *)coir__rt->current->shadow.low;
    for (int i = 0; i < 64; i++)
        lowest[i] = 1;
    return arg == NULL ? coir_yield() : 0;
}

static int app(void *arg) {
    coir__rt->stacks.guard_kind = 0;   /* one by one ... */
    coir__rt->stacks.guard_budget = 0; /* ... and no more of them */
    COIR_SCOPE(s);
    COIR_TRY(
        coir_spawn_with(&s, overflow_a_little, arg,
                        &(const coir_spawn_options){.name = "leaky", .stack_size_bytes = 2 << 20}));
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    return coir_run(app, argc > 1 ? argv[1] : NULL) < 0;
}
