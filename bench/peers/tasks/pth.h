/* Link with: -lpth
 * GNU Pth: joinable threads with stacks of their own from malloc, unguarded. A yield goes by way of
 * its scheduler's thread and looks at the signal mask and the clock each time. */
#include <errno.h>
#include <pth.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../lib/tasks.h"

#define SUBJECT_STACK (128 * 1024)
/* Its scheduler looks at all who wait, each time: minutes for 10,000. */
#define PTH_TASKS_MAX 1000
#define SUBJECT_MUTEX
#define SUBJECT_CANCEL

struct pth_call {
    int (*fn)(void *arg);
    size_t index;
    pth_t thread;
};

static struct {
    struct pth_call *calls;
    size_t count;
} started;

static void *pth_body(void *arg) {
    const struct pth_call *call = (const struct pth_call *)arg;
    (void)call->fn((void *)call->index);
    return NULL;
}

BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg) {
    if (!pth_init())
        bench_die("pth_init", errno);
    fn(arg);
    pth_kill();
}

BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg)) {
    if (count > PTH_TASKS_MAX) {
        fprintf(stderr,
                "its scheduler looks at every thread each time: no more than %d are tried\n",
                PTH_TASKS_MAX);
        exit(BENCH_CANNOT);
    }
    struct pth_call *calls = (struct pth_call *)calloc(count, sizeof *calls);
    pth_attr_t attributes = pth_attr_new();
    if (calls == NULL || attributes == NULL)
        bench_die("calloc", errno);
    started.calls = calls;
    started.count = count;
    pth_attr_set(attributes, PTH_ATTR_STACK_SIZE, SUBJECT_STACK);
    for (size_t i = 0; i < count; ++i) {
        calls[i].fn = fn;
        calls[i].index = i;
        calls[i].thread = pth_spawn(attributes, pth_body, &calls[i]);
        if (calls[i].thread == NULL)
            bench_die("pth_spawn", errno);
    }
    for (size_t i = 0; i < count; ++i)
        pth_join(calls[i].thread, NULL);
    pth_attr_destroy(attributes);
    free(calls);
}

BENCH_INLINE void subject_yield(void) {
    pth_yield(NULL);
}

BENCH_SOME void subject_sleep(uint64_t ns) {
    pth_nap(pth_time((long)(ns / 1000000000), (long)(ns % 1000000000 / 1000)));
}

BENCH_SOME void subject_cancel(void) {
    for (size_t i = 0; i < started.count; ++i)
        if (started.calls[i].thread != pth_self())
            pth_cancel(started.calls[i].thread);
}

static pth_mutex_t the_mutex = PTH_MUTEX_INIT;

BENCH_INLINE void subject_lock(void) {
    pth_mutex_acquire(&the_mutex, FALSE, NULL);
}

BENCH_INLINE void subject_unlock(void) {
    pth_mutex_release(&the_mutex);
}
