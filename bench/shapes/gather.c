/* Calls at once, and their results in order, by tasks that store what they come to.
 *
 * A case is the number of calls. The unit is one call: started, run, and its result collected. */
#include SUBJECT

#define CALLS_MAX 4000

static struct {
    size_t count;
    int results[CALLS_MAX];
} all;

static BENCH_KEEP int work(int arg) {
    BENCH_UNIQUE(work);
    return arg;
}

static int call(void *arg) {
    const size_t i = (size_t)arg;
    all.results[i] = work((int)i);
    return 0;
}

static void gather(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        all.results[all.count - 1] = -1;
        subject_all(all.count, call);
        if (all.results[all.count - 1] != (int)all.count - 1)
            bench_die("a result is missing", 0);
    }
}

static void measure(void *arg) {
    const char *name = (const char *)arg;
    all.count = bench_number(name, NULL);
    if (all.count == 0 || all.count > CALLS_MAX)
        bench_die("not so many calls", 0);
    bench_report(name, "ns", bench_ns(gather, NULL) / (double)all.count);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        subject_enter(measure, argv[i]);
    return 0;
}
