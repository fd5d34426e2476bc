/* Link with: -luv
 * A timer of libuv started and stopped: its share of what a deadline takes. It has no scopes, and
 * its time is that of the loop's turn, so that "none" and "clock" are not its cases. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "../lib/bench.h"

static uv_timer_t timer;

static void fired(uv_timer_t *which) {
    (void)which;
    bench_die("a timer has fired", 0);
}

static void start(uv_timer_t *which, uint64_t ms) {
    if (uv_timer_init(uv_default_loop(), which) != 0 || uv_timer_start(which, fired, ms, 0) != 0)
        bench_die("uv_timer_start", 0);
}

static void start_and_stop(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        (void)uv_timer_start(&timer, fired, 30000, 0);
        (void)uv_timer_stop(&timer);
    }
}

static void measure(const char *name) {
    const size_t outstanding = bench_number(name, NULL);
    uv_timer_t *others = calloc(outstanding + 1, sizeof *others);
    if (others == NULL)
        bench_die("calloc", ENOMEM);
    for (size_t i = 0; i < outstanding; ++i)
        start(&others[i], 600000 + (uint32_t)i * UINT32_C(2654435761) % 3600000);
    start(&timer, 30000);
    bench_report(name, "ns", bench_ns(start_and_stop, NULL));
    for (size_t i = 0; i < outstanding; ++i)
        (void)uv_timer_stop(&others[i]);
    free(others);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i) {
        if (*argv[i] < '0' || *argv[i] > '9') {
            fprintf(stderr, "libuv has timers, but no scopes\n");
            return BENCH_CANNOT;
        }
        measure(argv[i]);
    }
    return 0;
}
