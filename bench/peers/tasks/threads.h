/* Link with: -pthread
 * POSIX threads, all on the one CPU. There is no yield between two of them that others do not also
 * take part in, so each hands a token to the next one, who sleeps on a futex: what a switch costs
 * that goes through the kernel. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/tasks.h"

#define SUBJECT_STACK (128 * 1024)
#define SUBJECT_CANCEL

struct thread_call {
    int (*fn)(void *arg);
    size_t index;
    pthread_t thread;
    unsigned has_token; /* a futex */
    int takes_part;     /* it has yielded before */
    int has_ended;
};

static struct {
    struct thread_call *calls;
    size_t count;
} ring;

static __thread struct thread_call *this_thread;

static void futex(unsigned *word, int operation, unsigned value) {
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void wait_for_token(struct thread_call *call) {
    while (__atomic_load_n(&call->has_token, __ATOMIC_ACQUIRE) == 0)
        futex(&call->has_token, FUTEX_WAIT, 0);
    __atomic_store_n(&call->has_token, 0, __ATOMIC_RELAXED);
}

static void pass_token(struct thread_call *call) {
    struct thread_call *next = call;
    do
        next = &ring.calls[(next->index + 1) % ring.count];
    while (next->has_ended && next != call);
    __atomic_store_n(&next->has_token, 1, __ATOMIC_RELEASE);
    futex(&next->has_token, FUTEX_WAKE, 1);
}

static void *thread_body(void *arg) {
    struct thread_call *call = (struct thread_call *)arg;
    this_thread = call;
    (void)call->fn((void *)call->index);
    call->has_ended = 1;
    if (call->takes_part)
        pass_token(call);
    return NULL;
}

BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg) {
    fn(arg);
}

static void cannot_start(size_t allowed) {
    fprintf(stderr, "the system allows no more than %zu threads here\n", allowed);
    exit(BENCH_CANNOT);
}

/* Each thread's stack and its guard are a mapping: so many are known not to be allowed, without
 * seconds of trying. */
static void check_mappings(size_t count) {
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    size_t most;
    if (file != NULL && fscanf(file, "%zu", &most) == 1 && count > most / 2)
        cannot_start(most / 2);
    if (file != NULL)
        fclose(file);
}

BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg)) {
    check_mappings(count);
    pthread_attr_t attributes;
    struct thread_call *calls = (struct thread_call *)calloc(count, sizeof *calls);
    if (calls == NULL || pthread_attr_init(&attributes) != 0)
        bench_die("calloc", errno);
    pthread_attr_setstacksize(&attributes, SUBJECT_STACK);
    ring.calls = calls;
    ring.count = count;
    for (size_t i = 0; i < count; ++i) {
        calls[i].fn = fn;
        calls[i].index = i;
        const int rc = pthread_create(&calls[i].thread, &attributes, thread_body, &calls[i]);
        if (rc == EAGAIN)
            cannot_start(i);
        if (rc != 0)
            bench_die("pthread_create", rc);
    }
    for (size_t i = 0; i < count; ++i)
        pthread_join(calls[i].thread, NULL);
    pthread_attr_destroy(&attributes);
    free(calls);
}

/* The first thread begins with the token, the others by waiting for it. */
BENCH_INLINE void subject_yield(void) {
    if (this_thread->takes_part || this_thread->index == 0)
        pass_token(this_thread);
    this_thread->takes_part = 1;
    wait_for_token(this_thread);
}

BENCH_SOME void subject_sleep(uint64_t ns) {
    struct timespec time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    nanosleep(&time, NULL);
}

BENCH_SOME void subject_cancel(void) {
    for (size_t i = 0; i < ring.count; ++i)
        if (&ring.calls[i] != this_thread)
            pthread_cancel(ring.calls[i].thread);
}
