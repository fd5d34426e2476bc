/* Conditions: who is woken in what order, and that a wait always comes back with its mutex, be it
 * signalled, cut, both, or neither because the mutex is lost. */
#include "help.h"

SUITE(sync_cond);

/* A mutex, a condition, and how many are between lock and unlock. */
struct place {
    coir_mutex mutex;
    coir_cond cond;
    int inside;
};

static void enter(struct place *place) {
    check_rc(coir_mutex_lock(&place->mutex), 0);
    check_int(++place->inside, 1);
}

static void leave(struct place *place) {
    check_int(--place->inside, 0);
    check_rc(coir_mutex_unlock(&place->mutex), 0);
}

/* Waits on the condition; whatever it returns, the mutex is held, or lost. */
static int wait_inside(struct place *place) {
    check_int(--place->inside, 0);
    const int rc = coir_cond_wait(&place->cond, &place->mutex);
    if (rc == -EOWNERDEAD) {
        check_rc(coir_mutex_unlock(&place->mutex), -EPERM);
        return rc;
    }
    check(coir_task_equal(coir_mutex_owner(&place->mutex), coir_self()));
    check_int(++place->inside, 1);
    return rc;
}

struct waiter {
    struct place *place;
    const char *name;
    int rc, yields;
    bool forgets;
};

/* Enters, waits once, leaves after some yields. */
static int wait_once(void *arg) {
    struct waiter *const w = arg;
    enter(w->place);
    w->rc = wait_inside(w->place);
    const char *const how = w->rc == 0 ? "" : w->rc == -ECANCELED ? "-cut" : "-dead";
    trace("%s%s", w->name, how);
    for (int i = 0; i < w->yields; i++)
        (void)coir_yield();
    if (w->forgets)
        w->place->inside--;
    else if (w->rc != -EOWNERDEAD)
        leave(w->place);
    return w->rc;
}

/* Waiters a, b, c, d wait in that order when this returns. */
static void spawn_waiters(coir_scope *s, struct place *place, struct waiter *waiters,
                          coir_task *tasks, size_t count) {
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < count; i++) {
        waiters[i].place = place;
        waiters[i].name = names[i];
        waiters[i].rc = 1;
        tasks[i] = spawn_now(s, wait_once, &waiters[i]);
    }
}

static void signal_inside(struct place *place, size_t count, int woken) {
    enter(place);
    check_rc(coir_cond_signal(&place->cond, &place->mutex, count), woken);
    leave(place);
}

static void check_at_rest(struct place *place) {
    check_int(place->inside, 0);
    check_rc(coir_cond_destroy(&place->cond), 0);
    check_rc(coir_mutex_destroy(&place->mutex), 0);
}

/* ---- Misuse ---- */

Test(sync_cond, outside_the_runtime_it_is_refused) {
    struct place place = {.inside = 0};
    check_rc(coir_cond_wait(&place.cond, &place.mutex), -EPERM);
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), -EPERM);
    check_rc(coir_cond_broadcast(&place.cond, &place.mutex), -EPERM);
    check_rc(coir_cond_destroy(&place.cond), 0);
    check_rc(coir_cond_destroy(NULL), 0);
}

static bool never(UNUSED void *arg) {
    cr_assert(false, "the predicate was called");
    return false;
}

TASK_TEST(sync_cond, null_is_refused) {
    struct place place = {.inside = 0};
    enter(&place);
    check_rc(coir_cond_wait(NULL, &place.mutex), -EINVAL);
    check_rc(coir_cond_wait(&place.cond, NULL), -EINVAL);
    check_rc(coir_cond_wait_for(NULL, &place.mutex, never, NULL), -EINVAL);
    check_rc(coir_cond_wait_for(&place.cond, NULL, never, NULL), -EINVAL);
    check_rc(coir_cond_wait_for(&place.cond, &place.mutex, NULL, NULL), -EINVAL);
    check_rc(coir_cond_signal(NULL, &place.mutex, 1), -EINVAL);
    check_rc(coir_cond_signal(&place.cond, NULL, 1), -EINVAL);
    check_rc(coir_cond_broadcast(NULL, &place.mutex), -EINVAL);
    check_rc(coir_cond_broadcast(&place.cond, NULL), -EINVAL);
    leave(&place);
    return 0;
}

static int use_without_mutex(void *arg) {
    struct place *const place = arg;
    check_rc(coir_cond_wait(&place->cond, &place->mutex), -EPERM);
    check_rc(coir_cond_wait_for(&place->cond, &place->mutex, never, NULL), -EPERM);
    check_rc(coir_cond_signal(&place->cond, &place->mutex, 1), -EPERM);
    check_rc(coir_cond_broadcast(&place->cond, &place->mutex), -EPERM);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, without_the_mutex_it_is_refused) {
    struct place place = {.inside = 0};
    COIR_SCOPE(s);
    check_rc(use_without_mutex(&place), 0); /* nobody has it */
    enter(&place);
    check_rc(coir_spawn(&s, use_without_mutex, &place), 0);
    pass(1);
    leave(&place);
    check_rc(coir_scope_close(&s, 0), 0);
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, one_condition_goes_with_one_mutex) {
    struct place place = {.inside = 0};
    struct waiter waiter = {.place = &place, .name = "a"};
    coir_mutex other = {0};
    COIR_SCOPE(s);
    (void)spawn_now(&s, wait_once, &waiter);
    check_rc(coir_mutex_lock(&other), 0);
    check_rc(coir_cond_wait(&place.cond, &other), -EINVAL);
    check_rc(coir_cond_signal(&place.cond, &other, 1), -EINVAL);
    check_rc(coir_cond_broadcast(&place.cond, &other), -EINVAL);
    signal_inside(&place, 1, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_cond_signal(&place.cond, &other, 1), 0); /* now nobody waits with the first */
    check_rc(coir_mutex_unlock(&other), 0);
    check_at_rest(&place);
    return 0;
}

/* ---- Order ---- */

TASK_TEST_SEEDS(sync_cond, signal_wakes_as_many_as_asked_for_in_order) {
    struct place place = {.inside = 0};
    struct waiter waiters[4] = {{.yields = 2}, {.yields = 2}, {.yields = 2}, {.yields = 2}};
    coir_task tasks[4];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 4);
    signal_inside(&place, 0, 0);
    pass(1);
    check_trace("");
    signal_inside(&place, 1, 1);
    pass(1);
    check_trace("a");
    signal_inside(&place, 2, 2);
    pass(1);
    check_trace("a b c");
    signal_inside(&place, 5, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b c d");
    signal_inside(&place, 1, 0);
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, broadcast_wakes_all_in_order) {
    struct place place = {.inside = 0};
    struct waiter waiters[4] = {{.yields = 3}, {.yields = 1}, {.yields = 0}, {.yields = 2}};
    coir_task tasks[4];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 4);
    enter(&place);
    check_rc(coir_cond_broadcast(&place.cond, &place.mutex), 4);
    check_rc(coir_cond_broadcast(&place.cond, &place.mutex), 0);
    trace("signalled");
    leave(&place);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("signalled a b c d");
    check_at_rest(&place);
    return 0;
}

static int enter_and_leave(void *arg) {
    enter(arg);
    trace("locker");
    leave(arg);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, the_signalled_queue_behind_those_who_wait_for_the_mutex) {
    struct place place = {.inside = 0};
    struct waiter waiters[2] = {{.rc = 0}};
    coir_task tasks[2];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 2);
    enter(&place);
    (void)spawn_now(&s, enter_and_leave, &place);
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), 1);
    leave(&place);
    check_rc(coir_mutex_try_lock(&place.mutex), -EAGAIN);
    pass(1);
    check_trace("locker a");
    signal_inside(&place, 1, 1);
    check_rc(coir_scope_close(&s, 0), 0);
    check_at_rest(&place);
    return 0;
}

/* ---- Predicates ---- */

struct stock {
    struct place place;
    int count, looks;
};

static bool has_stock(void *arg) {
    struct stock *const stock = arg;
    stock->looks++;
    return stock->count > 0;
}

static int take_stock(void *arg) {
    struct stock *const stock = arg;
    check_rc(coir_mutex_lock(&stock->place.mutex), 0);
    const int rc = coir_cond_wait_for(&stock->place.cond, &stock->place.mutex, has_stock, stock);
    if (rc == 0)
        stock->count--;
    check_rc(coir_mutex_unlock(&stock->place.mutex), 0);
    return rc;
}

TASK_TEST_SEEDS(sync_cond, wait_for_returns_when_the_predicate_holds) {
    struct stock stock = {.count = 1};
    COIR_SCOPE(s);
    check_rc(take_stock(&stock), 0); /* holds at once: no wait */
    check_int(stock.looks, 1);
    const coir_task task = spawn_now(&s, take_stock, &stock);
    enter(&stock.place);
    check_rc(coir_cond_signal(&stock.place.cond, &stock.place.mutex, 1), 1);
    check_rc(coir_cond_signal(&stock.place.cond, &stock.place.mutex, 1), 0); /* on its way */
    leave(&stock.place);
    pass(1);
    check(!coir_task_done(task));
    check_int(stock.looks, 3);
    enter(&stock.place);
    stock.count = 1;
    check_rc(coir_cond_signal(&stock.place.cond, &stock.place.mutex, 1), 1);
    leave(&stock.place);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(stock.looks, 4);
    check_int(stock.count, 0);
    check_at_rest(&stock.place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, wait_for_is_cut_too) {
    struct stock stock = {.count = 0};
    COIR_SCOPE(s);
    const coir_task task = spawn_now(&s, take_stock, &stock);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    COIR_SCOPE(cancelled);
    enter(&stock.place);
    coir_scope_cancel(&cancelled);
    check_rc(coir_cond_wait_for(&stock.place.cond, &stock.place.mutex, never, NULL), -ECANCELED);
    leave(&stock.place);
    check_rc(coir_scope_close(&cancelled, 0), 0);
    check_at_rest(&stock.place);
    return 0;
}

/* ---- Cancellation ---- */

TASK_TEST_SEEDS(sync_cond, cut_while_the_mutex_is_free_it_holds_it_there_and_then) {
    struct place place = {.inside = 0};
    struct waiter waiters[1] = {{.rc = 0}};
    coir_task tasks[1];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 1);
    check(coir_task_cancel(tasks[0]));
    check(coir_task_equal(coir_mutex_owner(&place.mutex), tasks[0]));
    check_rc(coir_cond_destroy(&place.cond), 0);
    check_rc(coir_mutex_try_lock(&place.mutex), -EAGAIN);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(waiters[0].rc, -ECANCELED);
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, cut_while_the_mutex_is_held_it_waits_for_it) {
    struct place place = {.inside = 0};
    struct waiter waiters[1] = {{.rc = 0}};
    coir_task tasks[1];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 1);
    enter(&place);
    check(coir_task_cancel(tasks[0]));
    check_rc(coir_cond_destroy(&place.cond), 0); /* it has left the condition */
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), 0);
    pass(1);
    check_trace("");
    leave(&place);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a-cut");
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, all_cut_at_once_come_back_one_by_one) {
    struct place place = {.inside = 0};
    struct waiter waiters[4] = {{.yields = 2}, {.yields = 1}, {.yields = 3}};
    coir_task tasks[4];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 4);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a-cut b-cut c-cut d-cut");
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, cut_first_the_signal_goes_to_the_next) {
    struct place place = {.inside = 0};
    struct waiter waiters[2] = {{.rc = 0}};
    coir_task tasks[2];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 2);
    enter(&place);
    check(coir_task_cancel(tasks[0]));
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), 1);
    leave(&place);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a-cut b");
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, signalled_first_it_returns_0) {
    struct place place = {.inside = 0};
    struct waiter waiters[2] = {{.yields = 1}};
    coir_task tasks[2];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 2);
    enter(&place);
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), 1);
    check(coir_task_cancel(tasks[0])); /* it is in the queue of the mutex */
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), 1);
    leave(&place);
    check(coir_task_cancel(tasks[1]));
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b");
    check_at_rest(&place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, cancelled_before_it_does_not_let_go_of_the_mutex) {
    struct place place = {.inside = 0};
    COIR_SCOPE(s);
    enter(&place);
    coir_scope_cancel(&s);
    check_rc(wait_inside(&place), -ECANCELED);
    leave(&place);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    check_at_rest(&place);
    return 0;
}

/* Waits within a deadline while another task holds the mutex past it. */
static int wait_in_time(void *arg) {
    struct place *const place = arg;
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(2)));
    enter(place);
    const int rc = wait_inside(place);
    check_rc(rc, -ECANCELED);
    check_int(coir_now() - coir_scope_deadline(&s), COIR_MS(3));
    check(coir_scope_expired(&s));
    leave(place);
    check_rc(coir_scope_close(&s, rc), -ETIMEDOUT);
    return coir_check();
}

TASK_TEST_SEEDS(sync_cond, a_late_cut_is_still_the_deadlines) {
    struct place place = {.inside = 0};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, wait_in_time, &place), 0);
    pass(1);
    enter(&place);
    pass(4);
    leave(&place);
    check_rc(coir_scope_close(&s, 0), 0);
    check_at_rest(&place);
    return 0;
}

/* The body forgets what it was told; the scopes do not. */
static int wait_and_forget(void *arg) {
    struct place *const place = arg;
    enter(place);
    check_rc(wait_inside(place), -ECANCELED);
    leave(place);
    return 0;
}

TASK_TEST_SEEDS(sync_cond, a_late_cut_is_reported_by_the_scope) {
    struct place place = {.inside = 0};
    COIR_SCOPE(outer, .deadline = coir_after(COIR_MS(2)));
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, wait_and_forget, &place), 0);
    pass(1);
    COIR_SCOPE(shielded, .shield = true);
    enter(&place);
    pass(4);
    leave(&place);
    check_rc(coir_scope_close(&shielded, 0), 0);
    check_rc(coir_scope_close(&s, 0), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), -ETIMEDOUT);
    check_at_rest(&place);
    return 0;
}

/* Two wait. One of them is cancelled at some instant, a signal for one is given at 3 ms, by a task
 * that holds the mutex from 2 to 5 ms. Whatever happens, one of them has the signal. */
static int signal_at_3_ms(void *arg) {
    struct place *const place = arg;
    pass(2);
    enter(place);
    pass(1);
    const int woken = coir_cond_signal(&place->cond, &place->mutex, 1);
    pass(2);
    leave(place);
    return woken;
}

TASK_TEST_SEEDS(sync_cond, a_cancel_at_every_instant_loses_no_signal) {
    for (size_t victim = 0; victim < 2; victim++) {
        for (int at = 0; at <= 7; at++) {
            struct place place = {.inside = 0};
            struct waiter waiters[2] = {{.rc = 0}};
            coir_task tasks[2], signaller;
            COIR_SCOPE(s);
            spawn_waiters(&s, &place, waiters, tasks, 2);
            check_rc(coir_spawn_task(&s, signal_at_3_ms, &place, &signaller), 0);
            pass(at);
            (void)coir_task_cancel(tasks[victim]);
            pass(10);
            check_rc(coir_task_result(signaller), 1);
            check((waiters[0].rc == 0) != (waiters[1].rc == 0));
            signal_inside(&place, 2, coir_task_done(tasks[1 - victim]) ? 0 : 1);
            check_rc(coir_scope_close(&s, 0), 0);
            check_rc(waiters[1 - victim].rc, 0);
            check_at_rest(&place);
            trace_clear();
        }
    }
    return 0;
}

/* ---- Owners that end ---- */

TASK_TEST_SEEDS(sync_cond, when_the_mutex_is_lost_all_who_wait_are_told) {
    struct place place = {.inside = 0};
    struct waiter waiters[4] = {{.forgets = true}};
    coir_task tasks[4];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    spawn_waiters(&s, &place, waiters, tasks, 4);
    enter(&place);
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 2), 2); /* a will own it, b be next */
    check(coir_task_cancel(tasks[2]));                           /* c is behind b, d waits still */
    leave(&place);
    check_rc(coir_scope_close(&s, 0), -EOWNERDEAD);
    check_rc(waiters[0].rc, 0);
    for (size_t i = 1; i < 4; i++)
        check_rc(waiters[i].rc, -EOWNERDEAD);
    check_at_rest(&place);
    signal_inside(&place, 1, 0); /* destroying has mended it */
    return 0;
}

struct two_conditions {
    coir_mutex mutex;
    coir_cond conds[2];
};

static int wait_on_first(void *arg) {
    struct two_conditions *const two = arg;
    check_rc(coir_mutex_lock(&two->mutex), 0);
    return coir_cond_wait(&two->conds[0], &two->mutex);
}

static int wait_on_second(void *arg) {
    struct two_conditions *const two = arg;
    check_rc(coir_mutex_lock(&two->mutex), 0);
    return coir_cond_wait(&two->conds[1], &two->mutex);
}

static int lock_and_end(void *arg) {
    return coir_mutex_lock(&((struct two_conditions *)arg)->mutex);
}

TASK_TEST_SEEDS(sync_cond, the_mutex_of_several_conditions_may_be_lost) {
    struct two_conditions two = {.mutex = {{0}}};
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    const coir_task first = spawn_now(&s, wait_on_first, &two);
    const coir_task second = spawn_now(&s, wait_on_second, &two);
    const coir_task third = spawn_now(&s, wait_on_first, &two);
    const coir_task last = spawn_now(&s, lock_and_end, &two);
    check_rc(coir_task_result(last), 0);
    check_rc(coir_task_result(first), -EOWNERDEAD);
    check_rc(coir_task_result(second), -EOWNERDEAD);
    check_rc(coir_task_result(third), -EOWNERDEAD);
    check_rc(coir_scope_close(&s, 0), -EOWNERDEAD);
    check_rc(coir_cond_destroy(&two.conds[0]), 0);
    check_rc(coir_cond_destroy(&two.conds[1]), 0);
    check_rc(coir_mutex_destroy(&two.mutex), 0);
    return 0;
}

/* ---- Destroying, looking ---- */

TASK_TEST_SEEDS(sync_cond, what_is_waited_for_is_not_destroyed) {
    struct place place = {.inside = 0};
    struct waiter waiters[1] = {{.rc = 0}};
    coir_task tasks[1];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 1);
    check_rc(coir_cond_destroy(&place.cond), -EBUSY);
    check_rc(coir_mutex_destroy(&place.mutex), -EBUSY); /* free, but it will be needed */
    signal_inside(&place, 1, 1);
    check_rc(coir_cond_destroy(&place.cond), 0);
    check_rc(coir_mutex_destroy(&place.mutex), -EBUSY);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a");
    check_at_rest(&place);
    return 0;
}

TASK_TEST(sync_cond, a_listing_says_what_a_task_waits_for) {
    struct place place = {.inside = 0};
    struct waiter waiters[1] = {{.rc = 0}};
    coir_task tasks[1];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 1);
    check_contains(listing(), named("condition", &place.cond));
    enter(&place);
    check_rc(coir_cond_signal(&place.cond, &place.mutex, 1), 1);
    check_contains(listing(), named("mutex", &place.mutex));
    leave(&place);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int wait_for_ever(UNUSED void *arg) {
    struct place place = {.inside = 0};
    struct waiter waiters[2] = {{.rc = 0}};
    coir_task tasks[2];
    COIR_SCOPE(s);
    spawn_waiters(&s, &place, waiters, tasks, 2);
    const int rc = coir_scope_close(&s, 0);
    check_rc(waiters[0].rc, -ECANCELED);
    check_rc(waiters[1].rc, -ECANCELED);
    check_at_rest(&place);
    return rc;
}

Test(sync_cond, a_signal_that_never_comes_is_a_deadlock) {
    capture_stderr();
    const int rc = run_task(wait_for_ever, NULL);
    const char *const text = captured_stderr();
    check_rc(rc, -EDEADLK);
    check_contains(text, "waits for condition");
    check_contains(text, "and 1 task as this one");
}

/* ---- Many ---- */

#define ITEMS 200
#define ROOM 3

/* The bounded buffer of the textbooks: one mutex, two conditions. */
struct buffer {
    coir_mutex mutex;
    coir_cond not_empty, not_full;
    int count, produced, consumed;
};

static bool is_not_full(void *arg) {
    const struct buffer *const b = arg;
    return b->count < ROOM;
}

static bool is_not_empty(void *arg) {
    const struct buffer *const b = arg;
    return b->count > 0 || b->consumed == ITEMS;
}

static int produce(void *arg) {
    struct buffer *const b = arg;
    for (;;) {
        COIR_TRY(coir_mutex_lock(&b->mutex));
        const int rc = coir_cond_wait_for(&b->not_full, &b->mutex, is_not_full, b);
        const bool more = rc == 0 && b->produced < ITEMS;
        if (more) {
            b->produced++;
            check(++b->count <= ROOM);
            check(coir_cond_signal(&b->not_empty, &b->mutex, 1) >= 0);
        }
        check_rc(coir_mutex_unlock(&b->mutex), 0);
        if (!more)
            return rc;
    }
}

static int consume(void *arg) {
    struct buffer *const b = arg;
    for (;;) {
        COIR_TRY(coir_mutex_lock(&b->mutex));
        const int rc = coir_cond_wait_for(&b->not_empty, &b->mutex, is_not_empty, b);
        const bool more = rc == 0 && b->consumed < ITEMS;
        if (more) {
            check(--b->count >= 0);
            b->consumed++;
            check(coir_cond_signal(&b->not_full, &b->mutex, 1) >= 0);
        }
        if (b->consumed == ITEMS)
            check(coir_cond_broadcast(&b->not_empty, &b->mutex) >= 0);
        check_rc(coir_mutex_unlock(&b->mutex), 0);
        if (!more)
            return rc;
    }
}

/* A signal that was lost, or that went to one who was cut, would leave the others waiting. */
TASK_TEST_SEEDS(sync_cond, a_bounded_buffer_survives_cancelled_users) {
    static uint32_t state = 1;
    struct buffer buffer = {.count = 0};
    coir_task tasks[8];
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        check_rc(coir_spawn_task(&s, i % 2 == 0 ? produce : consume, &buffer, &tasks[i]), 0);
    for (int i = 0; i < 6; i++) { /* one of each kind stays */
        for (unsigned yields = draw(&state, 10); yields > 0; yields--)
            check_rc(coir_yield(), 0);
        (void)coir_task_cancel(tasks[2 + draw(&state, COUNT_OF(tasks) - 2)]);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(buffer.produced, ITEMS);
    check_int(buffer.consumed, ITEMS);
    check_int(buffer.count, 0);
    check_rc(coir_cond_destroy(&buffer.not_empty), 0);
    check_rc(coir_cond_destroy(&buffer.not_full), 0);
    check_rc(coir_mutex_destroy(&buffer.mutex), 0);
    return 0;
}

/* ---- A cut that takes its time ---- */

struct scene {
    coir_mutex mutex;
    coir_cond cond;
};

static int wait_in_scene(void *arg) {
    struct scene *const scene = arg;
    COIR_TRY(coir_mutex_lock(&scene->mutex));
    const int rc = coir_cond_wait(&scene->cond, &scene->mutex);
    (void)coir_mutex_unlock(&scene->mutex);
    return rc;
}

static int hold_in_scene(void *arg) {
    struct scene *const scene = arg;
    COIR_SCOPE(calm, .shield = true);
    COIR_TRY(coir_mutex_lock(&scene->mutex));
    const int rc = coir_sleep(COIR_MS(20));
    (void)coir_mutex_unlock(&scene->mutex);
    return coir_scope_close(&calm, rc);
}

/* Between the cut and the return, for which the mutex is needed, a shield is raised: it was told to
 * stop all the same, and has not failed. */
TASK_TEST(sync_cond, who_was_cut_has_not_failed_though_a_shield_is_raised_before_it_returns) {
    struct scene scene = {.cond = {.coir__waiters = {NULL}}};
    COIR_SCOPE(outer);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, wait_in_scene, &scene), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_spawn(&s, hold_in_scene, &scene), 0);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(&outer);
    check_rc(coir_scope_set_shield(&s, true), 0);
    check_rc(coir_scope_close(&s, 0), -ECANCELED);
    check_int(coir_scope_errors(&s, NULL, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}
