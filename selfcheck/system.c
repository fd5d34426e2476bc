/* Threads, signals, and a stack that is too small: what the library does with the system besides.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selfcheck.h"

/* ---- Jobs on threads ---- */

enum { JOBS = 4 };

struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t all_there;
    int there;
};

/* Blocks its thread until all the others are there too. */
static int meet(void *arg) {
    struct meeting *const it = arg;
    (void)pthread_mutex_lock(&it->mutex);
    if (++it->there == JOBS)
        (void)pthread_cond_broadcast(&it->all_there);
    while (it->there < JOBS)
        (void)pthread_cond_wait(&it->all_there, &it->mutex);
    (void)pthread_mutex_unlock(&it->mutex);
    return 5;
}

static int offload_meet(void *arg) {
    EXPECT(coir_offload(meet, arg), 5);
    return 0;
}

/* The last job is only given when the others block their threads, and this one runs on. */
static int blocking_calls_wait_aside(UNUSED void *arg) {
    struct meeting meeting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    COIR_SCOPE(scope);
    for (int i = 0; i < JOBS - 1; i++)
        EXPECT(coir_spawn(&scope, offload_meet, &meeting), 0);
    EXPECT(coir_sleep(COIR_MS(2)), 0);
    EXPECT(coir_spawn(&scope, offload_meet, &meeting), 0);
    EXPECT(coir_scope_close(&scope, 0), 0);
    return 0;
}

static int add_sleeps(void *arg) {
    for (int i = 0; i < 10; i++) {
        COIR_TRY(coir_sleep(COIR_US(100)));
        ++*(int *)arg;
    }
    return 0;
}

static void *run_in_thread(void *arg) {
    return coir_run(add_sleeps, arg) == 0 ? arg : NULL;
}

static int each_thread_has_one(UNUSED void *arg) {
    pthread_t threads[3];
    int counts[COUNT_OF(threads)] = {0};
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        EXPECT(pthread_create(&threads[i], NULL, run_in_thread, &counts[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result = NULL;
        EXPECT(pthread_join(threads[i], &result), 0);
        EXPECT(result == &counts[i], true);
        EXPECT(counts[i], 10);
    }
    return 0;
}

/* ---- Signals ---- */

static int interrupt(UNUSED void *arg) {
    (void)usleep(2000); /* so that the loop is, most often, waiting in the poller */
    return kill(getpid(), SIGINT);
}

static int sleep_and_note(void *arg) {
    return *(int *)arg = coir_sleep(COIR_NEVER);
}

static int be_interrupted(void *arg) {
    COIR_SCOPE(scope);
    EXPECT(coir_spawn(&scope, sleep_and_note, arg), 0);
    EXPECT(coir_offload(interrupt, NULL), 0);
    return coir_scope_close(&scope, coir_sleep(COIR_NEVER));
}

static int a_signal_cancels(UNUSED void *arg) {
    int child = 0;
    const coir_options options = {.cancel_on_signals = true};
    EXPECT(coir_run_with(be_interrupted, &child, &options), -ECANCELED);
    EXPECT(child, -ECANCELED);
    return 0;
}

/* ---- A stack that is too small ---- */

__attribute__((noinline)) static int go_down(int depth, volatile char *above) {
    volatile char room[1024];
    room[0] = (char)depth;
    room[sizeof room - 1] = above[0];
    const int below = depth > 0 ? go_down(depth - 1, room) : 0;
    return below + room[0] + room[sizeof room - 1];
}

static int overflow(UNUSED void *arg) {
    volatile char top[1] = {1};
    return go_down(10 * 1000, top) & 1;
}

static int run_overflow(UNUSED void *arg) {
    return coir_run(overflow, NULL);
}

static int an_overflow_is_caught(UNUSED void *arg) {
    const struct caught run = run_caught(run_overflow, NULL);
    EXPECT(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 0, false);
    if (strstr(run.text, "stack overflow") == NULL && strstr(run.text, "stack-overflow") == NULL) {
        tell("expected a message of a stack overflow, saw status %d and \"%s\"", run.status,
             run.text);
        return CHECK_FAILED;
    }
    return 0;
}

const struct check system_checks[] = {
    {.name = "offload: blocking calls wait aside, several at once",
     .run = blocking_calls_wait_aside},
    {.name = "thread: each may have a runtime", .run = each_thread_has_one, .bare = true},
    {.name = "signal: SIGINT cancels what runs", .run = a_signal_cancels, .bare = true},
    {.name = "stack: an overflow ends the program, and is told",
     .run = an_overflow_is_caught,
     .bare = true},
    {.name = NULL},
};
