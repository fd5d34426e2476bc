/* SIGQUIT asks for the listing, and the program goes on: of an idle runtime, of one whose task
 * never waits, from another thread, and of several. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

SUITE(debug_quit);

static const run_options listens = {.runtime = {.dump_on_sigquit = true}};
static const run_options listens_really = {.runtime = {.dump_on_sigquit = true},
                                           .real_clock = true};

static int be_asked_while_running(UNUSED void *arg) {
    COIR_SCOPE(s, .name = "work");
    check_rc(coir_spawn_with(&s, sleep_for_ever, NULL, &(coir_spawn_options){.name = "sleeper"}),
             0);
    check_rc(coir_sleep(1), 0);
    check_int(raise(SIGQUIT), 0);
    check_rc(coir_sleep(1), 0); /* the loop has its say */
    coir_scope_cancel(&s);
    return coir_scope_close(&s, 0);
}

Test(debug_quit, tells_who_is_running_at_once_and_lists_all_afterwards) {
    need_frames_of_libc();
    capture_stderr();
    const int rc = run_task_with(be_asked_while_running, NULL, &listens);
    const char *const text = captured_stderr();
    check_rc(rc, 0);
    const char *const running = strstr(text, "coir: SIGQUIT: task 'main' is running:");
    const char *const place = strstr(text, "be_asked_while_running");
    const char *const all = strstr(text, "coir: SIGQUIT: the tasks of this runtime are");
    check(running != NULL && place != NULL && all != NULL);
    check(running < place && place < all);
    check_contains(all, "'sleeper': sleeps for ever");
    check_int(occurrences(text, "coir: SIGQUIT: "), 2);
}

/* ---- A task that never waits ---- */

static atomic_bool spinning, enough;

__attribute__((noinline)) static void spin(void) {
    spinning = true;
    while (!enough)
        continue;
}

static int never_wait(UNUSED void *arg) {
    spin();
    return 0;
}

static void *ask_twice(UNUSED void *arg) {
    while (!spinning)
        usleep(1000);
    kill(getpid(), SIGQUIT);
    usleep(50000);
    kill(getpid(), SIGQUIT);
    usleep(50000);
    enough = true;
    return NULL;
}

Test(debug_quit, shows_where_a_task_is_that_never_waits) {
    pthread_t thread;
    capture_stderr();
    check_int(pthread_create(&thread, NULL, ask_twice, NULL), 0);
    const int rc = run_task_with(never_wait, NULL, &listens_really);
    check_int(pthread_join(thread, NULL), 0);
    const char *const text = captured_stderr();
    check_rc(rc, 0);
    check_contains(text, "coir: SIGQUIT: task 'main' is running:");
    check_contains(text, "spin");
    check_contains(text, "never_wait");
}

/* ---- A loop that sleeps, and a thread that has none ---- */

static int sleep_until_asked(UNUSED void *arg) {
    spinning = true;
    return coir_sleep(COIR_MS(200));
}

static void *ask_by_this_thread(UNUSED void *arg) {
    while (!spinning)
        usleep(1000);
    usleep(20000);
    raise(SIGQUIT);
    return NULL;
}

Test(debug_quit, wakes_a_loop_that_sleeps_from_any_thread) {
    pthread_t thread;
    capture_stderr();
    check_int(pthread_create(&thread, NULL, ask_by_this_thread, NULL), 0);
    const int rc = run_task_with(sleep_until_asked, NULL, &listens_really);
    check_int(pthread_join(thread, NULL), 0);
    const char *const text = captured_stderr();
    check_rc(rc, 0);
    check_contains(text, "coir: SIGQUIT: the tasks of this runtime are");
    check_contains(text, "'main': sleeps until ");
}

/* ---- Several runtimes ---- */

static atomic_int running;
static atomic_bool asked;

static int ask_for_both(UNUSED void *arg) {
    running++;
    while (running < 2)
        COIR_TRY(coir_sleep(COIR_MS(1)));
    if (arg != NULL) {
        raise(SIGQUIT); /* this thread only gets the signal */
        asked = true;
    }
    while (!asked)
        COIR_TRY(coir_sleep(COIR_MS(1)));
    return coir_sleep(COIR_MS(1)); /* the loop has its say */
}

static void *run_beside(UNUSED void *arg) {
    const coir_options options = {.dump_on_sigquit = true};
    check_rc(coir_run_with(ask_for_both, NULL, &options), 0);
    return NULL;
}

Test(debug_quit, a_signal_to_one_thread_has_each_runtime_listed_once) {
    const run_options beside = {.runtime = {.dump_on_sigquit = true},
                                .real_clock = true,
                                .leaves_descriptors = true}; /* of the other runtime */
    pthread_t thread;
    capture_stderr();
    check_int(pthread_create(&thread, NULL, run_beside, NULL), 0);
    const int rc = run_task_with(ask_for_both, &running, &beside);
    check_int(pthread_join(thread, NULL), 0);
    const char *const text = captured_stderr();
    check_rc(rc, 0);
    check_int(occurrences(text, "coir: SIGQUIT: the tasks of this runtime are"), 2);
}

/* ---- Before and after ---- */

static int nothing(UNUSED void *arg) {
    return 0;
}

static int handler_is_gone(UNUSED void *arg) {
    struct sigaction action;
    return sigaction(SIGQUIT, NULL, &action) == 0 && action.sa_handler == SIG_IGN ? 0 : -EIO;
}

Test(debug_quit, leaves_the_signal_as_it_was) {
    check(signal(SIGQUIT, SIG_IGN) != SIG_ERR);
    check_rc(run_task(handler_is_gone, NULL), 0); /* not asked for */
    check_rc(run_task_with(nothing, NULL, &listens), 0);
    check_rc(handler_is_gone(NULL), 0);
}
