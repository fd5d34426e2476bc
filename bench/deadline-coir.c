/* A deadline armed and disarmed: a scope opened with one that lies far ahead, and closed at once.
 *
 * A case is the number of other timers outstanding meanwhile ("0", "1000": that many tasks asleep),
 * or "none" (a scope without a deadline, for comparison), or "clock" (the deadline computed anew
 * from the clock each time, as a program does it). The unit is one scope. One case a process, which
 * ends without waking those that sleep. */
#include <coir.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bench.h"

static void without_deadline(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope);
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}

static void far_deadline(uint64_t count, void *arg) {
    const coir_time *deadline = arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope, .deadline = *deadline);
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}

static void deadline_from_clock(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope, .deadline = coir_after(COIR_SEC(30)));
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}

/* Spread over an hour, all of them after the end of the run. */
static int sleeper(void *arg) {
    const coir_time spread = COIR_MS((uint32_t)((size_t)arg * UINT32_C(2654435761)) % 3600000u);
    return coir_sleep(COIR_SEC(600) + spread);
}

static void measure(const char *name) {
    coir_time deadline = coir_after(COIR_SEC(30));
    bench_op op = far_deadline;
    if (strcmp(name, "none") == 0)
        op = without_deadline;
    else if (strcmp(name, "clock") == 0)
        op = deadline_from_clock;
    const double ns = bench_ns(op, &deadline);
    bench_report(name, "ns", ns);
}

static int app(void *arg) {
    const char *name = arg;
    const size_t outstanding = *name >= '0' && *name <= '9' ? bench_number(name, NULL) : 0;
    COIR_SCOPE(scope, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < outstanding; ++i)
        COIR_TRY(coir_spawn(&scope, sleeper, (void *)i));
    COIR_TRY(coir_yield()); /* so that they sleep */
    measure(name);
    _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv) {
    if (argc != 2)
        bench_die("usage: deadline-coir CASE", 0);
    bench_pin("BENCH_CPU");
    bench_check(argv[1], coir_run(app, argv[1]));
    return 0;
}
