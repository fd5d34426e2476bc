/* The shape of the yield measure: tasks that do nothing but yield, first in, first out.
 *
 * A case is the number of tasks, alone ("1000": all yield from one call site) or with "-mixed"
 * ("1000-mixed": from eight functions in turn, as the tasks of a real program do). The unit is one
 * yield of one task.
 *
 * A subject defines, before it includes this file:
 *   BENCH_INLINE void subject_yield(void);
 *   static void subject_run(size_t tasks);   runs yield_body((void *)i) for i from 0 to tasks - 1,
 *                                            task 0 first, and returns when all have ended
 * and calls yield_main from main. */
#ifndef BENCH_YIELD_H
#define BENCH_YIELD_H

#include <string.h>

#include "bench.h"

static int yield_body(void *arg);
static void subject_run(size_t tasks);

#define YIELD_TURNS(n)                                                                             \
    static BENCH_KEEP void yield_turns_##n(uint64_t count) {                                       \
        for (; count != 0; --count) {                                                              \
            subject_yield();                                                                       \
            BENCH_UNIQUE(turns_##n);                                                               \
        }                                                                                          \
    }

YIELD_TURNS(0)
YIELD_TURNS(1)
YIELD_TURNS(2)
YIELD_TURNS(3)
YIELD_TURNS(4)
YIELD_TURNS(5)
YIELD_TURNS(6)
YIELD_TURNS(7)

typedef void (*yield_turns)(uint64_t count);

static const yield_turns yield_functions[8] = {
    yield_turns_0, yield_turns_1, yield_turns_2, yield_turns_3,
    yield_turns_4, yield_turns_5, yield_turns_6, yield_turns_7,
};

static struct {
    bool mixed;
    bool over;
    uint64_t turns; /* how often each task yields before it looks here again */
    double ns;      /* what one turn of all tasks takes */
} yield_state;

static yield_turns yield_function(size_t task) {
    return yield_functions[yield_state.mixed ? task % 8 : 0];
}

/* Task 0 keeps time: tasks run in turn, so while it yields n times, each of the others does. */
static void yield_lead(uint64_t count, void *arg) {
    (void)arg;
    yield_state.turns = count;
    yield_function(0)(count);
}

static int yield_body(void *arg) {
    const size_t task = (size_t)arg;
    if (task == 0) {
        yield_state.ns = bench_ns(yield_lead, NULL);
        yield_state.over = true;
    }
    while (!yield_state.over)
        yield_function(task)(yield_state.turns);
    return 0;
}

static int yield_main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i) {
        const char *rest;
        const size_t tasks = bench_number(argv[i], &rest);
        yield_state.mixed = strcmp(rest, "-mixed") == 0;
        yield_state.over = false;
        yield_state.turns = 1;
        subject_run(tasks);
        bench_report(argv[i], "ns", yield_state.ns / (double)tasks);
    }
    return 0;
}

#endif
