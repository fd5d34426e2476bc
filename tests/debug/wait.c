/* What a listing says of each kind of wait. */
#include "debug/dumps.h"

#include <stdio.h>
#include <unistd.h>

SUITE(debug_wait);

/* What task 2 of the present listing does, up to the first comma behind these words. */
static void check_waits(const char *expected) {
    check_contains(line_of(dump(), "task 2 "), expected);
}

/* ---- Time and tasks ---- */

static int sleep_till(void *deadline) {
    return coir_sleep_until(*(coir_time *)deadline);
}

TASK_TEST(debug_wait, sleep) {
    coir_time deadline = coir_after(COIR_MS(1500));
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sleep_till, &deadline), 0);
    check_rc(coir_sleep(COIR_MS(300)), 0);
    check_waits(": sleeps until 1.2 s from now, for 300 ms; ");
    end_scope(&s);
    return 0;
}

static int join_it(void *task) {
    return coir_join(*(coir_task *)task, NULL);
}

TASK_TEST(debug_wait, join) {
    COIR_SCOPE(s);
    coir_task fetch = spawn_waiting(&s, "fetch", sleep_for_ever, NULL);
    (void)spawn_waiting(&s, NULL, join_it, &fetch);
    check_contains(line_of(dump(), "task 3 "), ": waits for join of task 'fetch', for ");
    end_scope(&s);
    return 0;
}

struct tasks {
    coir_task tasks[5];
    size_t count;
};

static int wait_for_all(void *arg) {
    const struct tasks *const it = arg;
    return coir_wait(it->tasks, it->count, COIR_ALL_COMPLETED, COIR_NEVER);
}

TASK_TEST(debug_wait, ends_of_tasks) {
    struct tasks some = {.count = 2}, many = {.count = 5};
    COIR_SCOPE(s);
    for (size_t i = 0; i < many.count; i++)
        many.tasks[i] = spawn_waiting(&s, words("t%zu", i), sleep_for_ever, NULL);
    memcpy(some.tasks, many.tasks, 2 * sizeof some.tasks[0]);
    (void)spawn_waiting(&s, NULL, wait_for_all, &some);
    (void)spawn_waiting(&s, NULL, wait_for_all, &many);
    const char *const text = dump_as(.grouping = COIR_GROUPING_NONE);
    check_contains(line_of(text, "task 7 "), "ends among 2 tasks: task 't0', task 't1', for ");
    check_contains(line_of(text, "task 8 "),
                   "ends among 5 tasks: task 't0', task 't1', task 't2', task 't3', ..., for ");
    end_scope(&s);
    return 0;
}

static int close_a_scope(UNUSED void *arg) {
    COIR_SCOPE(s, .name = "batch");
    COIR_TRY(coir_spawn(&s, sleep_for_ever, NULL));
    return coir_scope_close(&s, 0);
}

static int start_one(UNUSED void *arg) {
    COIR_SCOPE(s, .name = "services");
    return coir_scope_close(&s, coir_start(&s, sleep_for_ever, NULL, NULL));
}

static int next_of(UNUSED void *arg) {
    coir_task task;
    COIR_SCOPE(s, .name = "race");
    COIR_TRY(coir_spawn_task(&s, sleep_for_ever, NULL, &task));
    return coir_scope_close(&s, coir_next(&s, NULL, NULL));
}

TASK_TEST(debug_wait, scopes) {
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "a", close_a_scope, NULL);
    (void)spawn_waiting(&s, "b", start_one, NULL);
    (void)spawn_waiting(&s, "c", next_of, NULL);
    const char *const text = dump();
    check_contains(text, "'a': waits for close of scope 'batch', for ");
    check_contains(text, "'b': waits for a start in scope 'services', for ");
    check_contains(text, "'c': waits for next end in scope 'race', for ");
    end_scope(&s);
    return 0;
}

/* ---- Synchronisation ---- */

static int lock_it(void *mutex) {
    COIR_TRY(coir_mutex_lock(mutex));
    const int rc = coir_sleep(COIR_NEVER);
    (void)coir_mutex_unlock(mutex);
    return rc;
}

TASK_TEST(debug_wait, mutex) {
    coir_mutex mutex = {.coir__lock.owner = NULL};
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "writer", lock_it, &mutex);
    (void)spawn_waiting(&s, NULL, lock_it, &mutex);
    check_contains(line_of(dump(), "task 3 "),
                   words(": waits for mutex %p held by task 'writer', for ", (void *)&mutex));
    end_scope(&s);
    return 0;
}

static int read_under(void *rwlock) {
    COIR_TRY(coir_rwlock_read_lock(rwlock));
    const int rc = coir_sleep(COIR_NEVER);
    (void)coir_rwlock_unlock(rwlock);
    return rc;
}

static int write_under(void *rwlock) {
    COIR_TRY(coir_rwlock_write_lock(rwlock));
    const int rc = coir_sleep(COIR_NEVER);
    (void)coir_rwlock_unlock(rwlock);
    return rc;
}

TASK_TEST(debug_wait, rwlock) {
    coir_rwlock rwlock = {.coir__readers = 0}, *const it = &rwlock;
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "reader", read_under, it);
    (void)spawn_waiting(&s, "writer", write_under, it);
    (void)spawn_waiting(&s, "late", read_under, it);
    const char *text = dump();
    check_contains(text, words("'writer': waits for write lock %p held by 1 reader, ", (void *)it));
    check_contains(text,
                   words("'late': waits for read lock %p behind a writer that waits", (void *)it));
    end_scope(&s);
    COIR_SCOPE(t);
    (void)spawn_waiting(&t, "writer", write_under, it);
    (void)spawn_waiting(&t, "late", read_under, it);
    check_contains(dump(), words("read lock %p held by task 'writer', for ", (void *)it));
    end_scope(&t);
    return 0;
}

struct condition {
    coir_mutex mutex;
    coir_cond cond;
};

static int wait_on(void *arg) {
    struct condition *const it = arg;
    COIR_TRY(coir_mutex_lock(&it->mutex));
    const int rc = coir_cond_wait(&it->cond, &it->mutex);
    (void)coir_mutex_unlock(&it->mutex);
    return rc;
}

TASK_TEST(debug_wait, condition) {
    struct condition it = {.mutex = {.coir__lock.owner = NULL}};
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, NULL, wait_on, &it);
    check_waits(
        words(": waits for condition %p of mutex %p, for ", (void *)&it.cond, (void *)&it.mutex));
    (void)spawn_waiting(&s, "owner", lock_it, &it.mutex);
    check_waits(words(" of mutex %p held by task 'owner', for ", (void *)&it.mutex));
    end_scope(&s);
    return 0;
}

static int wait_for_event(void *event) {
    return coir_event_wait(event);
}

static int take_permit(void *semaphore) {
    return coir_semaphore_acquire(semaphore);
}

static int enter_limiter(void *limiter) {
    COIR_TRY(coir_limiter_acquire(limiter));
    const int rc = coir_sleep(COIR_NEVER);
    (void)coir_limiter_release(limiter);
    return rc;
}

static int meet(void *barrier) {
    return coir_barrier_wait(barrier);
}

TASK_TEST(debug_wait, event_semaphore_limiter_barrier) {
    coir_event event = {.coir__set = false};
    coir_semaphore semaphore = {.coir__value = 0};
    coir_limiter limiter = {.coir__limit = 0};
    coir_barrier barrier;
    check_rc(coir_limiter_set_limit(&limiter, 1), 0);
    check_rc(coir_barrier_init(&barrier, 3), 0);
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "e", wait_for_event, &event);
    (void)spawn_waiting(&s, "s", take_permit, &semaphore);
    (void)spawn_waiting(&s, "l1", enter_limiter, &limiter);
    (void)spawn_waiting(&s, "l2", enter_limiter, &limiter);
    (void)spawn_waiting(&s, "b1", meet, &barrier);
    (void)spawn_waiting(&s, "b2", meet, &barrier);
    const char *const text = dump();
    check_contains(text, words("'e': waits for event %p, for ", (void *)&event));
    check_contains(text, words("'s': waits for semaphore %p, for ", (void *)&semaphore));
    check_contains(
        text, words("'l2': waits for limiter %p (1 of 1 permits held), for ", (void *)&limiter));
    check_contains(text,
                   words("'b1': waits for barrier %p (2 of 3 are there), ", (void *)&barrier));
    end_scope(&s);
    check_rc(coir_limiter_destroy(&limiter), 0);
    return 0;
}

static int run_slowly(UNUSED void *arg) {
    return coir_sleep(COIR_NEVER);
}

static int run_once(void *once) {
    return coir_once_run(once, run_slowly, NULL);
}

TASK_TEST(debug_wait, once) {
    coir_once once = {.coir__done = false};
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "first", run_once, &once);
    (void)spawn_waiting(&s, NULL, run_once, &once);
    check_contains(line_of(dump(), "task 3 "),
                   words(": waits for once %p run by task 'first', for ", (void *)&once));
    end_scope(&s);
    return 0;
}

/* ---- Channels and select ---- */

static int send_forever(void *channel) {
    const int item = 1;
    int rc;
    do
        rc = coir_channel_send(channel, &item);
    while (rc == 0);
    return rc;
}

static int recv_one(void *channel) {
    int item;
    return coir_channel_recv(channel, &item);
}

static int join_channel(void *channel) {
    return coir_channel_join(channel);
}

TASK_TEST(debug_wait, channel) {
    coir_channel *buffered, *bare;
    check_rc(coir_channel_create(&buffered, sizeof(int), 8, NULL), 0);
    check_rc(coir_channel_create(&bare, sizeof(int), 0, NULL), 0);
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "r", recv_one, bare);
    check_contains(dump(), words("'r': waits for receive from channel %p (without a buffer), for ",
                                 (void *)bare));
    (void)spawn_waiting(&s, "r8", recv_one, buffered);
    const char *text = dump_as(.grouping = COIR_GROUPING_NONE);
    check_contains(text, words("'r8': waits for receive from channel %p (0 of 8 items), for ",
                               (void *)buffered));
    (void)spawn_waiting(&s, "s8", send_forever, buffered);
    (void)spawn_waiting(&s, "j8", join_channel, buffered);
    text = dump();
    check_contains(
        text, words("'s8': waits for send to channel %p (8 of 8 items), for ", (void *)buffered));
    check_contains(text, words("'j8': waits for items to be done of channel %p (9 are not), for ",
                               (void *)buffered));
    end_scope(&s);
    check_rc(coir_channel_destroy(buffered), 0);
    check_rc(coir_channel_destroy(bare), 0);
    return 0;
}

struct selection {
    coir_case cases[5];
    size_t count;
};

static int select_one(void *arg) {
    struct selection *const it = arg;
    return coir_select(it->cases, it->count, 0);
}

TASK_TEST(debug_wait, select) {
    int into, from = 1, ends[2];
    coir_channel *channel;
    check_rc(coir_channel_create(&channel, sizeof(int), 0, NULL), 0);
    check_int(pipe(ends), 0);
    check_rc(coir_adopt(ends[0]), 0);
    COIR_SCOPE(s);
    const coir_task task = spawn_waiting(&s, "fetch", sleep_for_ever, NULL);
    struct selection one = {.cases = {coir_case_send(channel, &from)}, .count = 1},
                     many = {.cases = {coir_case_send(channel, &from),
                                       coir_case_task(task),
                                       coir_case_fd(ends[0], COIR_READABLE),
                                       {.kind = COIR_CASE_NONE},
                                       coir_case_send(channel, &from)},
                             .count = 5},
                     receiving = {.cases = {coir_case_recv(channel, &into)}, .count = 1};
    (void)spawn_waiting(&s, "many", select_one, &many);
    (void)spawn_waiting(&s, "one", select_one, &one);
    const char *const text = dump();
    check_contains(text, words("'one': waits for select over 1 case: send to channel %p, for ",
                               (void *)channel));
    check_contains(line_of(text, "task 3 'many': "),
                   words("select over 5 cases: send to channel %p; end of task 'fetch'; fd %d, "
                         "pipe:[",
                         (void *)channel, ends[0]));
    check_contains(line_of(text, "task 3 'many': "), "; nothing; ..., for ");
    check_rc(select_one(&receiving), 0);
    end_scope(&s);
    check_rc(coir_channel_destroy(channel), 0);
    check_rc(coir_close(ends[0]), 0);
    check_int(close(ends[1]), 0);
    return 0;
}

/* ---- Descriptors ---- */

static int read_it(void *fd) {
    char byte;
    return (int)coir_read(*(int *)fd, &byte, 1);
}

static int poll_it(void *fd) {
    return coir_poll(*(int *)fd, COIR_READABLE);
}

static int write_it(void *fd) {
    static const char much[65536];
    ssize_t rc;
    do
        rc = coir_write(*(int *)fd, much, sizeof much);
    while (rc >= 0);
    return (int)rc;
}

static int accept_it(void *fd) {
    return coir_accept(*(int *)fd);
}

TASK_TEST(debug_wait, sockets) {
    char here[COIR_ADDRESS_SIZE], there[COIR_ADDRESS_SIZE];
    int listener = coir_listen("127.0.0.1:0");
    check(listener >= 0);
    check_rc(coir_socket_address(listener, here, sizeof here), 0);
    int client = coir_connect(here);
    check(client >= 0);
    const int server = coir_accept(listener);
    check(server >= 0);
    check_rc(coir_socket_address(client, there, sizeof there), 0);
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "r", read_it, &client);
    (void)spawn_waiting(&s, "a", accept_it, &listener);
    (void)spawn_waiting(&s, "w", write_it, &client);
    const char *const text = dump();
    check_contains(text, words("'r': waits for read on fd %d, %s → %s, for ", client, there, here));
    check_contains(text,
                   words("'w': waits for write on fd %d, %s → %s, for ", client, there, here));
    check_contains(text, words("'a': waits for read on fd %d, %s, for ", listener, here));
    end_scope(&s);
    check_rc(coir_close(client), 0);
    check_rc(coir_close(server), 0);
    check_rc(coir_close(listener), 0);
    return 0;
}

TASK_TEST(debug_wait, other_descriptors) {
    int ends[2];
    check_int(pipe(ends), 0);
    check_rc(coir_adopt(ends[0]), 0);
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, NULL, poll_it, &ends[0]);
    check_waits(words(": waits for poll of fd %d, pipe:[", ends[0]));
    end_scope(&s);
    check_rc(coir_close(ends[0]), 0);
    check_int(close(ends[1]), 0);
    return 0;
}

/* ---- Threads ---- */

static _Atomic bool may_end;

static int compress(UNUSED void *arg) {
    while (!may_end)
        usleep(1000);
    return 0;
}

static int offload_it(UNUSED void *arg) {
    return coir_offload(compress, NULL);
}

TASK_TEST_REAL(debug_wait, offloaded_call) {
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, NULL, offload_it, NULL);
    check_waits(": waits for offloaded call of 'compress', for ");
    may_end = true;
    return coir_scope_close(&s, 0);
}

/* ---- Extensions ---- */

static bool let_go(UNUSED coir_waiter *wait) {
    return true;
}

static int park_numbered(UNUSED void *arg) {
    coir_waiter wait = {.cut = let_go, .what = "ticket", .number = 42, .numbered = true};
    return coir_park(&wait);
}

static int park_nameless(void *arg) {
    coir_waiter wait = {.cut = let_go, .object = arg};
    return coir_park(&wait);
}

/* Words alone do not make it a mutex. */
static int park_as_a_mutex(void *arg) {
    coir_waiter wait = {.cut = let_go, .what = "mutex", .object = arg};
    return coir_park(&wait);
}

TASK_TEST(debug_wait, waits_of_extensions) {
    int thing;
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "n", park_numbered, NULL);
    (void)spawn_waiting(&s, "o", park_nameless, &thing);
    (void)spawn_waiting(&s, "m", park_as_a_mutex, (void *)1);
    const char *const text = dump();
    check_contains(text, "'n': waits for ticket 42, for ");
    check_contains(text, words("'o': waits for something %p, for ", (void *)&thing));
    check_contains(text, "'m': waits for mutex 0x1, for ");
    end_scope(&s);
    return 0;
}
