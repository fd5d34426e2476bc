/* A data race between a task and a job on a thread, for ThreadSanitizer to report. They meet by
 * way of atomics that order nothing, so that it is there on each run. The task is on a stack that
 * was another task's before. */
#include <coir.h>
#include <stdatomic.h>

static int counter;
static atomic_int job_has_counted, task_has_counted;

__attribute__((noinline)) static void count_in_the_job(void) {
    counter += 1;
}

static int job(void *arg) {
    (void)arg;
    count_in_the_job();
    atomic_store_explicit(&job_has_counted, 1, memory_order_relaxed);
    while (atomic_load_explicit(&task_has_counted, memory_order_relaxed) == 0)
        ;
    return counter > 0;
}

static int offload(void *arg) {
    return coir_offload(job, arg);
}

__attribute__((noinline)) static void count_in_the_task(void) {
    counter += 2; /* or the two functions would be one to the linker */
}

__attribute__((noinline)) static int between(void) {
    while (atomic_load_explicit(&job_has_counted, memory_order_relaxed) == 0)
        ;
    count_in_the_task();
    atomic_store_explicit(&task_has_counted, 1, memory_order_relaxed);
    return 0;
}

static int defective(void *arg) {
    (void)arg;
    COIR_TRY(coir_yield());
    return between() + coir_yield();
}

static int return_zero(void *arg) {
    (void)arg;
    return 0;
}

static int app(void *arg) {
    COIR_SCOPE(before);
    for (int i = 0; i < 3; i++)
        COIR_TRY(coir_spawn(&before, return_zero, NULL));
    COIR_TRY(coir_scope_close(&before, 0));
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, offload, arg));
    COIR_TRY(coir_spawn(&s, defective, arg));
    return coir_scope_close(&s, 0);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
