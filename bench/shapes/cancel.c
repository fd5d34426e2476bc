/* What it costs to cancel: N tasks asleep, which are then cancelled and waited for.
 *
 * A case is N. Figures, each per task: the time to cancel all of them, then until all have run and
 * been joined, and both together: some do in the one what others do in the other. */
#include SUBJECT

#include <stdio.h>

#ifndef SUBJECT_CANCEL
int main(void) {
    fprintf(stderr, "it cannot cancel a task\n");
    return BENCH_CANNOT;
}
#else
static size_t expected, asleep;
static uint64_t cancelled_at, cut_ns;

/* The last to get there does not sleep, but cancels the others. */
static int sleeper(void *arg) {
    (void)arg;
    if (__atomic_add_fetch(&asleep, 1, __ATOMIC_RELAXED) <= expected) {
        subject_sleep(UINT64_C(3600) * 1000000000);
        return 0;
    }
    const uint64_t start = bench_clock();
    subject_cancel();
    cancelled_at = bench_clock();
    cut_ns = cancelled_at - start;
    return 0;
}

static void report(const char *what, uint64_t ns) {
    char name[64];
    snprintf(name, sizeof name, "%zu %s", expected, what);
    bench_report(name, "ns", (double)ns / (double)expected);
}

static void measure(void *arg) {
    (void)arg;
    subject_all(expected + 1, sleeper);
    const uint64_t join_ns = bench_clock() - cancelled_at;
    report("cut", cut_ns);
    report("join", join_ns);
    report("both", cut_ns + join_ns);
}

int main(int argc, char **argv) {
    if (argc != 2)
        bench_die("usage: cancel-SUBJECT TASKS", 0);
    bench_pin("BENCH_CPU");
    expected = bench_number(argv[1], NULL);
    subject_enter(measure, NULL);
    return 0;
}
#endif
