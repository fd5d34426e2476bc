/* Many tasks that sleep for different times at once.
 *
 * A case is their number. Each sleeps once, for a time drawn from 0.1 to 1.1 seconds, the same for
 * every subject. Figures: CPU time of the process in all, a task; and from when the last of them
 * was started, a task that was asleep then: where those that were started first sleep while others
 * still are, half may have woken by then. */
#include SUBJECT

#include <stdio.h>

static size_t begun, woken, woken_before, expected;
static uint64_t cpu_started;

static int sleeper(void *arg) {
    const uint64_t draw = ((uint64_t)(size_t)arg * UINT64_C(0x9e3779b97f4a7c15)) >> 40;
    if (__atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED) == expected) {
        woken_before = __atomic_load_n(&woken, __ATOMIC_RELAXED);
        cpu_started = bench_cpu();
    }
    subject_sleep(UINT64_C(100000000) + draw * UINT64_C(1000000000) / (UINT64_C(1) << 24));
    __atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
    return 0;
}

static void measure(void *arg) {
    (void)arg;
    subject_all(expected, sleeper);
}

static void report(const char *what, uint64_t ns, size_t tasks) {
    char name[64];
    snprintf(name, sizeof name, "%zu %s", expected, what);
    bench_report(name, "ns", (double)ns / (double)tasks);
}

int main(int argc, char **argv) {
    if (argc != 2)
        bench_die("usage: sleep-SUBJECT TASKS", 0);
    bench_pin("BENCH_CPU");
    expected = bench_number(argv[1], NULL);
    const uint64_t begin = bench_cpu();
    subject_enter(measure, NULL);
    const uint64_t end = bench_cpu();
    if (woken != expected)
        bench_die("not all have woken", 0);
    report("in all", end - begin, expected);
    report("once started", end - cpu_started, expected - woken_before);
    return 0;
}
