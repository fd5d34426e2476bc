/* A gather of calls that do nothing but return a result of their own.
 *
 * A case is the number of calls. The unit is one call: started, run, and its result collected. */
#include <coir.h>

#include "lib/bench.h"

#define CALLS_MAX 4000 /* what the stack cache holds at its default */

static struct {
    size_t count;
    coir_call calls[CALLS_MAX];
} all;

static int work(void *arg) {
    return (int)(size_t)arg;
}

static void gather(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        bench_check("coir_gather", coir_gather(all.calls, all.count, COIR_FAIL_FAST));
        if (all.calls[all.count - 1].rc != (int)all.count - 1)
            bench_die("a result is missing", 0);
    }
}

static int app(void *arg) {
    all.count = bench_number(arg, NULL);
    if (all.count == 0 || all.count > CALLS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < all.count; ++i)
        all.calls[i] = (coir_call)COIR_CALL(work, (void *)i);
    bench_report(arg, "ns", bench_ns(gather, NULL) / (double)all.count);
    return 0;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        bench_check(argv[i], coir_run(app, argv[i]));
    return 0;
}
