/* CASES.md, section G: conditions. Each test bears the number of its case. */
#include "sync/help.h"

SUITE(cases_g);

struct room {
    coir_mutex mutex;
    coir_cond cond;
    bool open;
    int looks;
};

static bool holds(const coir_mutex *mutex) {
    return coir_task_equal(coir_mutex_owner(mutex), coir_self());
}

struct guest {
    struct room *room;
    const char *name;
    int rc;
};

static int wait_in_room(void *arg) {
    struct guest *const g = arg;
    check_rc(coir_mutex_lock(&g->room->mutex), 0);
    g->rc = coir_cond_wait(&g->room->cond, &g->room->mutex);
    check(holds(&g->room->mutex));
    trace("%s%s", g->name, g->rc == 0 ? "" : "-cut");
    check_rc(coir_mutex_unlock(&g->room->mutex), 0);
    return g->rc;
}

static void spawn_guests(coir_scope *s, struct room *room, struct guest guests[4],
                         coir_task tasks[4]) {
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        guests[i] = (struct guest){.room = room, .name = names[i], .rc = 1};
        tasks[i] = spawn_now(s, wait_in_room, &guests[i]);
    }
}

static void notify(struct room *room, size_t count, int woken) {
    check_rc(coir_mutex_lock(&room->mutex), 0);
    check_rc(coir_cond_signal(&room->cond, &room->mutex, count), woken);
    check_rc(coir_mutex_unlock(&room->mutex), 0);
    pass(1);
}

TASK_TEST_SEEDS(cases_g, G01_notify_one_several_more_than_wait_and_all) {
    struct room room = {.open = false};
    struct guest guests[4];
    coir_task tasks[4];
    COIR_SCOPE(s);
    notify(&room, 1, 0); /* nobody waits: it is not remembered */
    spawn_guests(&s, &room, guests, tasks);
    notify(&room, 1, 1);
    check_trace("a");
    notify(&room, 2, 2);
    check_trace("a b c");
    notify(&room, 1024, 1);
    check_trace("a b c d");
    check_rc(coir_scope_close(&s, 0), 0);
    trace_clear();
    COIR_SCOPE(all);
    spawn_guests(&all, &room, guests, tasks);
    check_rc(coir_mutex_lock(&room.mutex), 0);
    check_rc(coir_cond_broadcast(&room.cond, &room.mutex), 4);
    check_rc(coir_mutex_unlock(&room.mutex), 0);
    check_rc(coir_scope_close(&all, 0), 0);
    check_trace("a b c d");
    return 0;
}

TASK_TEST_SEEDS(cases_g, G02_a_cancelled_wait_returns_holding_the_lock) {
    struct room room = {.open = false};
    struct guest guests[4];
    coir_task tasks[4];
    COIR_SCOPE(s);
    spawn_guests(&s, &room, guests, tasks);
    check(coir_task_cancel(tasks[1]));
    pass(1);
    check_trace("b-cut");
    notify(&room, 4, 3);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("b-cut a c d");
    check_rc(guests[1].rc, -ECANCELED);
    check_rc(coir_cond_destroy(&room.cond), 0);
    return 0;
}

TASK_TEST(cases_g, G05_wait_and_notify_without_the_lock_are_refused) {
    struct room room = {.open = false};
    check_rc(coir_cond_wait(&room.cond, &room.mutex), -EPERM);
    check_rc(coir_cond_signal(&room.cond, &room.mutex, 1), -EPERM);
    check_rc(coir_cond_broadcast(&room.cond, &room.mutex), -EPERM);
    return 0;
}

static bool is_open(void *arg) {
    struct room *const room = arg;
    room->looks++;
    return room->open;
}

static int wait_until_open(void *arg) {
    struct room *const room = arg;
    check_rc(coir_mutex_lock(&room->mutex), 0);
    const int rc = coir_cond_wait_for(&room->cond, &room->mutex, is_open, room);
    check(holds(&room->mutex));
    check_rc(coir_mutex_unlock(&room->mutex), 0);
    return rc;
}

TASK_TEST_SEEDS(cases_g, G06_a_predicate_is_waited_for_through_spurious_wakes) {
    struct room room = {.open = false};
    COIR_SCOPE(s);
    const coir_task task = spawn_now(&s, wait_until_open, &room);
    notify(&room, 1, 1);
    notify(&room, 1, 1);
    check(!coir_task_done(task));
    check_int(room.looks, 3);
    room.open = true;
    notify(&room, 1, 1);
    check_rc(coir_task_result(task), 0);
    check_int(room.looks, 4);
    const coir_time then = coir_now();
    check_rc(wait_until_open(&room), 0); /* true at once: no wait */
    check_int(room.looks, 5);
    check_int(coir_now(), then);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(cases_g, G07_a_deadline_around_a_wait_leaves_the_lock_held) {
    struct room room = {.open = false};
    check_rc(coir_mutex_lock(&room.mutex), 0);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(5)));
    const int rc = coir_cond_wait(&room.cond, &room.mutex);
    check_rc(rc, -ECANCELED);
    check(holds(&room.mutex));
    check_rc(coir_scope_close(&s, rc), -ETIMEDOUT);
    check(holds(&room.mutex));
    return coir_mutex_unlock(&room.mutex);
}

static int hold_for_5_ms(void *arg) {
    struct room *const room = arg;
    check_rc(coir_mutex_lock(&room->mutex), 0);
    pass(5);
    return coir_mutex_unlock(&room->mutex);
}

/* Also when somebody else holds it at the moment of the cut. */
TASK_TEST_SEEDS(cases_g, G10_after_a_cut_the_unlock_succeeds) {
    struct room room = {.open = false};
    COIR_SCOPE(s);
    check_rc(coir_mutex_lock(&room.mutex), 0);
    check_rc(coir_spawn(&s, hold_for_5_ms, &room), 0);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(2)), .move_on = true);
    check_rc(coir_cond_wait(&room.cond, &room.mutex), -ECANCELED);
    check_int(coir_now() - coir_scope_deadline(&limit), COIR_MS(3));
    check_rc(coir_mutex_unlock(&room.mutex), 0);
    check_rc(coir_scope_close(&limit, 0), 0);
    check(coir_scope_expired(&limit));
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}
