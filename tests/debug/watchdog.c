/* Slow tasks are named, and nobody else. How long things take is up to the machine, which may stop
 * any thread at any place for any time: so tasks here are slow until that is noticed, and where
 * others were noticed too, or one was not found in time, it is tried again. */
#include "core/runtime.h"
#include "support.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

SUITE(debug_watchdog);

#define KEPT __attribute__((noinline))
#define HELD " has held the thread for "
#define UNKNOWN "    (where it is could not be found out)\n"
/* Where a thread sleeps the system tells; under an emulator or Valgrind, where that one does. */
#define IN(function) (emulated() || on_valgrind() ? UNKNOWN : (function))

static uint64_t stretches(void) {
    coir_stats stats;
    check_rc(coir_stats_get(&stats), 0);
    return stats.slow_stretches;
}

static _Thread_local volatile unsigned long sum;

/* Computes until one more stretch was noticed. */
KEPT static int spin(void) {
    const uint64_t before = stretches();
    while (stretches() == before)
        for (int i = 0; i < 1000; i++)
            sum += (unsigned long)i;
    return (int)(sum % 2);
}

/* Blocks again and again until then; -errno if a call was disturbed. */
KEPT static int doze(void) {
    const uint64_t before = stretches();
    int rc = 0;
    while (rc == 0 && stretches() == before)
        rc = nanosleep(&(const struct timespec){.tv_nsec = COIR_MS(20)}, NULL) < 0 ? -errno : 0;
    return rc;
}

static int be_busy(UNUSED void *arg) {
    return spin() * 0;
}

static bool disturbed;

static int be_asleep(UNUSED void *arg) {
    disturbed = doze() < 0;
    return 0;
}

struct call {
    coir_fn fn;
    void *arg;
    uint64_t stretches; /* when it had returned */
};

static int call_in_child(void *arg) {
    struct call *const call = arg;
    COIR_SCOPE(s, .name = "work");
    COIR_TRY(
        coir_spawn_with(&s, call->fn, call->arg, &(const coir_spawn_options){.name = "sluggard"}));
    const int rc = coir_scope_close(&s, 0);
    call->stretches = stretches();
    return rc;
}

/* Runs fn(arg) as a child; what was written meanwhile. */
static const char *watch_with(struct call *call, const coir_options *options) {
    capture_stderr();
    const int rc = run_task_with(
        call_in_child, call,
        &(const run_options){.runtime = *options, .real_clock = true, .leaves_descriptors = true});
    const char *const text = captured_stderr();
    check_rc(rc, 0);
    return text;
}

#define TIMES 10

static const coir_options soon = {.slow_task = COIR_MS(20)};

/* The same, until the text is written. */
static const char *watch_for(const char *part, struct call *call, const coir_options *options) {
    const char *text = "";
    for (int i = 0; i < TIMES && strstr(text, part) == NULL; i++)
        text = watch_with(call, options);
    check_contains(text, part);
    return text;
}

/* ---- What is said ---- */

Test(debug_watchdog, a_task_that_computes) {
    struct call call = {.fn = be_busy};
    const char *const text = watch_for(" be_busy", &call, &soon);
    check_contains(text, "coir: task 'sluggard'" HELD);
    check_contains(text, "  spawned into scope 'work' of task 'main' by call_in_child (");
    check_contains(text, " spin");
    check_contains(text, "coir_yield");
}

/* Or not each time: it may be computing when it is signalled, and asleep when the signal comes. */
Test(debug_watchdog, a_task_that_blocks_is_not_disturbed) {
    need_frames_of_libc();
    struct call call = {.fn = be_asleep};
    const char *text = watch_for(IN(" be_asleep"), &call, &soon);
    for (int i = 1; i < TIMES && disturbed; i++)
        text = watch_for(IN(" be_asleep"), &call, &soon);
    check(!disturbed);
    check_contains(text, "coir: task 'sluggard'" HELD);
    check_contains(text, IN(" doze"));
}

static int by_value(const void *a, const void *b) {
    (void)spin();
    return *(const int *)a - *(const int *)b;
}

static int sort(UNUSED void *arg) {
    int numbers[2] = {2, 1};
    qsort(numbers, COUNT_OF(numbers), sizeof numbers[0], by_value);
    return 0;
}

Test(debug_watchdog, in_a_callback_of_a_library) {
    need_frames_of_libc();
    if (with_sanitizer())
        skip_test("the sanitizer puts a function of its own in the library's place");
    struct call call = {.fn = sort};
    const char *const text = watch_for(" spin", &call, &soon);
    check_contains(text, " by_value");
    check_contains(text, " qsort");
    check_contains(text, " sort");
}

/* The virtual clock stands still meanwhile; the watchdog's does not. */
Test(debug_watchdog, with_a_virtual_clock) {
    struct call call = {.fn = be_busy};
    const coir_options options = {.slow_task = COIR_MS(20), .virtual_clock = true};
    capture_stderr();
    const int rc = coir_run_with(call_in_child, &call, &options);
    check_contains(captured_stderr(), HELD);
    check_rc(rc, 0);
}

/* ---- How often ---- */

static int be_busy_for_long(UNUSED void *arg) {
    const coir_time end = real_now() + COIR_MS(400);
    while (real_now() < end)
        sum++;
    return 0;
}

/* The fewest stretches of several runs: more are the machine's, or, if always, the watchdog's. */
static uint64_t fewest_stretches(coir_fn fn, uint64_t expected) {
    uint64_t fewest = UINT64_MAX;
    for (int i = 0; i < TIMES && fewest > expected; i++) {
        struct call call = {.fn = fn};
        (void)watch_with(&call, &(const coir_options){.slow_task = COIR_MS(100)});
        fewest = call.stretches < fewest && call.stretches >= expected ? call.stretches : fewest;
    }
    if (fewest == UINT64_MAX)
        skip_test("the machine is so busy that the watchdog came too late each time");
    return fewest;
}

Test(debug_watchdog, a_stretch_counts_once) {
    check_int(fewest_stretches(be_busy_for_long, 1), 1);
}

static int be_busy_often(UNUSED void *arg) {
    for (int i = 0; i < 3; i++) {
        (void)spin();
        COIR_TRY(coir_yield());
    }
    COIR_TRY(coir_sleep(COIR_SEC(1.1))); /* so that the last one is told */
    return be_busy(NULL);
}

/* How many were told, or counted by the next one that was. */
static uint64_t told_in(const char *text) {
    uint64_t told = occurrences(text, HELD);
    unsigned more = 0;
    while ((text = strstr(text, "not told: ")) != NULL) {
        check_int(sscanf(text, "not told: %u", &more), 1);
        told += more;
        text++;
    }
    return told;
}

/* However fast they come. (One that is too late to be told is the machine's.) */
Test(debug_watchdog, not_more_than_can_be_read) {
    bool all = false;
    for (int i = 0; i < TIMES && !all; i++) {
        struct call call = {.fn = be_busy_often};
        const char *const text = watch_with(&call, &soon);
        check(call.stretches >= 4);
        check(occurrences(text, HELD) < call.stretches);
        all = told_in(text) == call.stretches;
    }
    check(all);
}

/* ---- Who is not slow ---- */

static int sleep_well(UNUSED void *arg) {
    return coir_sleep(COIR_MS(400));
}

Test(debug_watchdog, a_task_that_waits_is_not_slow) {
    check_int(fewest_stretches(sleep_well, 0), 0);
}

static int take_turns(UNUSED void *arg) {
    const coir_time end = real_now() + COIR_MS(400);
    while (real_now() < end)
        COIR_TRY(coir_yield());
    return 0;
}

Test(debug_watchdog, a_task_that_yields_is_not_slow) {
    check_int(fewest_stretches(take_turns, 0), 0);
}

static int block_for_long(UNUSED void *arg) {
    return poll(NULL, 0, 400);
}

static int block_aside(UNUSED void *arg) {
    return coir_offload(block_for_long, NULL);
}

Test(debug_watchdog, a_job_on_a_thread_is_not_slow) {
    check_int(fewest_stretches(block_aside, 0), 0);
}

/* ---- Signals ---- */

static volatile sig_atomic_t urgent;

static void count_urgent(UNUSED int number) {
    urgent++;
}

static void handle_urgent(void) {
    const struct sigaction action = {.sa_handler = count_urgent};
    check_int(sigaction(SIGURG, &action, NULL), 0);
}

static int be_busy_and_urgent(UNUSED void *arg) {
    urgent = 0;
    (void)spin();
    check_int(urgent, 0);
    check_int(raise(SIGURG), 0);
    check_int(kill(getpid(), SIGURG), 0);
    return 0;
}

Test(debug_watchdog, a_handler_from_before_gets_what_is_its_own) {
    struct call call = {.fn = be_busy_and_urgent};
    handle_urgent();
    (void)watch_for(" spin", &call, &soon);
    check_int(urgent, 2);
    struct sigaction now;
    check_int(sigaction(SIGURG, NULL, &now), 0);
    check(now.sa_handler == count_urgent);
}

static int be_busy_with_a_handler(UNUSED void *arg) {
    handle_urgent();
    return be_busy(NULL);
}

Test(debug_watchdog, a_handler_from_later_takes_precedence) {
    struct call call = {.fn = be_busy_with_a_handler};
    (void)watch_for(UNKNOWN, &call, &soon);
    check(urgent > 0);
}

Test(debug_watchdog, signals_can_be_left_alone) {
    need_frames_of_libc();
    struct call busy = {.fn = be_busy}, asleep = {.fn = be_asleep};
    const coir_options options = {.slow_task = COIR_MS(20), .leave_signals = true};
    handle_urgent();
    (void)watch_for(UNKNOWN, &busy, &options);
    (void)watch_for(IN(" doze"), &asleep, &options); /* which takes none */
    check_int(urgent, 0);
}

/* ---- Threads and processes ---- */

static size_t threads(void) {
    DIR *const folder = opendir("/proc/self/task");
    size_t count = 0;
    check(folder != NULL);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int count_threads(void *out) {
    *(size_t *)out = threads();
    return 0;
}

/* Their number once it has been the same for a while: the system lists a thread for a moment longer
 * than others wait for its end. */
static size_t threads_at_rest(void) {
    size_t count = threads();
    for (int same = 0; same < 100; same++) {
        const size_t now = threads();
        if (now != count)
            same = 0;
        count = now;
        (void)poll(NULL, 0, 1);
    }
    return count;
}

Test(debug_watchdog, its_thread_ends_with_the_runtime) {
    size_t during = 0;
    struct call call = {.fn = count_threads, .arg = &during};
    skip_over_libkqueue(LIBKQUEUE_HAS_A_THREAD);
    (void)watch_with(&call, &soon); /* with the first, a sanitizer may begin one of its own */
    const size_t before = threads_at_rest();
    (void)watch_with(&call, &soon);
    check_int(during, before + 1);
    check_int(threads_at_rest(), before);
    (void)watch_with(&call, &(const coir_options){.slow_task = COIR_NEVER});
    check_int(during, before);
}

static void *run_in_thread(void *arg) {
    return (void *)(intptr_t)coir_run_with(call_in_child, arg, &soon);
}

/* How many tasks of three runtimes at the same time were named, with their frames. */
static size_t names_of_three(void) {
    struct call calls[3];
    pthread_t others[COUNT_OF(calls)];
    capture_stderr();
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        calls[i] = (struct call){.fn = be_busy};
        check_int(pthread_create(&others[i], NULL, run_in_thread, &calls[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        void *rc;
        check_int(pthread_join(others[i], &rc), 0);
        check_int((intptr_t)rc, 0);
    }
    return occurrences(captured_stderr(), " be_busy");
}

Test(debug_watchdog, each_runtime_has_its_own) {
    size_t named = 0;
    for (int i = 0; i < TIMES && named < 3; i++)
        named = names_of_three();
    check_int(named, 3);
}

static int sleep_in_child(UNUSED void *arg) {
    return nanosleep(&(const struct timespec){.tv_nsec = COIR_MS(100)}, NULL) < 0;
}

static int fork_while_watched(UNUSED void *arg) {
    check_int(run_forked(sleep_in_child, NULL), 0);
    return 0;
}

Test(debug_watchdog, a_forked_child_is_not_watched) {
    struct call call = {.fn = fork_while_watched};
    (void)watch_with(&call, &soon);
}

/* ---- Options ---- */

static int is_watched(UNUSED void *arg) {
    return coir__rt->watchdog != NULL;
}

Test(debug_watchdog, only_where_it_was_asked_for) {
    check_int(coir_run_with(is_watched, NULL, &soon), 1);
    check_int(coir_run_with(is_watched, NULL, &(const coir_options){.slow_task = COIR_NEVER}), 0);
    check_rc(coir_run_with(is_watched, NULL, &(const coir_options){.slow_task = -1}), -EINVAL);
    check_int(coir_run(is_watched, NULL), COIR_DEBUG && !with_sanitizer() && !on_valgrind());
}
