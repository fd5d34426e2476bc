/* The contract of src/poll/poll.h, checked on the backend that is compiled in, without a runtime.
 */
#include "poll/poll.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "support.h"

SUITE(poll_epoll);

#define TOKENS_MAX 1024

/* What one wait reported. */
struct report {
    size_t count;
    uint64_t tokens[TOKENS_MAX];
    unsigned events[TOKENS_MAX];
};

static void note(void *context, uint64_t token, unsigned events) {
    struct report *const report = context;
    check(report->count < TOKENS_MAX);
    report->tokens[report->count] = token;
    report->events[report->count++] = events;
}

static struct report report;

/* Only looks. Returns how many events there were. */
static size_t look(struct coir__poller *poller) {
    report.count = 0;
    check_rc(coir__poll_wait(poller, 0, note, &report), 0);
    return report.count;
}

/* The events of one token in the last report; 0 if it was not in it. */
static unsigned events_of(uint64_t token) {
    unsigned events = 0;
    for (size_t i = 0; i < report.count; i++) {
        if (report.tokens[i] == token)
            events |= report.events[i];
    }
    return events;
}

static void open_pair(int ends[2]) {
    check_int(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    for (int i = 0; i < 2; i++)
        check_int(fcntl(ends[i], F_SETFL, O_NONBLOCK), 0);
}

static struct coir__poller poller;

static void begin(void) {
    check_rc(coir__poll_init(&poller), 0);
}

static void end(void) {
    coir__poll_fini(&poller);
}

#define POLL_TEST(name) Test(poll_epoll, name, .init = begin, .fini = end)

POLL_TEST(a_new_one_has_nothing_to_tell) {
    check_int(look(&poller), 0);
}

POLL_TEST(tokens_come_back_as_they_were_given) {
    const uint64_t tokens[] = {0, 1, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX - 1};
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        int ends[2];
        open_pair(ends);
        check_rc(coir__poll_add(&poller, ends[0], tokens[i]), 0);
        check_int(look(&poller), 1);
        check(report.tokens[0] == tokens[i]);
        check_rc(coir__poll_remove(&poller, ends[0]), 0);
        close(ends[0]);
        close(ends[1]);
    }
}

POLL_TEST(one_registration_serves_both_directions_and_each_edge_comes_once) {
    int ends[2];
    open_pair(ends);
    check_rc(coir__poll_add(&poller, ends[0], 7), 0);
    check_int(look(&poller), 1);
    check_int(events_of(7), COIR_POLL_WRITE);
    check_int(look(&poller), 0);

    check_int(write(ends[1], "x", 1), 1);
    check_int(look(&poller), 1);
    check(events_of(7) & COIR_POLL_READ);
    check(!(events_of(7) & COIR_POLL_SPECIAL));
    check_int(look(&poller), 0); /* unread, but nothing changed */
    check_int(write(ends[1], "x", 1), 1);
    check_int(look(&poller), 1);
    check(events_of(7) & COIR_POLL_READ);
}

POLL_TEST(what_was_ready_before_it_was_registered_is_reported) {
    int ends[2];
    open_pair(ends);
    check_int(write(ends[1], "x", 1), 1);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    check_int(look(&poller), 1);
    check_int(events_of(1), COIR_POLL_READ | COIR_POLL_WRITE);
}

POLL_TEST(room_after_a_full_buffer_is_an_edge) {
    int ends[2];
    char block[4096] = "";
    open_pair(ends);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    while (write(ends[0], block, sizeof block) > 0)
        continue;
    look(&poller);
    check_int(look(&poller), 0);
    while (read(ends[1], block, sizeof block) > 0)
        continue;
    check(look(&poller) > 0);
    check(events_of(1) & COIR_POLL_WRITE);
}

POLL_TEST(the_end_of_the_other_side_is_a_hang_up_even_with_data) {
    int ends[2];
    open_pair(ends);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    look(&poller);
    check_int(write(ends[1], "x", 1), 1);
    check_int(shutdown(ends[1], SHUT_WR), 0);
    look(&poller);
    check(events_of(1) & COIR_POLL_READ);
    check(events_of(1) & COIR_POLL_SPECIAL);
    close(ends[1]);
    look(&poller);
    check(events_of(1) & COIR_POLL_SPECIAL);
    check(events_of(1) & COIR_POLL_WRITE); /* a write would fail at once */
}

POLL_TEST(pipes_tell_of_their_ends_too) {
    int ends[2];
    check_int(pipe(ends), 0);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    check_rc(coir__poll_add(&poller, ends[1], 2), 0);
    look(&poller);
    check_int(events_of(1), 0);
    check_int(events_of(2), COIR_POLL_WRITE);
    close(ends[1]);
    look(&poller);
    check(events_of(1) & COIR_POLL_READ);
    check(events_of(1) & COIR_POLL_SPECIAL);
}

POLL_TEST(registering_again_replaces_the_token_and_reports_anew) {
    int ends[2];
    open_pair(ends);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    check_int(look(&poller), 1);
    check_rc(coir__poll_add(&poller, ends[0], 2), 0);
    check_int(look(&poller), 1);
    check_int(events_of(2), COIR_POLL_WRITE);
}

POLL_TEST(what_was_removed_is_silent) {
    int ends[2];
    open_pair(ends);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    check_rc(coir__poll_remove(&poller, ends[0]), 0);
    check_int(write(ends[1], "x", 1), 1);
    check_int(look(&poller), 0);
    check_rc(coir__poll_remove(&poller, ends[0]), -ENOENT);
    check_rc(coir__poll_add(&poller, ends[0], 2), 0);
    check_int(look(&poller), 1);
}

POLL_TEST(closing_the_last_duplicate_removes) {
    int ends[2];
    open_pair(ends);
    check_rc(coir__poll_add(&poller, ends[0], 1), 0);
    look(&poller);
    close(ends[0]);
    close(ends[1]);
    check_int(look(&poller), 0);
}

POLL_TEST(what_can_not_be_waited_for_is_refused) {
    const int file = open("/proc/self/exe", O_RDONLY);
    check(file >= 0);
    check_rc(coir__poll_add(&poller, file, 1), -EPERM);
    close(file);
    check_rc(coir__poll_add(&poller, file, 1), -EBADF);
    check_rc(coir__poll_add(&poller, -1, 1), -EBADF);
    check_int(look(&poller), 0);
}

POLL_TEST(more_events_than_fit_into_one_wait_all_come) {
    static int pairs[400][2];
    static bool seen[COUNT_OF(pairs)];
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        open_pair(pairs[i]);
        check_rc(coir__poll_add(&poller, pairs[i][0], i), 0);
    }
    while (look(&poller) > 0) {
        for (size_t i = 0; i < report.count; i++) {
            check(!seen[report.tokens[i]]);
            seen[report.tokens[i]] = true;
        }
    }
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        check(seen[i]);
}

/* ---- Time ---- */

POLL_TEST(a_wait_never_ends_too_early) {
    const coir_time durations[] = {1, COIR_US(1), COIR_US(300), COIR_MS(1), COIR_US(5300)};
    for (int coarse = 0; coarse < 2; coarse++) {
        poller.coarse = coarse; /* as on a system with milliseconds only */
        for (size_t i = 0; i < COUNT_OF(durations); i++) {
            const coir_time began = real_now();
            check_rc(coir__poll_wait(&poller, durations[i], note, &report), 0);
            check(real_now() - began >= durations[i]);
        }
    }
    check_int(report.count, 0);
}

/* ---- Waking ---- */

POLL_TEST(a_wake_ends_the_next_wait_and_no_other) {
    for (int i = 0; i < 3; i++) {
        coir__poll_wake(&poller);
        check_rc(coir__poll_wait(&poller, COIR_NEVER, note, &report), 0);
        check_int(report.count, 0); /* it is no event */
        const coir_time began = real_now();
        check_rc(coir__poll_wait(&poller, COIR_MS(2), note, &report), 0);
        check(real_now() - began >= COIR_MS(2));
    }
}

static void *wake_late(UNUSED void *arg) {
    usleep(5000);
    coir__poll_wake(&poller);
    return NULL;
}

POLL_TEST(another_thread_ends_the_present_wait) {
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, wake_late, NULL), 0);
    check_rc(coir__poll_wait(&poller, COIR_NEVER, note, &report), 0);
    check_int(pthread_join(thread, NULL), 0);
}

static volatile sig_atomic_t handled;

static void wake_from_handler(UNUSED int signal_number) {
    const int saved = errno;
    errno = 12345;
    coir__poll_wake(&poller);
    handled = errno == 12345; /* it leaves errno as it was */
    errno = saved;
}

/* The handler restarts what it interrupts, so it is the wake that ends the wait. */
POLL_TEST(a_signal_handler_ends_the_present_wait) {
    const struct sigaction action = {.sa_handler = wake_from_handler, .sa_flags = SA_RESTART};
    check_int(sigaction(SIGALRM, &action, NULL), 0);
    check_int(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 5000}}, NULL), 0);
    while (!handled)
        check_rc(coir__poll_wait(&poller, COIR_NEVER, note, &report), 0);
    check_int(report.count, 0);
}

Test(poll_epoll, without_descriptors_there_is_no_poller) {
    struct rlimit before;
    check_int(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int lowest = dup(STDERR_FILENO);
    check(lowest >= 0);
    close(lowest);
    for (int spare = 0; spare < 2; spare++) { /* it needs two: one is given back */
        const struct rlimit tight = {(rlim_t)(lowest + spare), before.rlim_max};
        check_int(setrlimit(RLIMIT_NOFILE, &tight), 0);
        struct coir__poller none;
        const int rc = coir__poll_init(&none);
        check_int(setrlimit(RLIMIT_NOFILE, &before), 0);
        check_rc(rc, -EMFILE);
        check_int(fcntl(lowest, F_GETFD), -1);
    }
}
