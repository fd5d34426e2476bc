/* The floor of a deadline: a record linked into a list among many, by its time, and taken out. The
 * list is the slot of a wheel with as many slots as a timer that far ahead needs. "none": a record
 * on top of a stack of records, and off again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/bench.h"

#define SLOTS 4096
#define SLOT_NS UINT64_C(1000000000)

struct timer {
    struct timer *next, **link; /* who points here */
    uint64_t due;
};

struct scope {
    struct scope *outer;
    struct timer timer;
};

static struct timer *wheel[SLOTS];
static struct scope *innermost;

BENCH_INLINE void arm(struct timer *timer, uint64_t due) {
    struct timer **const slot = &wheel[due / SLOT_NS % SLOTS];
    timer->due = due;
    timer->next = *slot;
    timer->link = slot;
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    *slot = timer;
}

BENCH_INLINE void disarm(struct timer *timer) {
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
}

BENCH_INLINE void open_scope(struct scope *scope) {
    scope->outer = innermost;
    innermost = scope;
    BENCH_UNIQUE(inside); /* what a scope is for would stand here */
}

BENCH_INLINE void close_scope(const struct scope *scope) {
    innermost = scope->outer;
}

static void without_deadline(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        struct scope scope;
        open_scope(&scope);
        close_scope(&scope);
    }
}

static void far_deadline(uint64_t count, void *arg) {
    const uint64_t *due = arg;
    for (; count != 0; --count) {
        struct scope scope;
        arm(&scope.timer, *due);
        open_scope(&scope);
        close_scope(&scope);
        disarm(&scope.timer);
    }
}

static void deadline_from_clock(uint64_t count, void *arg) {
    for (; count != 0; --count) {
        uint64_t due = bench_clock() + 30 * SLOT_NS;
        far_deadline(1, &due);
    }
    (void)arg;
}

static void measure(const char *name) {
    uint64_t due = bench_clock() + 30 * SLOT_NS;
    bench_op op = far_deadline;
    if (strcmp(name, "none") == 0)
        op = without_deadline;
    else if (strcmp(name, "clock") == 0)
        op = deadline_from_clock;
    const size_t outstanding = *name >= '0' && *name <= '9' ? bench_number(name, NULL) : 0;
    struct timer *others = calloc(outstanding + 1, sizeof *others);
    if (others == NULL)
        bench_die("calloc", ENOMEM);
    for (size_t i = 0; i < outstanding; ++i)
        arm(&others[i], due + (570 + (uint32_t)i * UINT32_C(2654435761) % 3600) * SLOT_NS);
    bench_report(name, "ns", bench_ns(op, &due));
    for (size_t i = 0; i < outstanding; ++i)
        disarm(&others[i]);
    free(others);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        measure(argv[i]);
    return 0;
}
