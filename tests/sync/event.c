/* Events: set wakes all, once and for good; clear takes nothing back from them. */
#include "help.h"

SUITE(sync_event);

struct waiter {
    coir_event *event;
    const char *name;
    int rc;
};

static int wait_once(void *arg) {
    struct waiter *const w = arg;
    w->rc = coir_event_wait(w->event);
    trace("%s%s", w->name, w->rc == 0 ? "" : "-cut");
    return w->rc;
}

static void spawn_waiters(coir_scope *s, coir_event *event, struct waiter waiters[3],
                          coir_task tasks[3]) {
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){.event = event, .name = names[i], .rc = 1};
        tasks[i] = spawn_now(s, wait_once, &waiters[i]);
    }
}

TASK_TEST(sync_event, zeroed_memory_is_an_event_not_set) {
    coir_event event = {0};
    check(!coir_event_is_set(&event));
    check_rc(coir_event_clear(&event), 0);
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_event_set(&event), 0);
    check(coir_event_is_set(&event));
    check_rc(coir_event_wait(&event), 0);
    check_rc(coir_event_wait(&event), 0);
    check_rc(coir_event_clear(&event), 0);
    check(!coir_event_is_set(&event));
    return 0;
}

Test(sync_event, outside_the_runtime_it_is_refused) {
    coir_event event = {0};
    check_rc(coir_event_wait(&event), -EPERM);
    check_rc(coir_event_set(&event), -EPERM);
    check_rc(coir_event_clear(&event), -EPERM);
    check(!coir_event_is_set(&event));
    check_rc(coir_event_destroy(&event), 0);
    check_rc(coir_event_destroy(NULL), 0);
}

TASK_TEST(sync_event, null_is_refused) {
    check_rc(coir_event_wait(NULL), -EINVAL);
    check_rc(coir_event_set(NULL), -EINVAL);
    check_rc(coir_event_clear(NULL), -EINVAL);
    check(!coir_event_is_set(NULL));
    return 0;
}

TASK_TEST_SEEDS(sync_event, set_wakes_all) {
    coir_event event = {0};
    struct waiter waiters[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_waiters(&s, &event, waiters, tasks);
    check_trace("");
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    for (int i = 0; i < 3; i++)
        check_rc(waiters[i].rc, 0);
    check_rc(coir_event_destroy(&event), 0);
    check(!coir_event_is_set(&event));
    return 0;
}

TASK_TEST(sync_event, waiters_run_in_the_order_they_came) {
    coir_event event = {0};
    struct waiter waiters[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_waiters(&s, &event, waiters, tasks);
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_trace("a b c");
    return 0;
}

TASK_TEST_SEEDS(sync_event, clear_takes_nothing_back) {
    coir_event event = {0};
    struct waiter waiters[3], late = {.event = &event, .name = "late"};
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_waiters(&s, &event, waiters, tasks);
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_event_clear(&event), 0);
    const coir_task task = spawn_now(&s, wait_once, &late);
    for (int i = 0; i < 3; i++)
        check_rc(coir_task_result(tasks[i]), 0);
    check(!coir_task_done(task));
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(late.rc, 0);
    return 0;
}

TASK_TEST_SEEDS(sync_event, a_cut_waiter_leaves_the_others) {
    coir_event event = {0};
    struct waiter waiters[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_waiters(&s, &event, waiters, tasks);
    check(coir_task_cancel(tasks[1]));
    check_rc(coir_event_set(&event), 0);
    check(coir_task_cancel(tasks[2])); /* too late */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(waiters[0].rc, 0);
    check_rc(waiters[1].rc, -ECANCELED);
    check_rc(waiters[2].rc, 0);
    check_rc(coir_event_destroy(&event), 0);
    return 0;
}

TASK_TEST_SEEDS(sync_event, a_cancelled_task_does_not_see_that_it_is_set) {
    coir_event event = {0};
    COIR_SCOPE(s);
    check_rc(coir_event_set(&event), 0);
    coir_scope_cancel(&s);
    check_rc(coir_event_wait(&event), -ECANCELED);
    check(coir_event_is_set(&event));
    check_rc(coir_event_clear(&event), 0);
    check_rc(coir_event_set(&event), 0);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return 0;
}

static int set_at_2_ms(void *event) {
    pass(2);
    return coir_event_set(event);
}

TASK_TEST_SEEDS(sync_event, a_deadline_before_at_and_after_the_set) {
    for (int deadline = 0; deadline <= 4; deadline++) {
        coir_event event = {0};
        COIR_SCOPE(s);
        check_rc(coir_spawn(&s, set_at_2_ms, &event), 0);
        COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(deadline)));
        const int rc = coir_event_wait(&event);
        check_rc(coir_scope_close(&limit, rc), rc == 0 ? 0 : -ETIMEDOUT);
        if (deadline != 2)
            check_rc(rc, deadline < 2 ? -ECANCELED : 0);
        check_rc(coir_scope_close(&s, 0), 0);
        check_rc(coir_event_wait(&event), 0);
        check_rc(coir_event_destroy(&event), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_event, one_that_is_waited_for_is_not_destroyed) {
    coir_event event = {0};
    struct waiter waiters[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_waiters(&s, &event, waiters, tasks);
    check_rc(coir_event_destroy(&event), -EBUSY);
    check_contains(listing(), named("event", &event));
    coir_scope_cancel(&s);
    check_rc(coir_event_destroy(&event), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}
