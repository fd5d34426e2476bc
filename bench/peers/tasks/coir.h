/* Coir at its default settings: tasks in a scope, without handles. */
#include "../coir.h"

#include "../../lib/tasks.h"

#define SUBJECT_PARK
#define SUBJECT_DEADLINE

struct enter {
    void (*fn)(void *arg);
    void *arg;
};

static int enter_task(void *arg) {
    const struct enter *enter = arg;
    enter->fn(enter->arg);
    return 0;
}

BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg) {
    struct enter enter = {fn, arg};
    bench_check("coir_run", coir_run(enter_task, &enter));
}

BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg)) {
    COIR_SCOPE(scope);
    for (size_t i = 0; i < count; ++i)
        bench_check("coir_spawn", coir_spawn(&scope, fn, (void *)i));
    bench_check("coir_scope_close", coir_scope_close(&scope, 0));
}

BENCH_INLINE void subject_yield(void) {
    (void)coir_yield();
}

BENCH_SOME void subject_sleep(uint64_t ns) {
    bench_check("coir_sleep", coir_sleep((coir_time)ns));
}

typedef coir_waiter subject_waiter;

BENCH_INLINE void subject_park(subject_waiter *waiter) {
    *waiter = (coir_waiter){.what = "a wake"};
    bench_check("coir_park", coir_park(waiter));
}

BENCH_INLINE void subject_wake(subject_waiter *waiter) {
    bench_check("coir_unpark", coir_unpark(waiter, 0));
}

BENCH_SOME void subject_deadline(uint64_t count, void *arg) {
    const coir_time deadline = coir_after(COIR_SEC(30));
    (void)arg;
    for (; count != 0; --count) {
        COIR_SCOPE(scope, .deadline = deadline);
        bench_check("coir_scope_close", coir_scope_close(&scope, 0));
    }
}
