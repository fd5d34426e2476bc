/* What it costs to cancel: N tasks asleep in one scope, which is then cancelled and closed.
 *
 * A case is N. Figures, each per task: the time to cut all of them, then to run and join them, and
 * both together. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bench.h"

struct figures {
    size_t tasks;
    size_t parked, cut; /* tasks that got there */
    uint64_t cut_ns, join_ns;
};

static int sleeper(void *arg) {
    struct figures *figures = arg;
    ++figures->parked;
    const int rc = coir_sleep(COIR_SEC(3600));
    figures->cut += rc == -ECANCELED;
    return rc;
}

static int app(void *arg) {
    struct figures *figures = arg;
    COIR_SCOPE(scope, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < figures->tasks; ++i)
        COIR_TRY(coir_spawn(&scope, sleeper, figures));
    while (figures->parked < figures->tasks)
        COIR_TRY(coir_yield());
    uint64_t start = bench_clock();
    coir_scope_cancel(&scope);
    figures->cut_ns = bench_clock() - start;
    start = bench_clock();
    const int rc = coir_scope_close(&scope, 0);
    figures->join_ns = bench_clock() - start;
    return rc;
}

static void report(const struct figures *figures, const char *what, const char *unit,
                   double total) {
    char name[64];
    snprintf(name, sizeof name, "%zu %s", figures->tasks, what);
    bench_report(name, unit, total / (double)figures->tasks);
}

int main(int argc, char **argv) {
    if (argc != 2)
        bench_die("usage: cancel-coir TASKS", 0);
    bench_pin("BENCH_CPU");
    struct figures figures = {.tasks = bench_number(argv[1], NULL)};
    const int rc = coir_run(app, &figures);
    if (rc < 0)
        bench_die("cancel", rc);
    if (figures.cut != figures.tasks)
        bench_die("not every task was cut out of its sleep", 0);

    report(&figures, "cut", "ns", (double)figures.cut_ns);
    report(&figures, "join", "ns", (double)figures.join_ns);
    report(&figures, "both", "ns", (double)(figures.cut_ns + figures.join_ns));
    return 0;
}
