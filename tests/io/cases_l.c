/* Cases L: threads, descriptors, the clock, the end of the run; each test is named after its number
 * in the list of cases that trio's and asyncio's own tests assert.
 *
 * L04 and L06, a thread that is abandoned by its task, hold for look-ups of names, which nothing
 * can stop: see resolve.c. A job of the user's that has begun is always waited for (L03), so that
 * what it works on can not go away under it. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "ends.h"

SUITE(cases_l);

static int with_one_thread(coir_fn body) {
    const run_options options = {.runtime.offload_threads = 1, .real_clock = true};
    return run_task_with(body, NULL, &options);
}

/* ---- Jobs ---- */

static atomic_int jobs_begun, jobs_ended;

static int last_until_cancelled(UNUSED void *arg) {
    atomic_fetch_add(&jobs_begun, 1);
    while (!coir_offload_cancelled())
        usleep(100);
    atomic_fetch_add(&jobs_ended, 1);
    return 3;
}

static int offload_long_job(void *rc) {
    *(int *)rc = coir_offload(last_until_cancelled, NULL);
    return 0;
}

static void await_job(void) {
    while (atomic_load(&jobs_begun) == 0)
        check_rc(coir_sleep(COIR_US(200)), 0);
}

/* The task does not return before its thread is done with it. L07: the thread finds out by asking.
 */
static int waits_for_thread(UNUSED void *arg) {
    int rc = (int)READING;
    COIR_SCOPE(s);
    start(&s, offload_long_job, &rc);
    await_job();
    coir_scope_cancel(&s);
    check_int(rc, READING);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(rc, 3);
    check_int(atomic_load(&jobs_ended), 1);
    return 0;
}

Test(cases_l, L03_a_cancelled_task_waits_for_its_running_thread) {
    check_rc(with_one_thread(waits_for_thread), 0);
}

static int withdraws(UNUSED void *arg) {
    int first = (int)READING, second = (int)READING;
    COIR_SCOPE(s);
    start(&s, offload_long_job, &first);
    await_job();
    COIR_SCOPE(inner);
    start(&inner, offload_long_job, &second);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(stats().offload_jobs, 2);
    coir_scope_cancel(&inner);
    check_int(stats().offload_jobs, 1);
    check_rc(coir_scope_close(&inner, 0), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(first, 3);
    check_rc(second, -ECANCELED);
    check_int(atomic_load(&jobs_begun), 1);
    return 0;
}

Test(cases_l, L05_a_job_that_is_cut_before_it_began_never_runs) {
    check_rc(with_one_thread(withdraws), 0);
}

static int ask_thrice(UNUSED void *arg) {
    return coir_offload_cancelled() || coir_offload_cancelled() || coir_offload_cancelled();
}

static int asks(UNUSED void *arg) {
    check_rc(coir_offload(ask_thrice, NULL), 0);
    check_rc(waits_for_thread(NULL), 0);
    check_rc(coir_offload(ask_thrice, NULL), 0); /* the answer is the job's, not the thread's */
    return 0;
}

Test(cases_l, L07_a_job_can_ask_whether_it_was_cut) {
    check_rc(with_one_thread(asks), 0);
}

static int read_one(void *fd) {
    char byte;
    atomic_fetch_add(&jobs_begun, 1);
    return (int)read(*(const int *)fd, &byte, 1);
}

static int offload_read(void *fd) {
    check_rc(coir_offload(read_one, fd), 1);
    return 0;
}

static int bounded(UNUSED void *arg) {
    int gate[2];
    check_int(pipe(gate), 0);
    COIR_SCOPE(s);
    for (int i = 0; i < 6; i++)
        start(&s, offload_read, &gate[0]);
    while (atomic_load(&jobs_begun) < 2)
        check_rc(coir_sleep(COIR_US(200)), 0);
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_int(atomic_load(&jobs_begun), 2);
    check_int(stats().offload_threads, 2);
    for (int i = 0; i < 6; i++)
        raw_write(gate[1], "x");
    check_rc(coir_scope_close(&s, 0), 0);
    close(gate[0]);
    close(gate[1]);
    return 0;
}

Test(cases_l, L08_the_pool_bounds_the_threads_that_run) {
    const run_options options = {.runtime.offload_threads = 2, .real_clock = true};
    check_rc(run_task_with(bounded, NULL, &options), 0);
}

static int return_two(UNUSED void *arg) {
    return 2;
}

static int offload_two(UNUSED void *arg) {
    return coir_offload(return_two, NULL);
}

/* With next to no address space left there is no room for a thread's stack. */
static int no_thread_to_be_had(UNUSED void *arg) {
    const int rc = without_memory(offload_two, NULL);
    check(rc == -EAGAIN || rc == -ENOMEM);
    check_int(stats().offload_jobs, 0);
    check_int(stats().offload_threads, 0);
    check_rc(coir_offload(return_two, NULL), 2);
    check_int(stats().offload_threads, 1);
    return 0;
}

Test(cases_l, L08_a_thread_that_can_not_be_started_takes_no_place) {
    if (with_sanitizer())
        skip_test("a sanitizer needs the address space that this test takes away");
    check_rc(with_one_thread(no_thread_to_be_had), 0);
}

/* ---- Descriptors ---- */

static ssize_t read_byte(int fd) {
    char byte;
    return coir_read(fd, &byte, 1);
}

TASK_TEST_SEEDS(cases_l, L10_two_readers_are_refused_a_reader_and_a_writer_are_not) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct reading reading = {.fd = ends[0]};
    struct writing writing = {.fd = ends[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    start(&s, write_byte, &writing);
    settle();
    check_rc(read_byte(ends[0]), -EBUSY);
    check_rc(coir_write(ends[0], "x", 1), -EBUSY);
    raw_write(ends[1], "x");
    raw_drain(ends[1]);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(reading.rc, 1);
    check_rc(writing.rc, 1);
    ends_close(ends);
    return 0;
}

TASK_TEST_SEEDS(cases_l, L11_both_waiters_are_interrupted_by_close) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    struct reading reading = {.fd = ends[0]};
    struct writing writing = {.fd = ends[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &reading);
    start(&s, write_byte, &writing);
    settle();
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(reading.rc, -EBADF);
    check_rc(writing.rc, -EBADF);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST(cases_l, L12_waiting_for_a_closed_descriptor_fails_at_once) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    check_rc(coir_close(ends[0]), 0);
    check_rc(read_byte(ends[0]), -EBADF);
    check_rc(coir_write(ends[0], "x", 1), -EBADF);
    check_rc(coir_poll(ends[0], COIR_READABLE), -EBADF);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_l, L14_the_counters_return_to_where_they_were) {
    const coir_stats before = stats();
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_fill(ends[0]);
    for (int round = 0; round < 10; round++) {
        struct reading reading = {.fd = ends[0]};
        struct writing writing = {.fd = ends[0]};
        COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(9)));
        start(&s, read_some, &reading);
        start(&s, write_byte, &writing);
        settle();
        check_int(stats().io_waiting, before.io_waiting + 2);
        check_int(stats().descriptors, before.descriptors + 2);
        check_int(stats().timers_armed, before.timers_armed + 1);
        coir_scope_cancel(&s);
        check_int(stats().io_waiting, before.io_waiting);
        check_rc(coir_scope_close(&s, 0), 0);
    }
    ends_close(ends);
    const coir_stats after = stats();
    check_int(after.tasks_alive, before.tasks_alive);
    check_int(after.io_waiting, before.io_waiting);
    check_int(after.descriptors, before.descriptors);
    check_int(after.timers_armed, before.timers_armed);
    return 0;
}

/* ---- The virtual clock ---- */

TASK_TEST_SEEDS(cases_l, L15_the_virtual_clock_jumps_when_nothing_can_run) {
    const coir_time began = coir_now();
    check_int(began, COIR_SEC(1));
    check_rc(coir_yield(), 0);
    check_int(coir_now(), began);
    check_rc(coir_sleep(COIR_SEC(100000)), 0);
    check_int(coir_now(), began + COIR_SEC(100000));
    return 0;
}

static int write_one(void *fd) {
    check_rc(coir_write(*(const int *)fd, "x", 1), 1);
    return 0;
}

/* A descriptor that is ready counts as something that can run; one that is not does not. */
TASK_TEST_SEEDS(cases_l, L15_the_virtual_clock_does_not_jump_over_ready_descriptors) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    const coir_time began = coir_now();
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(10)));
    for (int i = 0; i < 50; i++) {
        start(&s, write_one, &ends[1]);
        check_rc(read_byte(ends[0]), 1);
        check_int(coir_now(), began);
    }
    check_rc(read_byte(ends[0]), -ECANCELED);
    check_int(coir_now(), began + COIR_SEC(10));
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    ends_close(ends);
    return 0;
}

static int work_a_while(UNUSED void *arg) {
    usleep(3000);
    return 0;
}

static int offload_work(void *at) {
    check_rc(coir_offload(work_a_while, NULL), 0);
    *(coir_time *)at = coir_now();
    return 0;
}

/* Returns how often the poller was asked meanwhile. */
static uint64_t sleep_while_a_job_runs(void) {
    const coir_time began = coir_now();
    const uint64_t polls = stats().polls;
    coir_time at = 0;
    COIR_SCOPE(s);
    start(&s, offload_work, &at);
    check_rc(coir_yield(), 0);
    check_rc(coir_sleep(COIR_SEC(50)), 0);
    check_int(at, began);
    check_rc(coir_scope_close(&s, 0), 0);
    return stats().polls - polls;
}

TASK_TEST_SEEDS(cases_l, L15_the_virtual_clock_does_not_jump_over_running_jobs) {
    check(sleep_while_a_job_runs() <= 10); /* nor does it spin until they end */
    return 0;
}

static void ignore_alarm(UNUSED int signal_number) {
}

/* What wakes the poller for nothing gives time no push either. */
TASK_TEST_SEEDS(cases_l, L15_the_virtual_clock_does_not_jump_when_a_signal_comes) {
    const struct sigaction action = {.sa_handler = ignore_alarm};
    check_int(sigaction(SIGALRM, &action, NULL), 0);
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 300}, {0, 300}}, NULL), 0);
    (void)sleep_while_a_job_runs();
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL), 0);
    return 0;
}

/* ---- Hangs, disobedience, negligence ---- */

static bool may_be_cut(UNUSED coir_waiter *wait) {
    return true;
}

static int wait_for_godot(UNUSED void *arg) {
    coir_waiter wait = {.cut = may_be_cut, .what = "godot"};
    return coir_park(&wait);
}

static int hang(UNUSED void *arg) {
    coir_task_set_name(coir_self(), "vladimir");
    COIR_SCOPE(s);
    const coir_spawn_options options = {.name = "estragon"};
    check_rc(coir_spawn_with(&s, wait_for_godot, NULL, &options), 0);
    return coir_scope_close(&s, 0);
}

Test(cases_l, L17_a_hang_is_an_error_with_a_listing) {
    capture_stderr();
    const int rc = run_task(hang, NULL);
    const char *const text = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_contains(text, "estragon");
    check_contains(text, "godot");
}

/* A task that waits for a descriptor may be woken from outside: that is no hang. */
static int write_late(void *arg) {
    usleep(20000);
    return (int)write(*(const int *)arg, "x", 1);
}

static void *write_late_thread(void *arg) {
    return (void *)(intptr_t)write_late(arg);
}

TASK_TEST_REAL(cases_l, L17_waiting_for_a_descriptor_is_no_hang) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, write_late_thread, &ends[1]), 0);
    check_rc(read_byte(ends[0]), 1);
    check_int(pthread_join(thread, NULL), 0);
    ends_close(ends);
    return 0;
}

struct disobedience {
    int fd;
    bool stop;
};

static int ignore_cuts(void *arg) {
    struct disobedience *const it = arg;
    while (!it->stop) {
        if (read_byte(it->fd) >= 0)
            return 1;
    }
    return 0;
}

static int count_to_a_hundred(void *arg) {
    struct disobedience *const it = arg;
    for (int i = 0; i < 100; i++)
        check_rc(coir_yield(), 0);
    it->stop = true;
    return 0;
}

TASK_TEST(cases_l, L18_a_task_that_ignores_cuts_is_named_once_and_the_others_run_on) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    struct disobedience it = {.fd = ends[0]};
    capture_stderr();
    COIR_SCOPE(outer);
    start(&outer, count_to_a_hundred, &it);
    COIR_SCOPE(s);
    const coir_spawn_options options = {.name = "antigone"};
    check_rc(coir_spawn_with(&s, ignore_cuts, &it, &options), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    const char *const text = captured_stderr();
    check(it.stop);
    check_int(occurrences(text, "antigone"), 1);
    check(stats().cuts_ignored > 0);
    ends_close(ends);
    return 0;
}

static int leave_early(struct reading *reading) {
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn(&s, read_some, reading));
    settle();
    return 7; /* without coir_scope_close */
}

TASK_TEST_SEEDS(cases_l, L19_leaving_without_close_cancels_and_joins) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    struct reading reading = {.fd = ends[0]};
    check_int(stats().scopes_left_open, 0);
    check_rc(leave_early(&reading), 7);
    check_rc(reading.rc, -ECANCELED);
    check_int(stats().scopes_left_open, 1);
    check_int(stats().tasks_alive, 1);
    raw_write(ends[1], "kept");
    check_rc(coir_check(), 0);
    read_some(&reading);
    check_str(reading.text, "kept");
    ends_close(ends);
    return 0;
}
