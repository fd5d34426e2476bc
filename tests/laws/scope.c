/* The laws of scopes under every schedule: nothing outlives its scope, cancellation is level
 * triggered, and close returns what law 7 says. */
#include "laws/laws.h"

LAWS(laws_scope);

/* What close must return where only the body (which came to `body`), the children in `ends` and the
 * scope's own cancel or deadline had a say. */
static int expected(const coir_scope *s, int body) {
    if (body < 0 && body != -ECANCELED)
        return body;
    if (earliest_error() != 0)
        return earliest_error();
    if (coir_scope_expired(s) && ends.cut)
        return -ETIMEDOUT;
    return body == -ECANCELED ? 0 : body;
}

static void check_all_ended(size_t spawned) {
    check_int(ends.begun, spawned); /* law 10: a spawned body always runs */
    check_int(ends.count, spawned); /* law 6: close joins every child */
    check_rc(coir_check(), 0);      /* law 8: leaving the scope is the uncancel */
}

LAW(laws_scope, the_first_failure_cancels_its_siblings_and_is_returned) {
    struct stepper children[] = {STEPPER(1, -EIO), STEPPER(2, -EPROTO), STEPPER(2, 0)};
    ends_clear();
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(children); i++)
        check_rc(coir_spawn(&s, step, &children[i]), 0);
    const int body = steps(2);
    check_rc(coir_scope_close(&s, body), expected(&s, body));
    check_all_ended(COUNT_OF(children));
    check(coir_scope_cancelled(&s));
}

LAW(laws_scope, completion_failure_and_deadline_meet) {
    struct stepper a = STEPPER(2, 0), b = STEPPER(1, choose(2) != 0 ? -EIO : 0);
    struct sleeper c = {COIR_MS(1), 0};
    ends_clear();
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(2)));
    check_rc(coir_spawn(&s, step, &a), 0);
    check_rc(coir_spawn(&s, step, &b), 0);
    check_rc(coir_spawn(&s, sleep_then, &c), 0);
    const int body = steps(1);
    check_rc(coir_scope_close(&s, body), expected(&s, body));
    check_all_ended(3);
}

LAW(laws_scope, completion_failure_and_a_cancel_from_elsewhere_meet) {
    struct stepper a = STEPPER(2, 0), b = STEPPER(1, -EIO);
    struct sleeper c = {COIR_MS(1), 0};
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct canceller canceller = {.scope = &s, .steps = 1};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, step, &a), 0);
    check_rc(coir_spawn(&s, step, &b), 0);
    check_rc(coir_spawn(&s, sleep_then, &c), 0);
    const int body = steps(0);
    check_rc(coir_scope_close(&s, body), expected(&s, body));
    check_int(ends.count, 3);
    check_rc(coir_check(), 0);
    check_rc(coir_scope_close(&around, 0), 0);
}

LAW(laws_scope, under_supervision_nobody_is_cut) {
    struct stepper children[] = {STEPPER(1, -EIO), STEPPER(1, -EPROTO), STEPPER(3, 0)};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (size_t i = 0; i < COUNT_OF(children); i++)
        check_rc(coir_spawn(&s, step, &children[i]), 0);
    check_rc(coir_scope_close(&s, steps(2)), earliest_error());
    check(!ends.cut);
    check_all_ended(COUNT_OF(children));
}

LAW(laws_scope, the_first_success_ends_a_race) {
    struct stepper children[] = {STEPPER(2, -EIO), STEPPER(3, 4),
                                 STEPPER(2, choose(2) != 0 ? 5 : -EPROTO)};
    ends_clear();
    COIR_SCOPE(s, .policy = COIR_RACE);
    for (size_t i = 0; i < COUNT_OF(children); i++)
        check_rc(coir_spawn(&s, step, &children[i]), 0);
    const int body = steps(1);
    const int rc = coir_scope_close(&s, body);
    check_all_ended(COUNT_OF(children));
    bool won = false;
    for (size_t i = 0; i < ends.count; i++) {
        if (!won)
            check(ends.rc[i] != -ECANCELED); /* nobody is cut before there is a winner */
        won = won || ends.rc[i] >= 0;
    }
    check(won);
    check_rc(rc, 0);
}

/* Two scopes of one task, cancelled or timed out by different hands: what was cut inside is
 * credited to the outer one if that is cancelled by the time the inner is closed. */
LAW(laws_scope, the_outermost_takes_the_credit) {
    struct stepper a = STEPPER(2, 0);
    struct sleeper b = {COIR_MS(3), 0};
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(outer);
    COIR_SCOPE(inner, .deadline = coir_after(COIR_MS(2)));
    struct canceller canceller = {.scope = &outer, .steps = 1};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&inner, step, &a), 0);
    check_rc(coir_spawn(&inner, sleep_then, &b), 0);
    const int body = steps(1);
    const int rc = coir_scope_close(&inner, body);
    check_int(ends.count, 2);
    if (!ends.cut)
        check_rc(rc, 0);
    else
        check_rc(rc, coir_scope_cancelled(&outer) ? -ECANCELED : -ETIMEDOUT);
    check_rc(coir_check(), coir_scope_cancelled(&outer) ? -ECANCELED : 0);
    check_rc(coir_scope_close(&outer, rc == -ETIMEDOUT ? 0 : rc), 0);
    check_rc(coir_check(), 0);
    check_rc(coir_scope_close(&around, 0), 0);
}

/* ---- Spawning while it closes ---- */

struct spawner {
    coir_scope *scope;
    struct stepper child;
    int steps, rc;
};

static int spawn_later(void *arg) {
    struct spawner *const spawner = arg;
    for (int i = 0; i < spawner->steps; i++)
        check_rc(coir_yield(), 0);
    spawner->rc = coir_spawn(spawner->scope, step, &spawner->child);
    return 0;
}

LAW(laws_scope, what_is_spawned_into_a_closing_scope_is_waited_for) {
    struct stepper child = STEPPER(1, 0);
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct spawner stranger = {.scope = &s, .child = STEPPER(1, 0), .steps = choose(4)};
    struct spawner another = {.scope = &s, .child = STEPPER(0, 0), .steps = 1};
    check_rc(coir_spawn(&around, spawn_later, &stranger), 0);
    check_rc(coir_spawn(&around, spawn_later, &another), 0);
    check_rc(coir_spawn(&s, step, &child), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ends.count, ends.begun);
    const size_t ended = ends.count;
    check_rc(coir_scope_close(&around, 0), 0);
    check(stranger.rc == 0 || stranger.rc == -EINVAL);
    check(another.rc == 0 || another.rc == -EINVAL);
    check_int(ended, 1 + (stranger.rc == 0) + (another.rc == 0));
    check_int(ends.count, ended);
}

static int spawn_grandchild(void *arg) {
    struct spawner *const spawner = arg;
    begin();
    const int rc = steps(spawner->steps);
    check_rc(coir_spawn(spawner->scope, step, &spawner->child), 0);
    return end(rc < 0 ? rc : -EIO); /* which cancels it before it runs, or while */
}

LAW(laws_scope, a_child_of_a_failing_child_is_cut_too) {
    ends_clear();
    COIR_SCOPE(s);
    struct spawner a = {.scope = &s, .child = STEPPER(2, 0), .steps = 1};
    struct spawner b = {.scope = &s, .child = STEPPER(2, 0), .steps = 2};
    struct stepper c = STEPPER(2, 0);
    check_rc(coir_spawn(&s, spawn_grandchild, &a), 0);
    check_rc(coir_spawn(&s, spawn_grandchild, &b), 0);
    check_rc(coir_spawn(&s, step, &c), 0);
    const int body = steps(2);
    check_rc(coir_scope_close(&s, body), -EIO);
    check_all_ended(5);
}

/* ---- Shields ---- */

static bool cleaned_up;

static int clean_up_shielded(UNUSED void *arg) {
    begin();
    const int rc = steps(2);
    COIR_SCOPE(shielded, .shield = true);
    check_rc(steps(2), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_scope_close(&shielded, 0), 0);
    const int after = coir_check();
    check_rc(after, rc < 0 ? -ECANCELED : after);
    ends.cut |= after < 0;
    cleaned_up = true;
    return end(rc);
}

LAW(laws_scope, a_shield_keeps_cancels_and_deadlines_off) {
    ends_clear();
    cleaned_up = false;
    COIR_SCOPE(around);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(2)));
    struct canceller canceller = {.scope = &s, .steps = 2};
    struct stepper sibling = STEPPER(2, 0);
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, clean_up_shielded, NULL), 0);
    check_rc(coir_spawn(&s, step, &sibling), 0);
    const int rc = coir_scope_close(&s, 0);
    check(cleaned_up);
    check_rc(rc, ends.cut && coir_scope_expired(&s) ? -ETIMEDOUT : 0);
    check_rc(coir_scope_close(&around, 0), 0);
}

static int lower_shield(void *arg) {
    check_rc(coir_yield(), 0);
    check_rc(coir_scope_set_shield(arg, false), 0);
    return 0;
}

/* Waits under a shield that somebody else lowers. */
static int wait_shielded(void *around) {
    COIR_SCOPE(shielded, .shield = true);
    check_rc(coir_spawn(around, lower_shield, &shielded), 0);
    begin();
    const int rc = coir_sleep(COIR_NEVER);
    check_rc(rc, -ECANCELED);
    check_rc(coir_scope_close(&shielded, rc), rc);
    return end(rc);
}

LAW(laws_scope, lowering_a_shield_lets_a_cancel_in) {
    struct stepper other = STEPPER(4, 0);
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct canceller canceller = {.scope = &s, .steps = 2};
    check_rc(coir_spawn(&s, wait_shielded, &around), 0);
    check_rc(coir_spawn(&s, step, &other), 0);
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ends.count, 2);
    check_rc(coir_scope_close(&around, 0), 0);
}

/* ---- Deadlines that move ---- */

struct mover {
    coir_scope *scope;
    coir_time deadline;
    int rc;
};

static int move_deadline(void *arg) {
    struct mover *const mover = arg;
    check_rc(coir_yield(), 0);
    mover->rc = coir_scope_set_deadline(mover->scope, mover->deadline);
    return 0;
}

LAW(laws_scope, a_deadline_is_moved_while_it_strikes) {
    struct sleeper child = {COIR_MS(4), 0};
    const coir_time to[] = {COIR_MS(1), COIR_MS(6), COIR_NEVER, -1};
    const coir_time moved_to = coir_after(to[choose(COUNT_OF(to))]);
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(2)));
    struct mover mover = {.scope = &s, .deadline = moved_to};
    struct canceller canceller = {.scope = &s, .steps = 2};
    check_rc(coir_spawn(&around, move_deadline, &mover), 0);
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&s, sleep_then, &child), 0);
    const int body = steps(1);
    check_rc(coir_scope_close(&s, body), expected(&s, body));
    check_int(ends.count, 1);
    check_rc(coir_check(), 0);
    check_rc(coir_scope_close(&around, 0), 0);
    check(mover.rc == 0 || mover.rc == -EINVAL);
}

/* ---- The owner's exit ---- */

/* Leaves its scope without closing it: the guard cancels and joins. */
static int leave_early(void *arg) {
    struct stepper *const children = arg;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, step, &children[0]), 0);
    check_rc(coir_spawn(&s, step, &children[1]), 0);
    return steps(1);
}

LAW(laws_scope, a_scope_left_early_is_cancelled_and_joined) {
    struct stepper children[] = {STEPPER(2, 0), STEPPER(1, -EIO)};
    coir_task task;
    ends_clear();
    COIR_SCOPE(around);
    check_rc(coir_spawn_task(&around, leave_early, children, &task), 0);
    struct canceller canceller = {.task = task, .steps = 1};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_join(task, NULL), 0);
    check_int(ends.begun, 2 * (ends.begun > 0));
    check_int(ends.count, ends.begun);
    check_rc(coir_scope_close(&around, 0), 0);
}
