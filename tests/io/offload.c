/* Jobs on the pool of threads: results, the bound, the order, and what a cut does to a job that
 * waits and to one that runs.
 *
 * Jobs are held at a gate, a pipe they read from, until the test lets them through: so what is
 * queued and what runs is known, on a machine however slow. The clock is the system's: the virtual
 * one stands still while a job is under way. Checks are not for the pool's threads: jobs return
 * numbers. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ends.h"

SUITE(io_offload);

/* ---- Gates ---- */

struct gate {
    int ends[2];
    atomic_int begun, peak, running;
};

static void gate_make(struct gate *gate) {
    check_int(pipe(gate->ends), 0);
    atomic_init(&gate->begun, 0);
    atomic_init(&gate->peak, 0);
    atomic_init(&gate->running, 0);
}

static void gate_let_through(struct gate *gate, size_t count) {
    for (size_t i = 0; i < count; i++)
        raw_write(gate->ends[1], "x");
}

static void gate_remove(struct gate *gate) {
    close(gate->ends[0]);
    close(gate->ends[1]);
}

/* A job: returns how many had begun before it. */
static int wait_at_gate(void *arg) {
    struct gate *const gate = arg;
    const int before = atomic_fetch_add(&gate->begun, 1);
    const int running = atomic_fetch_add(&gate->running, 1) + 1;
    int peak = atomic_load(&gate->peak);
    while (peak < running && !atomic_compare_exchange_weak(&gate->peak, &peak, running))
        continue;
    char byte;
    const ssize_t n = read(gate->ends[0], &byte, 1);
    atomic_fetch_sub(&gate->running, 1);
    return n == 1 ? before : -EIO;
}

/* A task: offloads that and expects to be through in the end. */
static int go_through(void *gate) {
    const int rc = coir_offload(wait_at_gate, gate);
    check(rc >= 0);
    return 0;
}

/* Sleeps until so many jobs have begun. */
static void await_begun(struct gate *gate, int count) {
    while (atomic_load(&gate->begun) < count)
        check_rc(coir_sleep(COIR_US(200)), 0);
}

static int with_threads(unsigned count, coir_fn body) {
    const run_options options = {.runtime.offload_threads = count, .real_clock = true};
    return run_task_with(body, NULL, &options);
}

/* A test whose pool has so many threads. */
#define POOL_TEST(name, threads)                                                                   \
    static int name##_body(void *);                                                                \
    Test(io_offload, name) {                                                                       \
        check_rc(with_threads(threads, name##_body), 0);                                           \
    }                                                                                              \
    static int name##_body(UNUSED void *arg)

static size_t threads_of_process(void) {
    DIR *const dir = opendir("/proc/self/task");
    if (dir == NULL)
        return 0;
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* ---- Results ---- */

static int add_one(void *arg) {
    *(int *)arg += 1;
    return *(int *)arg;
}

static int fail_with(void *arg) {
    return *(const int *)arg;
}

TASK_TEST(io_offload, what_the_job_returns_is_returned) {
    int number = 41;
    check_rc(coir_offload(add_one, &number), 42);
    check_int(number, 42);
    const int results[] = {0, 1, INT32_MAX, -1, -EIO, -ECANCELED, -ETIMEDOUT, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        int result = results[i];
        check_rc(coir_offload(fail_with, &result), results[i]);
    }
    check_rc(coir_check(), 0);
    return 0;
}

static int compare_threads(void *arg) {
    return pthread_equal(*(const pthread_t *)arg, pthread_self()) ? 1 : 0;
}

TASK_TEST(io_offload, a_job_runs_on_another_thread) {
    pthread_t self = pthread_self();
    check_rc(coir_offload(compare_threads, &self), 0);
    return 0;
}

static int call_the_runtime(UNUSED void *arg) {
    coir_stats now;
    char byte;
    if (coir_yield() != -EPERM || coir_check() != -EPERM || coir_sleep(0) != -EPERM)
        return 1;
    if (coir_stats_get(&now) != -EPERM || coir_read(0, &byte, 1) != -EPERM)
        return 2;
    if (coir_offload(call_the_runtime, NULL) != -EPERM || coir_main_scope() != NULL)
        return 3;
    return coir_offload_cancelled() ? 4 : 0;
}

TASK_TEST(io_offload, a_job_is_outside_the_runtime) {
    check_rc(coir_offload(call_the_runtime, NULL), 0);
    return 0;
}

TASK_TEST(io_offload, bad_calls_are_refused) {
    check_rc(coir_offload(NULL, NULL), -EINVAL);
    check(!coir_offload_cancelled());
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    int number = 0;
    check_rc(coir_offload(add_one, &number), -ECANCELED);
    check_int(number, 0);
    check(!coir_offload_cancelled());
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(stats().offload_threads, 0);
    return 0;
}

Test(io_offload, outside_the_runtime_it_is_refused) {
    int number = 0;
    check_rc(coir_offload(add_one, &number), -EPERM);
    check_int(number, 0);
    check(!coir_offload_cancelled());
}

static int count_run(UNUSED void *arg) {
    return 0;
}

Test(io_offload, the_bound_has_a_range) {
    const run_options most = {.runtime.offload_threads = 1024};
    check_rc(run_task_with(count_run, NULL, &most), 0);
    const run_options too_many = {.runtime.offload_threads = 1025};
    check_rc(run_task_with(count_run, NULL, &too_many), -EINVAL);
}

/* ---- Threads ---- */

static int touch_much_but_the_pool(UNUSED void *arg) {
    int ends[2];
    ends_open(ENDS_TCP, ends);
    check_rc(coir_write_all(ends[0], "x", 1, NULL), 0);
    char byte;
    check_rc(coir_read_exact(ends[1], &byte, 1, NULL), 0);
    ends_close(ends);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(stats().offload_threads, 0);
    return (int)threads_of_process();
}

Test(io_offload, a_run_that_offloads_nothing_starts_no_thread) {
    skip_over_libkqueue(LIBKQUEUE_HAS_A_THREAD);
    const size_t before = threads_of_process();
    check_rc(run_task_real(touch_much_but_the_pool, NULL), before);
}

static int offload_some(UNUSED void *arg) {
    struct gate gate;
    gate_make(&gate);
    COIR_SCOPE(s);
    for (int i = 0; i < 5; i++)
        start(&s, go_through, &gate);
    await_begun(&gate, 5);
    check_int(stats().offload_threads, 5);
    gate_let_through(&gate, 5);
    check_rc(coir_scope_close(&s, 0), 0);
    gate_remove(&gate);
    return 0;
}

static void *do_nothing(void *arg) {
    return arg;
}

/* A joined thread may be listed for a moment longer; and with the first one a sanitizer may start
 * one of its own, which stays. */
Test(io_offload, threads_are_joined_when_the_run_ends) {
    pthread_t first;
    check_int(pthread_create(&first, NULL, do_nothing, NULL), 0);
    check_int(pthread_join(first, NULL), 0);
    const size_t before = threads_of_process();
    for (int i = 0; i < 3; i++)
        check_rc(run_task_real(offload_some, NULL), 0);
    while (threads_of_process() > before)
        usleep(1000);
}

POOL_TEST(no_more_threads_than_allowed, 3) {
    struct gate gate;
    gate_make(&gate);
    COIR_SCOPE(s);
    for (int i = 0; i < 12; i++)
        start(&s, go_through, &gate);
    await_begun(&gate, 3);
    check_int(stats().offload_jobs, 12);
    check_int(stats().offload_threads, 3);
    check_rc(coir_sleep(COIR_MS(20)), 0);
    check_int(atomic_load(&gate.begun), 3);
    gate_let_through(&gate, 12);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(atomic_load(&gate.begun), 12);
    check_int(atomic_load(&gate.peak), 3);
    check_int(stats().offload_jobs, 0);
    gate_remove(&gate);
    return 0;
}

POOL_TEST(eight_threads_by_default, 0) {
    struct gate gate;
    gate_make(&gate);
    COIR_SCOPE(s);
    for (int i = 0; i < 20; i++)
        start(&s, go_through, &gate);
    await_begun(&gate, 8);
    check_int(stats().offload_threads, 8);
    gate_let_through(&gate, 20);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(atomic_load(&gate.peak), 8);
    gate_remove(&gate);
    return 0;
}

POOL_TEST(an_idle_thread_is_used_again, 1024) {
    int number = 0;
    for (int i = 1; i <= 300; i++) {
        check_rc(coir_offload(add_one, &number), i);
        check_rc(coir_sleep(COIR_US(100)), 0);
    }
    check(stats().offload_threads <= 30); /* one, and a few more if it was slow to lie down */
    return 0;
}

struct numbered {
    struct gate *gate;
    int number, rc;
};

static atomic_int order[8], ordered;

static int note_number(void *arg) {
    atomic_store(&order[atomic_fetch_add(&ordered, 1)], *(const int *)arg);
    return 0;
}

static int offload_number(void *arg) {
    struct numbered *const it = arg;
    it->rc = coir_offload(note_number, &it->number);
    return 0;
}

POOL_TEST(jobs_queue_first_in_first_out, 1) {
    struct gate gate;
    gate_make(&gate);
    struct numbered jobs[COUNT_OF(order)];
    COIR_SCOPE(s);
    start(&s, go_through, &gate);
    await_begun(&gate, 1);
    for (int i = 0; i < (int)COUNT_OF(jobs); i++) {
        jobs[i] = (struct numbered){.number = i + 1, .rc = (int)READING};
        start(&s, offload_number, &jobs[i]);
        check_rc(coir_yield(), 0);
    }
    gate_let_through(&gate, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    for (int i = 0; i < (int)COUNT_OF(jobs); i++) {
        check_rc(jobs[i].rc, 0);
        check_int(atomic_load(&order[i]), i + 1);
    }
    gate_remove(&gate);
    return 0;
}

/* ---- The loop goes on ---- */

POOL_TEST(the_loop_runs_on_meanwhile, 1) {
    struct gate gate;
    gate_make(&gate);
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    COIR_SCOPE(s);
    start(&s, go_through, &gate);
    await_begun(&gate, 1);
    for (int i = 0; i < 10; i++) {
        char byte;
        check_rc(coir_sleep(COIR_MS(1)), 0);
        check_rc(coir_write(ends[0], "x", 1), 1);
        check_rc(coir_read(ends[1], &byte, 1), 1);
    }
    check_int(atomic_load(&gate.running), 1);
    gate_let_through(&gate, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    gate_remove(&gate);
    return 0;
}

static int write_from_thread(void *arg) {
    return (int)write(*(const int *)arg, "ab", 2);
}

static int offload_write(void *arg) {
    return coir_offload(write_from_thread, arg) == 2 ? 0 : -EIO;
}

POOL_TEST(a_job_may_feed_a_task, 2) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    for (size_t i = 0; i < scaled(500) + 10; i++) {
        COIR_SCOPE(s);
        start(&s, offload_write, &ends[1]);
        char text[2];
        check_rc(coir_read_exact(ends[0], text, 2, NULL), 0);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    ends_close(ends);
    return 0;
}

static int double_it(void *arg) {
    int *const number = arg;
    *number *= 2;
    return *number;
}

static int offload_double(void *arg) {
    int *const number = arg;
    const int expected = *number * 2;
    for (int i = 0; i < 3; i++) {
        int copy = expected / 2;
        check_rc(coir_offload(double_it, &copy), expected);
    }
    check_rc(coir_offload(double_it, number), expected);
    return 0;
}

static int many_jobs_body(UNUSED void *arg) {
    static int numbers[1000];
    const size_t count = scaled(COUNT_OF(numbers));
    COIR_SCOPE(s);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (int)i;
        start(&s, offload_double, &numbers[i]);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < count; i++)
        check_int(numbers[i], 2 * (int)i);
    return 0;
}

Test(io_offload, thousands_of_jobs_on_one_thread_or_many) {
    const unsigned threads[] = {1, 2, 8, 64};
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        check_rc(with_threads(threads[i], many_jobs_body), 0);
}

Test(io_offload, the_order_of_tasks_does_not_matter) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const run_options options = {.runtime.seed = seed, .runtime.offload_threads = 4};
        check_rc(run_task_with(many_jobs_body, NULL, &options), 0);
    }
}

/* The virtual clock stands still while a job is under way, and goes on afterwards. */
TASK_TEST_SEEDS(io_offload, virtual_time_waits_for_jobs) {
    struct gate gate;
    gate_make(&gate);
    gate_let_through(&gate, 1);
    const coir_time now = coir_now();
    COIR_SCOPE(s);
    start(&s, go_through, &gate);
    check_rc(coir_yield(), 0);
    check_rc(coir_sleep(COIR_SEC(100)), 0);
    check_int(atomic_load(&gate.begun), 1);
    check_int(atomic_load(&gate.running), 0);
    check_int(coir_now(), now + COIR_SEC(100));
    check_rc(coir_scope_close(&s, 0), 0);
    gate_remove(&gate);
    return 0;
}

static int park_after_a_job(UNUSED void *arg) {
    int number = 0;
    check_rc(coir_offload(add_one, &number), 1);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    return 0;
}

/* Threads that lie idle wake nobody. */
Test(io_offload, an_idle_pool_does_not_hide_a_deadlock) {
    capture_stderr();
    const int rc = coir_run(park_after_a_job, NULL);
    const char *const text = captured_stderr();
    check_rc(rc, -EDEADLK);
    check(text[0] != '\0');
}

/* ---- Cuts ---- */

POOL_TEST(a_queued_job_that_is_cut_never_runs, 1) {
    struct gate gate;
    gate_make(&gate);
    struct numbered job = {.number = 7, .rc = (int)READING};
    COIR_SCOPE(s);
    start(&s, go_through, &gate);
    await_begun(&gate, 1);
    COIR_SCOPE(inner);
    start(&inner, offload_number, &job);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(job.rc, READING);
    check_int(stats().offload_jobs, 2);
    coir_scope_cancel(&inner);
    check_int(stats().offload_jobs, 1);
    check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(job.rc, -ECANCELED);
    check_int(atomic_load(&gate.running), 1); /* it did not have to wait for the one before */
    gate_let_through(&gate, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_offload(note_number, &job.number), 0);
    check_int(atomic_load(&ordered), 1);
    gate_remove(&gate);
    return 0;
}

POOL_TEST(a_cut_in_the_middle_of_the_queue_leaves_the_others_in_order, 1) {
    struct gate gate;
    gate_make(&gate);
    struct numbered jobs[5];
    coir_task tasks[COUNT_OF(jobs)];
    COIR_SCOPE(s);
    start(&s, go_through, &gate);
    await_begun(&gate, 1);
    for (int i = 0; i < (int)COUNT_OF(jobs); i++) {
        jobs[i] = (struct numbered){.number = i, .rc = (int)READING};
        check_rc(coir_spawn_task(&s, offload_number, &jobs[i], &tasks[i]), 0);
        check_rc(coir_yield(), 0);
    }
    check(coir_task_cancel(tasks[4]));
    check(coir_task_cancel(tasks[2]));
    check(coir_task_cancel(tasks[0]));
    gate_let_through(&gate, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    for (int i = 0; i < (int)COUNT_OF(jobs); i++)
        check_rc(jobs[i].rc, i % 2 == 0 ? -ECANCELED : 0);
    check_int(atomic_load(&ordered), 2);
    check_int(atomic_load(&order[0]), 1);
    check_int(atomic_load(&order[1]), 3);
    gate_remove(&gate);
    return 0;
}

struct patient {
    atomic_bool begun;
    bool cut_at_first;
    int rc, next_rc;
};

static int wait_to_be_cut(void *arg) {
    struct patient *const patient = arg;
    patient->cut_at_first = coir_offload_cancelled();
    atomic_store(&patient->begun, true);
    while (!coir_offload_cancelled())
        usleep(100);
    usleep(2000);
    return coir_offload_cancelled() ? 42 : 1;
}

static int offload_patient(void *arg) {
    struct patient *const patient = arg;
    patient->rc = coir_offload(wait_to_be_cut, patient);
    patient->next_rc = coir_check();
    return 0;
}

static void await_patient(struct patient *patient) {
    while (!atomic_load(&patient->begun))
        check_rc(coir_sleep(COIR_US(200)), 0);
}

POOL_TEST(a_running_job_that_is_cut_is_waited_for, 2) {
    struct patient patient = {.rc = (int)READING};
    COIR_SCOPE(s);
    start(&s, offload_patient, &patient);
    await_patient(&patient);
    check_int(patient.rc, READING);
    check(!coir_offload_cancelled());
    coir_scope_cancel(&s);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check(!patient.cut_at_first);
    check_rc(patient.rc, 42); /* its result, not -ECANCELED: it had effects */
    check_rc(patient.next_rc, -ECANCELED);
    check_int(stats().offload_jobs, 0);
    return 0;
}

POOL_TEST(the_next_job_on_that_thread_is_not_cut, 1) {
    for (int i = 0; i < 3; i++) {
        struct patient patient = {.rc = (int)READING};
        COIR_SCOPE(s);
        start(&s, offload_patient, &patient);
        await_patient(&patient);
        check(!patient.cut_at_first);
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(patient.rc, 42);
        check_rc(coir_offload(call_the_runtime, NULL), 0);
    }
    return 0;
}

POOL_TEST(cancelling_the_task_cuts_its_job_alone, 2) {
    struct patient first = {.rc = (int)READING}, second = {.rc = (int)READING};
    COIR_SCOPE(s);
    coir_task task;
    check_rc(coir_spawn_task(&s, offload_patient, &first, &task), 0);
    start(&s, offload_patient, &second);
    await_patient(&first);
    await_patient(&second);
    check(coir_task_cancel(task));
    check_rc(coir_join(task, NULL), 0);
    check_rc(first.rc, 42);
    check_int(second.rc, READING);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(second.rc, 42);
    return 0;
}

/* Completion wins: the result is returned, and nothing inside was cut. */
POOL_TEST(a_deadline_reaches_a_running_job, 1) {
    struct patient patient = {.rc = (int)READING};
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(5)));
    const int rc = coir_offload(wait_to_be_cut, &patient);
    if (rc == -ECANCELED) { /* so slow that it never began */
        check_rc(coir_scope_close(&s, rc), -ETIMEDOUT);
        return 0;
    }
    check_rc(rc, 42);
    check(coir_scope_expired(&s));
    check_rc(coir_scope_close(&s, rc), 42);
    return 0;
}

POOL_TEST(a_deadline_withdraws_a_queued_job, 1) {
    struct gate gate;
    gate_make(&gate);
    COIR_SCOPE(s);
    start(&s, go_through, &gate);
    await_begun(&gate, 1);
    int number = 0;
    COIR_SCOPE(timed, .deadline = coir_after(COIR_MS(2)));
    const int rc = coir_offload(add_one, &number);
    check_rc(rc, -ECANCELED);
    check_rc(coir_scope_close(&timed, rc), -ETIMEDOUT);
    check_int(number, 0);
    gate_let_through(&gate, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    gate_remove(&gate);
    return 0;
}

POOL_TEST(a_shield_keeps_the_cut_from_the_job, 1) {
    struct gate gate;
    gate_make(&gate);
    COIR_SCOPE(outer);
    coir_scope_cancel(&outer);
    COIR_SCOPE(inner, .shield = true);
    gate_let_through(&gate, 1);
    check_rc(coir_offload(wait_at_gate, &gate), 0);
    check_rc(coir_offload(call_the_runtime, NULL), 0);
    check_rc(coir_scope_close(&inner, 0), 0);
    int number = 0;
    check_rc(coir_offload(add_one, &number), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), 0);
    gate_remove(&gate);
    return 0;
}

/* Cuts at every moment, from before the job is queued until after its end. */
static int some_work(void *arg) {
    atomic_fetch_add((atomic_int *)arg, 1);
    for (int i = 0; i < 20 && !coir_offload_cancelled(); i++)
        sched_yield();
    return 5;
}

struct worker {
    atomic_int *ran;
    int finished, cut;
};

static int work_on(void *arg) {
    struct worker *const worker = arg;
    for (;;) {
        const int rc = coir_offload(some_work, worker->ran);
        if (rc == -ECANCELED) {
            worker->cut++;
            return 0;
        }
        check_rc(rc, 5);
        worker->finished++;
    }
}

POOL_TEST(cuts_at_any_moment_lose_and_repeat_nothing, 2) {
    atomic_int ran;
    atomic_init(&ran, 0);
    int finished = 0;
    for (size_t round = 0; round < scaled(200) + 10; round++) {
        struct worker workers[6];
        COIR_SCOPE(s);
        for (size_t i = 0; i < COUNT_OF(workers); i++) {
            workers[i] = (struct worker){.ran = &ran};
            start(&s, work_on, &workers[i]);
        }
        check_rc(coir_sleep(COIR_US((int64_t)round * 3)), 0);
        coir_scope_cancel(&s);
        check_rc(coir_scope_close(&s, 0), 0);
        for (size_t i = 0; i < COUNT_OF(workers); i++) {
            check_int(workers[i].cut, 1);
            finished += workers[i].finished;
        }
        check_int(atomic_load(&ran), finished); /* each that ran was reported, each reported ran */
    }
    return 0;
}

/* ---- The end of the run ---- */

static struct patient left_over;

static int leave_job_running(UNUSED void *arg) {
    check_rc(coir_spawn(coir_main_scope(), offload_patient, &left_over), 0);
    await_patient(&left_over);
    return 9;
}

Test(io_offload, the_run_waits_for_a_job_that_is_left_over) {
    const run_options options = {.real_clock = true, .leaves_work = true};
    check_rc(run_task_with(leave_job_running, NULL, &options), 9);
    check_rc(left_over.rc, 42);
}

/* ---- One pool a runtime ---- */

static int one_of_two(UNUSED void *arg) {
    for (int i = 0; i < 100; i++) {
        int number = i;
        if (coir_offload(add_one, &number) != i + 1)
            return 1;
    }
    coir_stats now;
    if (coir_stats_get(&now) != 0)
        return 2;
    return now.offload_threads <= 8 ? 0 : 3;
}

static void *run_one_of_two(UNUSED void *arg) {
    return (void *)(intptr_t)coir_run(one_of_two, NULL);
}

Test(io_offload, two_runtimes_have_two_pools) {
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        check_int(pthread_create(&threads[i], NULL, run_one_of_two, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result;
        check_int(pthread_join(threads[i], &result), 0);
        check_int((intptr_t)result, 0);
    }
}
