/* Must die: a task whose stack has no guard, as on a system where too many of them are in use
 * already, writes below its lowest byte. The canary is found gone when the task next waits. */
#include <coir.h>

#include "core/runtime.h"

static int overflow_a_little(void *arg) {
    (void)arg;
    volatile char *const lowest = (volatile char *)coir__rt->current->shadow.low;
    for (int i = 0; i < 64; i++)
        lowest[i] = 1;
    return coir_yield();
}

static int app(void *arg) {
    (void)arg;
    coir__rt->stacks.guard_kind = 0;   /* one by one ... */
    coir__rt->stacks.guard_budget = 0; /* ... and no more of them */
    COIR_SCOPE(s);
    COIR_TRY(
        coir_spawn_with(&s, overflow_a_little, NULL,
                        &(const coir_spawn_options){.name = "leaky", .stack_size_bytes = 2 << 20}));
    return coir_scope_close(&s, 0);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
