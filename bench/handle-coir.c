/* Tasks with handles: started, joined one by one, and the scope closed.
 *
 * A case is the number of tasks a scope ("1", "100"). The unit is one task. */
#include <coir.h>

#include "lib/bench.h"

#define BATCH_MAX 4000 /* what the stack cache holds at its default */

static size_t children_run; /* proof that they did */

static int child(void *arg) {
    (void)arg;
    ++children_run;
    return 0;
}

static void handle_batches(uint64_t count, void *arg) {
    static coir_task tasks[BATCH_MAX];
    const size_t *children = arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope);
        for (size_t i = 0; i < *children; ++i)
            bench_check("coir_spawn_task", coir_spawn_task(&scope, child, NULL, &tasks[i]));
        for (size_t i = 0; i < *children; ++i)
            bench_check("coir_join", coir_join(tasks[i], NULL));
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}

static int app(void *arg) {
    size_t children = bench_number(arg, NULL);
    if (children == 0 || children > BATCH_MAX)
        return -EINVAL;
    children_run = 0;
    const double ns = bench_ns(handle_batches, &children);
    if (children_run == 0)
        return -ECHILD;
    bench_report(arg, "ns", ns / (double)children);
    return 0;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        bench_check(argv[i], coir_run(app, argv[i]));
    return 0;
}
