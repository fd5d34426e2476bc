/* What a parked task takes up: N tasks asleep at once.
 *
 * A case is N, or "N-grown": each has used 100 KB of its stack once before it sleeps. Figures, each
 * per task: bytes resident and bytes of page tables while all are parked, and the time to get
 * there. One case a process, which ends without waking them. */
#include SUBJECT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES_NEEDED 12000 /* per task, before it is tried */
#define GROWN_BYTES (100 * 1000)

static struct bench_memory before;
static uint64_t begin;
static size_t parked, expected;
static const char *setting;
static int grows;

static void report(const char *what, const char *unit, double total) {
    char name[64];
    snprintf(name, sizeof name, "%s %s", setting, what);
    bench_report(name, unit, total / (double)expected);
}

static void report_all(void) {
    struct bench_memory during;
    const uint64_t took = bench_clock() - begin;
    bench_memory_read(&during);
    report("resident", "bytes", during.resident - before.resident);
    report("page tables", "bytes", during.page_tables - before.page_tables);
    report("to park", "ns", (double)took);
    fflush(stdout);
    _exit(0);
}

static BENCH_KEEP void grow(void) {
    volatile char much[GROWN_BYTES];
    for (size_t i = 0; i < sizeof much; i += 64)
        much[i] = 1;
}

static int sleeper(void *arg) {
    (void)arg;
    if (grows)
        grow();
    if (++parked == expected)
        report_all(); /* the others sleep: this one is as good as parked */
    subject_sleep(UINT64_C(3600) * 1000000000);
    return 0;
}

static void measure(void *arg) {
    (void)arg;
    bench_memory_read(&before);
    begin = bench_clock();
    subject_all(expected, sleeper);
}

int main(int argc, char **argv) {
    const char *rest;
    if (argc != 2)
        bench_die("usage: park-SUBJECT TASKS[-grown]", 0);
    bench_pin("BENCH_CPU");
    setting = argv[1];
    expected = bench_number(argv[1], &rest);
    grows = strcmp(rest, "-grown") == 0;
    const double needed = (grows ? 2.0 * GROWN_BYTES : BYTES_NEEDED) * (double)expected;
    if (bench_memory_available() < needed) {
        fprintf(stderr, "%s tasks need %.1f GB of free memory\n", argv[1], needed / 1e9);
        return BENCH_CANNOT;
    }
    subject_enter(measure, NULL);
    bench_die("they have woken", 0);
    return 0;
}
