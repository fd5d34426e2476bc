/* Semaphores: permits are neither lost nor made, and go to those who wait in their order. */
#include "help.h"

#include <limits.h>

SUITE(sync_semaphore);

struct visitor {
    coir_semaphore *semaphore;
    const char *name;
    int at_ms, stay_ms;
    int rc;
    int *inside, *most;
};

static int visit(void *arg) {
    struct visitor *const v = arg;
    COIR_TRY(coir_sleep(COIR_MS(v->at_ms)));
    v->rc = coir_semaphore_acquire(v->semaphore);
    trace("%s%s", v->name, v->rc == 0 ? "" : "-cut");
    COIR_TRY(v->rc);
    if (v->inside != NULL && ++*v->inside > *v->most)
        *v->most = *v->inside;
    (void)coir_sleep(COIR_MS(v->stay_ms));
    if (v->inside != NULL)
        --*v->inside;
    return coir_semaphore_release(v->semaphore);
}

static int acquire(void *arg) {
    struct visitor *const v = arg;
    v->rc = coir_semaphore_acquire(v->semaphore);
    trace("%s%s", v->name, v->rc == 0 ? "" : "-cut");
    return v->rc;
}

static void spawn_three(coir_scope *s, coir_semaphore *semaphore, struct visitor visitors[3],
                        coir_task tasks[3]) {
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        visitors[i] = (struct visitor){.semaphore = semaphore, .name = names[i], .rc = 1};
        tasks[i] = spawn_now(s, acquire, &visitors[i]);
    }
}

/* ---- Values ---- */

TASK_TEST(sync_semaphore, zeroed_memory_is_one_without_permits) {
    coir_semaphore semaphore = {0};
    check_int(coir_semaphore_value(&semaphore), 0);
    check_rc(coir_semaphore_try_acquire(&semaphore), -EAGAIN);
    for (int i = 0; i < 3; i++)
        check_rc(coir_semaphore_release(&semaphore), 0);
    check_int(coir_semaphore_value(&semaphore), 3);
    check_rc(coir_semaphore_acquire(&semaphore), 0);
    check_rc(coir_semaphore_try_acquire(&semaphore), 0);
    check_int(coir_semaphore_value(&semaphore), 1);
    check_rc(coir_semaphore_destroy(&semaphore), 0);
    check_int(coir_semaphore_value(&semaphore), 0);
    return 0;
}

Test(sync_semaphore, values_and_bounds_have_a_range) {
    coir_semaphore semaphore = {0};
    check_rc(coir_semaphore_init(NULL, 1, 1), -EINVAL);
    check_rc(coir_semaphore_init(&semaphore, -1, 0), -EINVAL);
    check_rc(coir_semaphore_init(&semaphore, LONG_MIN, 0), -EINVAL);
    check_rc(coir_semaphore_init(&semaphore, 0, -1), -EINVAL);
    check_rc(coir_semaphore_init(&semaphore, 2, 1), -EINVAL);
    check_int(coir_semaphore_value(&semaphore), 0);
    check_rc(coir_semaphore_init(&semaphore, 2, 2), 0);
    check_int(coir_semaphore_value(&semaphore), 2);
    check_rc(coir_semaphore_init(&semaphore, LONG_MAX, 0), 0);
    check_int(coir_semaphore_value(&semaphore), LONG_MAX);
}

Test(sync_semaphore, outside_the_runtime_it_is_refused) {
    coir_semaphore semaphore;
    check_rc(coir_semaphore_init(&semaphore, 1, 2), 0);
    check_rc(coir_semaphore_acquire(&semaphore), -EPERM);
    check_rc(coir_semaphore_try_acquire(&semaphore), -EPERM);
    check_rc(coir_semaphore_release(&semaphore), -EPERM);
    check_int(coir_semaphore_value(&semaphore), 1);
    check_rc(coir_semaphore_destroy(&semaphore), 0);
    check_rc(coir_semaphore_destroy(NULL), 0);
}

TASK_TEST(sync_semaphore, null_is_refused) {
    check_rc(coir_semaphore_acquire(NULL), -EINVAL);
    check_rc(coir_semaphore_try_acquire(NULL), -EINVAL);
    check_rc(coir_semaphore_release(NULL), -EINVAL);
    check_int(coir_semaphore_value(NULL), 0);
    return 0;
}

TASK_TEST(sync_semaphore, a_bound_is_kept) {
    coir_semaphore semaphore;
    check_rc(coir_semaphore_init(&semaphore, 1, 2), 0);
    check_rc(coir_semaphore_release(&semaphore), 0);
    check_rc(coir_semaphore_release(&semaphore), -EOVERFLOW);
    check_int(coir_semaphore_value(&semaphore), 2);
    check_rc(coir_semaphore_acquire(&semaphore), 0);
    check_rc(coir_semaphore_release(&semaphore), 0);
    check_rc(coir_semaphore_release(&semaphore), -EOVERFLOW);
    check_rc(coir_semaphore_init(&semaphore, LONG_MAX, 0), 0);
    check_rc(coir_semaphore_release(&semaphore), -EOVERFLOW);
    check_int(coir_semaphore_value(&semaphore), LONG_MAX);
    return 0;
}

/* ---- Order ---- */

TASK_TEST_SEEDS(sync_semaphore, as_many_as_permits_are_inside) {
    coir_semaphore semaphore;
    int inside = 0, most = 0;
    struct visitor visitors[7];
    check_rc(coir_semaphore_init(&semaphore, 3, 3), 0);
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i] = (struct visitor){
            .semaphore = &semaphore, .name = "x", .stay_ms = 2, .inside = &inside, .most = &most};
        check_rc(coir_spawn(&s, visit, &visitors[i]), 0);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(most, 3);
    check_int(coir_semaphore_value(&semaphore), 3);
    return 0;
}

TASK_TEST_SEEDS(sync_semaphore, release_hands_over_there_and_then) {
    coir_semaphore semaphore = {0};
    struct visitor visitors[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_three(&s, &semaphore, visitors, tasks);
    for (int i = 0; i < 3; i++) {
        check_rc(coir_semaphore_release(&semaphore), 0);
        check_int(coir_semaphore_value(&semaphore), 0);
        check_rc(coir_semaphore_try_acquire(&semaphore), -EAGAIN);
        pass(1);
        check(coir_task_done(tasks[i]));
    }
    check_trace("a b c");
    check_rc(coir_semaphore_release(&semaphore), 0);
    check_int(coir_semaphore_value(&semaphore), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Cancellation ---- */

TASK_TEST_SEEDS(sync_semaphore, a_cut_waiter_takes_no_permit) {
    for (int cut = 0; cut < 3; cut++) {
        coir_semaphore semaphore = {0};
        struct visitor visitors[3];
        coir_task tasks[3];
        COIR_SCOPE(s);
        spawn_three(&s, &semaphore, visitors, tasks);
        check(coir_task_cancel(tasks[cut]));
        check_rc(coir_semaphore_release(&semaphore), 0);
        check_rc(coir_semaphore_release(&semaphore), 0);
        check_rc(coir_scope_close(&s, 0), 0);
        for (int i = 0; i < 3; i++)
            check_rc(visitors[i].rc, i == cut ? -ECANCELED : 0);
        check_int(coir_semaphore_value(&semaphore), 0);
        check_rc(coir_semaphore_destroy(&semaphore), 0);
    }
    return 0;
}

static int acquire_and_wait(void *semaphore) {
    check_rc(coir_semaphore_acquire(semaphore), 0);
    check_rc(coir_yield(), -ECANCELED);
    return coir_semaphore_release(semaphore);
}

TASK_TEST_SEEDS(sync_semaphore, what_was_handed_over_survives_a_cancel) {
    coir_semaphore semaphore = {0};
    COIR_SCOPE(s);
    const coir_task task = spawn_now(&s, acquire_and_wait, &semaphore);
    check_rc(coir_semaphore_release(&semaphore), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_semaphore_value(&semaphore), 1);
    return 0;
}

TASK_TEST_SEEDS(sync_semaphore, a_cancelled_task_takes_no_permit) {
    coir_semaphore semaphore;
    check_rc(coir_semaphore_init(&semaphore, 1, 1), 0);
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_semaphore_acquire(&semaphore), -ECANCELED);
    check_int(coir_semaphore_value(&semaphore), 1);
    check_rc(coir_semaphore_try_acquire(&semaphore), 0);
    check_rc(coir_semaphore_release(&semaphore), 0);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    return 0;
}

/* Four visitors for two permits; one of them is cancelled, or reaches its deadline, at some
 * instant. The others all get in, and both permits are there in the end. */
TASK_TEST_SEEDS(sync_semaphore, a_deadline_at_every_instant_loses_no_permit) {
    for (int victim = 0; victim < 4; victim++) {
        for (int at = 0; at <= 9; at++) {
            coir_semaphore semaphore;
            int inside = 0, most = 0;
            struct visitor visitors[4];
            check_rc(coir_semaphore_init(&semaphore, 2, 2), 0);
            COIR_SCOPE(s);
            COIR_SCOPE(limited, .deadline = coir_after(COIR_MS(at)));
            for (int i = 0; i < 4; i++) {
                visitors[i] = (struct visitor){.semaphore = &semaphore,
                                               .name = "x",
                                               .at_ms = 1 + i / 2,
                                               .stay_ms = 3,
                                               .rc = 1,
                                               .inside = &inside,
                                               .most = &most};
                check_rc(coir_spawn(i == victim ? &limited : &s, visit, &visitors[i]), 0);
            }
            const int rc = coir_scope_close(&limited, 0);
            check(rc == 0 || rc == -ETIMEDOUT);
            check_rc(coir_scope_close(&s, 0), 0);
            for (int i = 0; i < 4; i++)
                if (i != victim)
                    check_rc(visitors[i].rc, 0);
            check_int(most, 2);
            check_int(coir_semaphore_value(&semaphore), 2);
            check_rc(coir_semaphore_destroy(&semaphore), 0);
            trace_clear();
        }
    }
    return 0;
}

/* ---- Destroying, looking ---- */

TASK_TEST_SEEDS(sync_semaphore, one_that_is_waited_for_is_not_destroyed) {
    coir_semaphore semaphore = {0};
    struct visitor visitors[3];
    coir_task tasks[3];
    COIR_SCOPE(s);
    spawn_three(&s, &semaphore, visitors, tasks);
    check_rc(coir_semaphore_destroy(&semaphore), -EBUSY);
    check_contains(listing(), named("semaphore", &semaphore));
    coir_scope_cancel(&s);
    check_rc(coir_semaphore_destroy(&semaphore), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Many ---- */

struct worker {
    coir_semaphore *semaphore;
    uint32_t *state;
    int *inside, *rounds;
};

static int work(void *arg) {
    const struct worker *const w = arg;
    for (int i = 0; i < 20; i++) {
        COIR_TRY(coir_semaphore_acquire(w->semaphore));
        check(++*w->inside <= 3);
        for (unsigned yields = draw(w->state, 3); yields > 0; yields--)
            (void)coir_yield();
        --*w->inside;
        ++*w->rounds;
        check_rc(coir_semaphore_release(w->semaphore), 0);
    }
    return 0;
}

TASK_TEST_SEEDS(sync_semaphore, permits_are_kept_whoever_is_cancelled) {
    static uint32_t state = 1;
    coir_semaphore semaphore;
    int inside = 0, rounds = 0;
    struct worker worker = {&semaphore, &state, &inside, &rounds};
    coir_task tasks[12];
    check_rc(coir_semaphore_init(&semaphore, 3, 3), 0);
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        check_rc(coir_spawn_task(&s, work, &worker, &tasks[i]), 0);
    for (int i = 0; i < 6; i++) {
        for (unsigned yields = draw(&state, 20); yields > 0; yields--)
            check_rc(coir_yield(), 0);
        (void)coir_task_cancel(tasks[draw(&state, COUNT_OF(tasks))]);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    check(rounds >= 6 * 20);
    check_int(coir_semaphore_value(&semaphore), 3);
    check_rc(coir_semaphore_destroy(&semaphore), 0);
    return 0;
}
