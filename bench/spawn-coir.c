/* Spawn, run and join of a child that does nothing, its stack coming from the cache.
 *
 * A case is the number of children a scope ("1": open, spawn, close; "100": open, spawn a hundred,
 * close), or with "-handle" the same with a handle for each, joined one by one before the close.
 * The unit is one child. */
#include <coir.h>
#include <string.h>

#include "lib/bench.h"

#define BATCH_MAX 4000 /* what the stack cache holds at its default */

struct batch {
    size_t children;
    bool handles;
};

static size_t children_run; /* proof that they did */

static int child(void *arg) {
    (void)arg;
    ++children_run;
    return 0;
}

static void plain_batches(uint64_t count, void *arg) {
    const struct batch *batch = arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope);
        for (size_t i = 0; i < batch->children; ++i)
            bench_check("coir_spawn", coir_spawn(&scope, child, NULL));
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}

static void handle_batches(uint64_t count, void *arg) {
    static coir_task tasks[BATCH_MAX];
    const struct batch *batch = arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope);
        for (size_t i = 0; i < batch->children; ++i)
            bench_check("coir_spawn_task", coir_spawn_task(&scope, child, NULL, &tasks[i]));
        for (size_t i = 0; i < batch->children; ++i)
            bench_check("coir_join", coir_join(tasks[i], NULL));
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}

static int app(void *arg) {
    const char *rest;
    struct batch batch = {.children = bench_number(arg, &rest)};
    batch.handles = strcmp(rest, "-handle") == 0;
    if (batch.children == 0 || batch.children > BATCH_MAX)
        return -EINVAL;
    children_run = 0;
    const double ns = bench_ns(batch.handles ? handle_batches : plain_batches, &batch);
    if (children_run == 0)
        return -ECHILD;
    bench_report(arg, "ns", ns / (double)batch.children);
    return 0;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        bench_check(argv[i], coir_run(app, argv[i]));
    return 0;
}
