/* What a deadlock has to say: who waits for whom in a circle, and how it ends. */
#include "support.h"

#include <stdarg.h>
#include <stdio.h>

SUITE(debug_deadlock);

/* Runs the body, which must deadlock; what that wrote. */
static const char *deadlock_of(coir_fn body, void *arg) {
    capture_stderr();
    const int rc = run_task(body, arg);
    const char *const text = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_contains(text, "coir: deadlock: all tasks wait");
    check_contains(text, "coir_run will return -EDEADLK");
    return text;
}

static int spawn_named(coir_scope *scope, const char *name, coir_fn fn, void *arg, coir_task *out) {
    return coir_spawn_with(scope, fn, arg, &(const coir_spawn_options){.name = name, .task = out});
}

/* printf into one of a few buffers. */
static const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text_of(const char *format, ...) {
    static char texts[4][512];
    static unsigned next;
    char *const text = texts[next++ % COUNT_OF(texts)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof texts[0], format, arguments);
    va_end(arguments);
    return text;
}

/* ---- Mutexes ---- */

struct ring {
    coir_mutex *mutexes;
    size_t count, begun;
};

/* Takes the mutex of its number, and then the next one. */
static int dine(void *arg) {
    struct ring *const ring = arg;
    const size_t mine = ring->begun++;
    COIR_TRY(coir_mutex_lock(&ring->mutexes[mine]));
    COIR_TRY(coir_yield());
    const int rc = coir_mutex_lock(&ring->mutexes[(mine + 1) % ring->count]);
    (void)coir_mutex_unlock(&ring->mutexes[mine]);
    return rc;
}

static int dine_in_a_ring(void *arg) {
    struct ring *const ring = arg;
    COIR_SCOPE(s, .name = "table");
    for (size_t i = 0; i < ring->count; i++)
        COIR_TRY(spawn_named(&s, text_of("p%zu", i), dine, ring, NULL));
    return coir_scope_close(&s, 0);
}

Test(debug_deadlock, two_mutexes_in_opposite_orders) {
    coir_mutex mutexes[2] = {{.coir__lock.owner = NULL}};
    struct ring ring = {.mutexes = mutexes, .count = 2};
    const char *const text = deadlock_of(dine_in_a_ring, &ring);
    check_contains(text, text_of("coir: a circle: task 'p0' waits for mutex %p held by task 'p1',\n"
                                 "    which waits for mutex %p held by task 'p0'\n",
                                 (void *)&mutexes[1], (void *)&mutexes[0]));
    check_int(occurrences(text, "a circle"), 1);
}

Test(debug_deadlock, a_long_circle_is_told_in_part) {
    coir_mutex mutexes[60] = {{.coir__lock.owner = NULL}};
    struct ring ring = {.mutexes = mutexes, .count = COUNT_OF(mutexes)};
    const char *const text = deadlock_of(dine_in_a_ring, &ring);
    check_contains(text, "which waits for mutex");
    check_contains(text, ",\n    and so on, over 44 more tasks, back to the first\n");
    check_int(occurrences(text, "a circle"), 1);
}

static int dine_in_six_rings(void *arg) {
    struct ring *const rings = arg;
    COIR_SCOPE(s);
    for (size_t i = 0; i < 6; i++)
        COIR_TRY(coir_spawn(&s, dine_in_a_ring, &rings[i]));
    return coir_scope_close(&s, 0);
}

Test(debug_deadlock, of_many_circles_the_first_are_told) {
    coir_mutex mutexes[6][3] = {{{.coir__lock.owner = NULL}}};
    struct ring rings[6];
    for (size_t i = 0; i < COUNT_OF(rings); i++)
        rings[i] = (struct ring){.mutexes = mutexes[i], .count = 3};
    const char *const text = deadlock_of(dine_in_six_rings, rings);
    check_int(occurrences(text, "a circle"), 4);
    check_contains(text, "coir: 2 more circles of that kind");
}

/* ---- Other waits in the circle ---- */

static int lock_and_unlock(void *mutex) {
    COIR_TRY(coir_mutex_lock(mutex));
    return coir_mutex_unlock(mutex);
}

static int close_with_the_mutex_held(void *mutex) {
    COIR_TRY(coir_mutex_lock(mutex));
    COIR_SCOPE(s, .name = "workers");
    for (int i = 0; i < 100; i++)
        COIR_TRY(spawn_named(&s, text_of("worker %d", i), lock_and_unlock, mutex, NULL));
    const int rc = coir_scope_close(&s, 0);
    (void)coir_mutex_unlock(mutex);
    return rc;
}

Test(debug_deadlock, children_wait_for_what_their_closing_parent_holds) {
    coir_mutex mutex = {.coir__lock.owner = NULL};
    const char *const text = deadlock_of(close_with_the_mutex_held, &mutex);
    check_contains(text, text_of("a circle: task 'main' waits for close of scope 'workers' and in "
                                 "it for task 'worker 0',\n"
                                 "    which waits for mutex %p held by task 'main'\n",
                                 (void *)&mutex));
    check_int(occurrences(text, "a circle"), 1);
}

static int join_with_the_mutex_held(void *mutex) {
    coir_task task;
    COIR_SCOPE(s);
    COIR_TRY(coir_mutex_lock(mutex));
    COIR_TRY(spawn_named(&s, "joined", lock_and_unlock, mutex, &task));
    const int rc = coir_join(task, NULL);
    (void)coir_mutex_unlock(mutex);
    return coir_scope_close(&s, rc);
}

Test(debug_deadlock, join_of_a_task_that_waits_for_my_mutex) {
    coir_mutex mutex = {.coir__lock.owner = NULL};
    const char *const text = deadlock_of(join_with_the_mutex_held, &mutex);
    check_contains(text, text_of("a circle: task 'main' waits for join of task 'joined',\n"
                                 "    which waits for mutex %p held by task 'main'\n",
                                 (void *)&mutex));
}

struct book {
    coir_rwlock lock;
    bool reader_writes;
};

static int read_book(void *arg) {
    struct book *const book = arg;
    COIR_TRY(book->reader_writes ? coir_rwlock_write_lock(&book->lock)
                                 : coir_rwlock_read_lock(&book->lock));
    return coir_rwlock_unlock(&book->lock);
}

static int join_while_writing(void *arg) {
    struct book *const book = arg;
    coir_task task;
    COIR_SCOPE(s);
    COIR_TRY(coir_rwlock_write_lock(&book->lock));
    COIR_TRY(spawn_named(&s, "reader", read_book, book, &task));
    const int rc = coir_join(task, NULL);
    (void)coir_rwlock_unlock(&book->lock);
    return coir_scope_close(&s, rc);
}

Test(debug_deadlock, rwlocks_held_by_a_writer) {
    for (int writes = 0; writes <= 1; writes++) {
        struct book book = {.reader_writes = writes == 1};
        const char *const text = deadlock_of(join_while_writing, &book);
        check_contains(text, text_of("which waits for %s lock %p held by task 'main'\n",
                                     writes == 1 ? "write" : "read", (void *)&book.lock));
    }
}

struct setup {
    coir_once once;
    coir_scope scope;
};

static int do_nothing(UNUSED void *arg) {
    return 0;
}

static int wait_for_setup(void *arg) {
    return coir_once_run(&((struct setup *)arg)->once, do_nothing, NULL);
}

static int set_up(void *arg) {
    struct setup *const setup = arg;
    COIR_TRY(spawn_named(&setup->scope, "user", wait_for_setup, setup, NULL));
    return coir_scope_close(&setup->scope, 0);
}

static int set_up_once(void *arg) {
    struct setup *const setup = arg;
    COIR_TRY(coir_scope_open(&setup->scope, .name = "setup"));
    return coir_once_run(&setup->once, set_up, setup);
}

Test(debug_deadlock, a_once_that_waits_for_its_waiter) {
    struct setup setup = {.once = {.coir__done = false}};
    const char *const text = deadlock_of(set_up_once, &setup);
    check_contains(text,
                   text_of("which waits for once %p run by task 'main'\n", (void *)&setup.once));
}

/* ---- No circle ---- */

static int wait_for_nobody(UNUSED void *arg) {
    coir_event event = {.coir__set = false};
    return coir_event_wait(&event);
}

Test(debug_deadlock, a_wait_that_nobody_could_end_is_no_circle) {
    const char *const text = deadlock_of(wait_for_nobody, NULL);
    check_contains(text, "event");
    check_int(occurrences(text, "circle"), 0);
}

static int end_with_the_semaphore(void *arg) {
    coir_task task;
    coir_semaphore *const semaphore = arg;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_task(&s, wait_for_nobody, NULL, &task));
    COIR_TRY(coir_join(task, NULL));
    return coir_scope_close(&s, coir_semaphore_acquire(semaphore));
}

Test(debug_deadlock, a_chain_is_no_circle) {
    coir_semaphore semaphore;
    check_rc(coir_semaphore_init(&semaphore, 1, 0), 0);
    check_int(occurrences(deadlock_of(end_with_the_semaphore, &semaphore), "circle"), 0);
}
