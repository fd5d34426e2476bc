/* Start, run and end of a task that does nothing, and waiting for it.
 *
 * A case is how many are started before they are waited for ("1", "100", "100000"). The unit is one
 * task. */
#include SUBJECT

static size_t tasks_run; /* proof that they did */

static int nothing(void *arg) {
    (void)arg;
    ++tasks_run;
    return 0;
}

static void batches(uint64_t count, void *arg) {
    for (; count != 0; --count)
        subject_all(*(const size_t *)arg, nothing);
}

static void measure(void *arg) {
    const char *name = (const char *)arg;
    size_t tasks = bench_number(name, NULL);
    const double ns = bench_ns(batches, &tasks);
    if (tasks_run < tasks)
        bench_die("tasks have not run", 0);
    bench_report(name, "ns", ns / (double)tasks);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        subject_enter(measure, argv[i]);
    return 0;
}
