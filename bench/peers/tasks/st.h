/* Link with: -lst
 * State Threads: joinable threads over epoll, on stacks that it caches and does not guard. */
#include <errno.h>
#include <st.h>
#include <stdlib.h>

#include "../../lib/tasks.h"

#define SUBJECT_STACK (128 * 1024)
#define SUBJECT_MUTEX
#define SUBJECT_CANCEL

struct st_call {
    int (*fn)(void *arg);
    size_t index;
    st_thread_t thread;
};

static struct {
    struct st_call *calls;
    size_t count;
} started;

static st_mutex_t the_mutex;

static void *st_body(void *arg) {
    const struct st_call *call = (const struct st_call *)arg;
    (void)call->fn((void *)call->index);
    return NULL;
}

BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg) {
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_init() != 0)
        bench_die("st_init", errno);
    the_mutex = st_mutex_new();
    fn(arg);
}

BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg)) {
    struct st_call *calls = (struct st_call *)calloc(count, sizeof *calls);
    if (calls == NULL)
        bench_die("calloc", errno);
    started.calls = calls;
    started.count = count;
    for (size_t i = 0; i < count; ++i) {
        calls[i].fn = fn;
        calls[i].index = i;
        calls[i].thread = st_thread_create(st_body, &calls[i], 1, SUBJECT_STACK);
        if (calls[i].thread == NULL)
            bench_die("st_thread_create", errno);
    }
    for (size_t i = 0; i < count; ++i)
        st_thread_join(calls[i].thread, NULL);
    free(calls);
}

/* It has no yield; a sleep of no time puts the thread behind the others. */
BENCH_INLINE void subject_yield(void) {
    st_usleep(0);
}

BENCH_SOME void subject_sleep(uint64_t ns) {
    st_usleep((st_utime_t)(ns / 1000));
}

/* An interrupt is told once, to the call that waits or the next one. */
BENCH_SOME void subject_cancel(void) {
    for (size_t i = 0; i < started.count; ++i)
        if (started.calls[i].thread != st_thread_self())
            st_thread_interrupt(started.calls[i].thread);
}

BENCH_INLINE void subject_lock(void) {
    st_mutex_lock(the_mutex);
}

BENCH_INLINE void subject_unlock(void) {
    st_mutex_unlock(the_mutex);
}
