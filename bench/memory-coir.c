/* What a parked task costs at the default settings: N tasks asleep at once, then cut and joined.
 *
 * A case is N. Figures, each per task: bytes resident and bytes of page tables while all are
 * parked, the most that was resident at any time of the run, and the time to spawn (up to its
 * sleep), to cut and to join. One case a process: the peak is the process's. */
#include <coir.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bench.h"

#define BYTES_NEEDED 6000 /* per task, before it is tried */

struct figures {
    size_t tasks;
    size_t parked, cut; /* tasks that got there */
    struct bench_memory before, during, after;
    uint64_t spawn_ns, cut_ns, join_ns;
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
    bench_memory_read(&figures->before);
    uint64_t start = bench_clock();
    for (size_t i = 0; i < figures->tasks; ++i)
        COIR_TRY(coir_spawn(&scope, sleeper, figures));
    while (figures->parked < figures->tasks)
        COIR_TRY(coir_yield());
    figures->spawn_ns = bench_clock() - start;
    bench_memory_read(&figures->during);

    start = bench_clock();
    coir_scope_cancel(&scope);
    figures->cut_ns = bench_clock() - start;
    start = bench_clock();
    const int rc = coir_scope_close(&scope, 0);
    figures->join_ns = bench_clock() - start;
    bench_memory_read(&figures->after);
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
        bench_die("usage: memory-coir TASKS", 0);
    bench_pin("BENCH_CPU");
    struct figures figures = {.tasks = bench_number(argv[1], NULL)};
    if (bench_memory_available() < BYTES_NEEDED * (double)figures.tasks) {
        fprintf(stderr, "%s tasks need %.1f GB of free memory\n", argv[1],
                BYTES_NEEDED * (double)figures.tasks / 1e9);
        return BENCH_CANNOT;
    }
    const int rc = coir_run(app, &figures);
    if (rc < 0)
        bench_die("memory", rc);
    if (figures.cut != figures.tasks)
        bench_die("not every task was cut out of its sleep", 0);

    report(&figures, "resident", "bytes", figures.during.resident - figures.before.resident);
    report(&figures, "page tables", "bytes",
           figures.during.page_tables - figures.before.page_tables);
    report(&figures, "peak", "bytes", figures.after.peak - figures.before.resident);
    report(&figures, "spawn", "ns", (double)figures.spawn_ns);
    report(&figures, "cut", "ns", (double)figures.cut_ns);
    report(&figures, "join", "ns", (double)figures.join_ns);
    return 0;
}
