/* Scopes: opening with every option, misuse, cancelling, deadlines, shields, policies, errors. What
 * close returns in every combination is flow/close.c's. */
#include "support.h"

SUITE(flow_scope);

static int return_zero(UNUSED void *arg) {
    return 0;
}

static int never_called(UNUSED void *arg) {
    cr_assert(false, "a body ran that must not");
    return 0;
}

static void *pointer(const int *value) {
    return (void *)(uintptr_t)value;
}

static const int io_error = -EIO, proto_error = -EPROTO, pipe_error = -EPIPE, cut = -ECANCELED;

/* ---- Opening ---- */

TASK_TEST(flow_scope, a_scope_without_children_closes_with_the_bodys_result) {
    const int results[] = {0, 1, INT32_MAX, -EIO, -ETIMEDOUT};
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        COIR_SCOPE(s);
        check_rc(coir_scope_close(&s, results[i]), results[i]);
    }
    return 0;
}

TASK_TEST(flow_scope, the_forms_of_opening_are_the_same) {
    const coir_scope_options options = {.deadline = coir_after(COIR_SEC(1)), .move_on = true};
    coir_scope a = {.coir__state = 0}, b = {.coir__state = 0}, c = {.coir__state = 0};
    check_rc(coir_scope_open(&a), 0);
    check_rc(coir_scope_open(&b, .deadline = coir_after(COIR_SEC(1)), .move_on = true), 0);
    check_rc(coir_scope_open_with(&c, &options), 0);
    check_int(coir_scope_deadline(&a), COIR_NEVER);
    check_int(coir_scope_deadline(&b), coir_scope_deadline(&c));
    check_rc(coir_scope_close(&c, 0), 0);
    check_rc(coir_scope_close(&b, 0), 0);
    coir_scope d = {.coir__state = 0};
    check_rc(coir_scope_open_with(&d, NULL), 0);
    check_rc(coir_scope_close(&d, 0), 0);
    check_rc(coir_scope_close(&a, 0), 0);
    return 0;
}

static void check_refused(const coir_scope_options *options) {
    coir_scope scope = {.coir__state = 0};
    coir_task task;
    check_rc(coir_scope_open_with(&scope, options), -EINVAL);
    check_rc(coir_spawn(&scope, never_called, NULL), -EINVAL);
    check_rc(coir_spawn_task(&scope, never_called, NULL, &task), -EINVAL);
    check_rc(coir_scope_set_deadline(&scope, COIR_NEVER), -EINVAL);
    check_rc(coir_scope_set_shield(&scope, true), -EINVAL);
    check_rc(coir_scope_close(&scope, 7), -EINVAL);
    check_rc(coir_yield(), 0);
}

TASK_TEST(flow_scope, bad_options_are_refused) {
    check_refused(&(const coir_scope_options){.policy = (coir_policy)3});
    check_refused(&(const coir_scope_options){.policy = (coir_policy)-1});
    check_refused(&(const coir_scope_options){.deadline = -1});
    check_refused(&(const coir_scope_options){.deadline = INT64_MIN});
    check_rc(coir_scope_open_with(NULL, NULL), -EINVAL);
    return 0;
}

TASK_TEST(flow_scope, a_scope_that_is_no_scope_is_refused) {
    coir_scope garbage;
    memset(&garbage, 0xa5, sizeof garbage);
    check_rc(coir_scope_open(&garbage), -EINVAL);
    check_rc(coir_spawn(&garbage, never_called, NULL), -EINVAL);
    check_rc(coir_scope_close(&garbage, 0), -EINVAL);
    check_rc(coir_scope_close(NULL, 0), -EINVAL);
    check_rc(coir_scope_set_deadline(NULL, COIR_NEVER), -EINVAL);
    check_rc(coir_scope_set_shield(NULL, true), -EINVAL);
    coir_scope_cancel(NULL);
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST(flow_scope, a_scope_is_opened_and_closed_once) {
    COIR_SCOPE(s);
    check_rc(coir_scope_open(&s), -EINVAL);
    check_rc(coir_spawn(&s, return_zero, NULL), 0); /* the open one is none the worse */
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&s, 0), -EINVAL);
    check_rc(coir_scope_open(&s), -EINVAL);
    check_rc(coir_spawn(&s, never_called, NULL), -EINVAL);
    return 0;
}

static int close_the_parents(void *scope) {
    return coir_scope_close(scope, 0);
}

TASK_TEST_SEEDS(flow_scope, only_the_opener_may_close) {
    coir_task task;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&s, close_the_parents, &s, &task), 0);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), -EPERM);
    check_rc(coir_spawn(&s, return_zero, NULL), 0);
    check_rc(coir_scope_close(&s, 0), -EPERM);
    return 0;
}

static int spawn_return_zero(void *scope) {
    return coir_spawn(scope, return_zero, NULL);
}

TASK_TEST_SEEDS(flow_scope, others_may_spawn_into_a_scope) {
    COIR_SCOPE(outer);
    COIR_SCOPE(inner);
    check_rc(coir_spawn(&outer, spawn_return_zero, &inner), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_scope_close(&inner, 0), 0);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

/* ---- Waiting for children ---- */

static int finish_later(void *arg) {
    for (int i = 0; i < 3; i++)
        COIR_TRY(coir_sleep(COIR_MS(1)));
    ++*(int *)arg;
    return 0;
}

TASK_TEST_SEEDS(flow_scope, close_waits_for_every_child) {
    int done = 0;
    COIR_SCOPE(s);
    for (int i = 0; i < 10; i++)
        check_rc(coir_spawn(&s, finish_later, &done), 0);
    check_rc(coir_scope_close(&s, 4), 4);
    check_int(done, 10);
    return 0;
}

struct tree {
    coir_scope *scope;
    int depth, *leaves;
};

static int grow(void *arg) {
    const struct tree tree = *(const struct tree *)arg;
    const struct tree below = {tree.scope, tree.depth - 1, tree.leaves};
    const coir_spawn_options copied = {.arg_size_bytes = sizeof below};
    if (tree.depth == 0) {
        ++*tree.leaves;
        return 0;
    }
    COIR_TRY(coir_yield());
    COIR_TRY(coir_spawn_with(tree.scope, grow, (void *)(uintptr_t)&below, &copied));
    return coir_spawn_with(tree.scope, grow, (void *)(uintptr_t)&below, &copied);
}

TASK_TEST_SEEDS(flow_scope, children_may_spawn_into_a_closing_scope) {
    int leaves = 0;
    COIR_SCOPE(s);
    struct tree tree = {&s, 6, &leaves};
    check_rc(coir_spawn(&s, grow, &tree), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(leaves, 64);
    return 0;
}

struct latecomer {
    coir_scope *scope;
    int *done;
};

static int spawn_a_latecomer(void *arg) {
    const struct latecomer *const latecomer = arg;
    return coir_spawn(latecomer->scope, finish_later, latecomer->done);
}

/* The last child ends, and before the owner, who is ready by then, runs, somebody spawns another.
 */
TASK_TEST_SEEDS(flow_scope, close_waits_for_one_that_comes_as_the_last_one_ends) {
    int done = 0;
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct latecomer latecomer = {&s, &done};
    check_rc(coir_spawn(&s, return_zero, NULL), 0);
    check_rc(coir_spawn(&around, spawn_a_latecomer, &latecomer), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    const int done_at_close = done;
    const int rc = coir_scope_close(&around, 0);
    check_int(done, done_at_close); /* 0 where the latecomer was refused: then -EINVAL tells so */
    check_rc(rc, done == 1 ? 0 : -EINVAL);
    return 0;
}

static int clean_up_slowly(void *arg) {
    const int rc = coir_sleep(COIR_NEVER);
    COIR_SCOPE(cleanup, .shield = true);
    COIR_TRY(coir_sleep(COIR_MS(30)));
    ++*(int *)arg;
    COIR_TRY(coir_scope_close(&cleanup, 0));
    return rc;
}

TASK_TEST_SEEDS(flow_scope, close_waits_for_shielded_cleanup) {
    int cleaned = 0;
    const coir_time began = coir_now();
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    for (int i = 0; i < 3; i++)
        check_rc(coir_spawn(&s, clean_up_slowly, &cleaned), 0);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_int(cleaned, 3);
    check_int(coir_now() - began, COIR_MS(40));
    return 0;
}

struct closing {
    coir_scope *outer;
    coir_task task;
};

static int cancel_task_later(void *arg) {
    const struct closing *const closing = arg;
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check(coir_task_cancel(closing->task));
    return 0;
}

static int close_while_cancelled(void *arg) {
    int cleaned = 0;
    struct closing *const closing = arg;
    closing->task = coir_self();
    check_rc(coir_spawn(closing->outer, cancel_task_later, closing), 0);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, clean_up_slowly, &cleaned), 0);
    check_rc(coir_scope_close(&s, 0), -ECANCELED);
    check_int(cleaned, 1);
    check_rc(coir_yield(), -ECANCELED);
    return -ECANCELED;
}

TASK_TEST_SEEDS(flow_scope, close_cannot_be_interrupted) {
    COIR_SCOPE(s);
    struct closing closing = {.outer = &s};
    check_rc(coir_spawn(&s, close_while_cancelled, &closing), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* ---- Cancelling ---- */

TASK_TEST(flow_scope, a_cancel_is_level_triggered_until_the_scope_is_left) {
    COIR_SCOPE(s);
    check_rc(coir_check(), 0);
    check(!coir_scope_cancelled(&s));
    coir_scope_cancel(&s);
    coir_scope_cancel(&s);
    check(coir_scope_cancelled(&s));
    check(!coir_scope_expired(&s));
    for (int i = 0; i < 3; i++)
        check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    check(coir_scope_cancelled(&s));
    check_rc(coir_check(), 0);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    coir_scope_cancel(&s); /* of a closed one: nothing */
    check_rc(coir_check(), 0);
    return 0;
}

TASK_TEST(flow_scope, a_cancel_before_the_opening_counts) {
    coir_scope s = {.coir__state = 0};
    coir_scope_cancel(&s);
    check(coir_scope_cancelled(&s));
    check_rc(coir_yield(), 0);
    check_rc(coir_scope_open(&s), 0);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_yield(), 0);
    return 0;
}

struct family {
    int depth, *cuts;
};

static int have_a_child(void *arg) {
    const struct family *const family = arg;
    struct family child = {family->depth - 1, family->cuts};
    COIR_SCOPE(s);
    if (family->depth > 0)
        check_rc(coir_spawn(&s, have_a_child, &child), 0);
    const int rc = coir_sleep(COIR_NEVER);
    *family->cuts += rc == -ECANCELED;
    return coir_scope_close(&s, rc);
}

TASK_TEST_SEEDS(flow_scope, a_cancel_reaches_all_descendants_at_once) {
    int cuts = 0;
    struct family family = {20, &cuts};
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, have_a_child, &family), 0);
    check_rc(coir_sleep(COIR_SEC(1)), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, 21);
    check_int(coir_now() - began, COIR_SEC(1));
    return 0;
}

static int check_cut_at_once(void *arg) {
    trace("ran");
    check_rc(coir_check(), -ECANCELED);
    const int rc = coir_yield();
    ++*(int *)arg;
    return rc;
}

TASK_TEST_SEEDS(flow_scope, a_body_spawned_into_a_cancelled_scope_runs_and_is_cut) {
    int ran = 0;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, check_cut_at_once, &ran), 0);
    coir_scope_cancel(&s);
    check_rc(coir_spawn(&s, check_cut_at_once, &ran), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(ran, 2);
    return 0;
}

/* ---- Deadlines ---- */

TASK_TEST(flow_scope, a_deadline_cuts_and_closes_with_timedout) {
    const coir_time began = coir_now();
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(40)));
    check_int(coir_scope_deadline(&s), began + COIR_MS(40));
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_int(coir_now(), began + COIR_MS(40));
    check(coir_scope_expired(&s));
    check(coir_scope_cancelled(&s));
    check_rc(coir_sleep(0), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    check(coir_scope_expired(&s));
    check_int(coir_scope_deadline(&s), began + COIR_MS(40));
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST(flow_scope, a_deadline_that_cuts_nothing_is_no_timeout) {
    COIR_SCOPE(past, .deadline = 1);
    check_rc(coir_scope_close(&past, 3), 3);
    check(!coir_scope_expired(&past));
    COIR_SCOPE(future, .deadline = coir_after(COIR_SEC(1)));
    check_rc(coir_scope_close(&future, 4), 4);
    check(!coir_scope_expired(&future));
    check_rc(coir_sleep(COIR_SEC(2)), 0);
    check(!coir_scope_expired(&future));
    return 0;
}

TASK_TEST(flow_scope, move_on_closes_an_expired_scope_with_0) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(1)), .move_on = true);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    check(coir_scope_expired(&s));
    COIR_SCOPE(errors, .deadline = coir_after(COIR_MS(1)), .move_on = true);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&errors, -EIO), -EIO);
    return 0;
}

TASK_TEST(flow_scope, a_deadline_can_be_moved_while_open) {
    const coir_time began = coir_now();
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_scope_set_deadline(&s, began + COIR_MS(50)), 0);
    check_int(coir_scope_deadline(&s), began + COIR_MS(50));
    check_rc(coir_sleep_until(began + COIR_MS(20)), 0);
    check_rc(coir_scope_set_deadline(&s, COIR_NEVER), 0);
    check_int(coir_scope_deadline(&s), COIR_NEVER);
    check_rc(coir_sleep_until(began + COIR_MS(100)), 0);
    check_rc(coir_scope_set_deadline(&s, began + COIR_MS(110)), 0);
    check_rc(coir_sleep_until(began + COIR_MS(200)), -ECANCELED);
    check_int(coir_now(), began + COIR_MS(110));
    check_rc(coir_scope_set_deadline(&s, coir_after(COIR_SEC(1))), -EINVAL);
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_rc(coir_scope_set_deadline(&s, coir_after(COIR_SEC(1))), -EINVAL);
    return 0;
}

TASK_TEST(flow_scope, bad_deadlines_are_refused) {
    COIR_SCOPE(s);
    coir_scope unopened = {.coir__state = 0};
    check_rc(coir_scope_set_deadline(&s, 0), -EINVAL);
    check_rc(coir_scope_set_deadline(&s, -1), -EINVAL);
    check_rc(coir_scope_set_deadline(&unopened, COIR_NEVER), -EINVAL);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_set_deadline(&s, coir_after(1)), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(flow_scope, a_deadline_moved_into_the_past_expires_at_once) {
    const coir_time pasts[] = {1, coir_now() - 1, coir_now()};
    for (size_t i = 0; i < COUNT_OF(pasts); i++) {
        COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1)));
        check_rc(coir_scope_set_deadline(&s, pasts[i]), 0);
        check(coir_scope_expired(&s));
        check_rc(coir_yield(), -ECANCELED);
        check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    }
    return 0;
}

static int move_deadline_forward(void *scope) {
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_rc(coir_scope_set_deadline(scope, coir_after(COIR_MS(5))), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_deadline_moved_by_another_task_reaches_the_waiting) {
    const coir_time began = coir_now();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&around, move_deadline_forward, &s), 0);
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    check_int(coir_now(), began + COIR_MS(10));
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

TASK_TEST(flow_scope, an_inner_retry_cannot_eat_an_outer_deadline) {
    int tries = 0, rc;
    COIR_SCOPE(outer, .deadline = coir_after(COIR_MS(35)));
    do {
        COIR_SCOPE(inner, .deadline = coir_after(COIR_MS(10)));
        tries++;
        rc = coir_scope_close(&inner, coir_sleep(COIR_SEC(1)));
    } while (rc == -ETIMEDOUT && tries < 100);
    check_rc(rc, -ECANCELED);
    check_int(tries, 4);
    check_rc(coir_scope_close(&outer, rc), -ETIMEDOUT);
    return 0;
}

TASK_TEST(flow_scope, the_effective_deadline_is_the_earliest_up_to_a_shield) {
    const coir_time now = coir_now();
    check_int(coir_effective_deadline(), COIR_NEVER);
    COIR_SCOPE(a, .deadline = now + 50);
    check_int(coir_effective_deadline(), now + 50);
    COIR_SCOPE(b, .deadline = now + 90);
    check_int(coir_effective_deadline(), now + 50);
    COIR_SCOPE(c, .deadline = now + 20);
    check_int(coir_effective_deadline(), now + 20);
    COIR_SCOPE(d, .deadline = now + 70, .shield = true);
    check_int(coir_effective_deadline(), now + 70);
    COIR_SCOPE(e);
    check_int(coir_effective_deadline(), now + 70);
    check_rc(coir_scope_set_deadline(&d, COIR_NEVER), 0);
    check_int(coir_effective_deadline(), COIR_NEVER);
    check_rc(coir_scope_set_shield(&d, false), 0);
    check_int(coir_effective_deadline(), now + 20);
    coir_scope_cancel(&c);
    check_int(coir_effective_deadline(), 0);
    check_rc(coir_scope_set_shield(&d, true), 0);
    check_int(coir_effective_deadline(), COIR_NEVER);
    check_rc(coir_scope_close(&e, 0), 0);
    check_rc(coir_scope_close(&d, 0), 0);
    check_int(coir_effective_deadline(), 0);
    check_rc(coir_scope_close(&c, 0), 0);
    check_int(coir_effective_deadline(), now + 50);
    check_rc(coir_scope_close(&b, 0), 0);
    check_rc(coir_scope_close(&a, 0), 0);
    check_int(coir_effective_deadline(), COIR_NEVER);
    return 0;
}

static int see_effective_deadline(void *arg) {
    check_int(coir_effective_deadline(), *(const coir_time *)arg);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, deadlines_reach_into_children) {
    coir_time due = coir_after(COIR_MS(3)), never = COIR_NEVER;
    COIR_SCOPE(a, .deadline = due);
    COIR_SCOPE(b);
    check_rc(coir_spawn(&b, see_effective_deadline, &due), 0);
    check_rc(coir_scope_close(&b, 0), 0);
    COIR_SCOPE(c, .shield = true);
    check_rc(coir_spawn(&c, see_effective_deadline, &never), 0);
    check_rc(coir_scope_close(&c, 0), 0);
    check_rc(coir_scope_close(&a, 0), 0);
    return 0;
}

TASK_TEST_REAL(flow_scope, a_deadline_counts_without_the_loop_having_looked) {
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(100)));
    const coir_time began = real_now();
    check_rc(coir_check(), 0);
    while (real_now() - began < COIR_MS(101)) {
    }
    check_rc(coir_check(), -ECANCELED);
    check_rc(coir_yield(), -ECANCELED);
    check(coir_scope_expired(&s));
    check_rc(coir_scope_close(&s, 0), -ETIMEDOUT);
    return 0;
}

/* ---- Shields ---- */

TASK_TEST(flow_scope, a_shield_keeps_the_outside_off_but_not_itself) {
    COIR_SCOPE(outer);
    coir_scope_cancel(&outer);
    COIR_SCOPE(cancelled, .shield = true);
    check_rc(coir_yield(), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&cancelled);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&cancelled, 0), 0);
    COIR_SCOPE(timed, .shield = true, .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&timed, 0), -ETIMEDOUT);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

static int toggle_shield(void *scope) {
    check_rc(coir_sleep(COIR_MS(5)), 0);
    check_rc(coir_scope_set_shield(scope, false), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, lowering_the_shield_cuts_who_waits_behind_it) {
    const coir_time began = coir_now();
    COIR_SCOPE(around);
    COIR_SCOPE(outer);
    COIR_SCOPE(inner, .shield = true);
    check_rc(coir_spawn(&around, toggle_shield, &inner), 0);
    coir_scope_cancel(&outer);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_int(coir_now() - began, COIR_MS(5));
    check_rc(coir_scope_set_shield(&inner, true), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_scope_set_shield(&inner, false), 0);
    check_rc(coir_scope_close(&inner, 0), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), 0);
    check_rc(coir_scope_set_shield(&outer, true), -EINVAL);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_shield_protects_children_too) {
    int done = 0;
    COIR_SCOPE(outer);
    COIR_SCOPE(inner, .shield = true);
    check_rc(coir_spawn(&inner, finish_later, &done), 0);
    coir_scope_cancel(&outer);
    check_rc(coir_scope_close(&inner, 0), 0);
    check_int(done, 1);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

static int shield_and_sleep(void *arg) {
    COIR_SCOPE(s, .shield = true);
    const int rc = coir_sleep(COIR_MS(10));
    *(int *)arg += rc == 0;
    return coir_scope_close(&s, rc);
}

TASK_TEST_SEEDS(flow_scope, a_shield_keeps_off_a_cancel_of_the_task) {
    int slept = 0;
    coir_task task;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, shield_and_sleep, &slept, &task), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(slept, 1);
    return 0;
}

/* ---- Who takes the cut ---- */

TASK_TEST(flow_scope, of_two_cancelled_together_the_outer_takes_it) {
    COIR_SCOPE(outer);
    COIR_SCOPE(inner);
    coir_scope_cancel(&inner);
    coir_scope_cancel(&outer);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&inner, 0), -ECANCELED);
    check_rc(coir_scope_close(&outer, -ECANCELED), 0);
    return 0;
}

TASK_TEST(flow_scope, of_two_expired_together_the_outer_takes_it) {
    const coir_time then = coir_after(COIR_MS(1));
    COIR_SCOPE(outer, .deadline = then);
    COIR_SCOPE(inner, .deadline = then);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&inner, 0), -ECANCELED);
    check_rc(coir_scope_close(&outer, -ECANCELED), -ETIMEDOUT);
    return 0;
}

TASK_TEST(flow_scope, a_swallowed_cut_from_outside_is_told_at_close) {
    COIR_SCOPE(outer);
    COIR_SCOPE(inner);
    coir_scope_cancel(&outer);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_close(&inner, 0), -ECANCELED);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

TASK_TEST(flow_scope, a_cancel_that_cut_nothing_is_not_told) {
    COIR_SCOPE(outer);
    COIR_SCOPE(inner);
    coir_scope_cancel(&outer);
    check_rc(coir_scope_close(&inner, 8), 8);
    check_rc(coir_scope_close(&outer, 9), 9);
    return 0;
}

/* ---- Policies ---- */

static int sleep_ms_then_fail(void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(*(const int *)arg)));
    return -EPROTO;
}

static int sleep_ms_then_succeed(void *arg) {
    COIR_TRY(coir_sleep(COIR_MS(*(const int *)arg)));
    return *(const int *)arg;
}

TASK_TEST_SEEDS(flow_scope, fail_fast_cuts_siblings_and_body) {
    int soon = 5, cuts = 0;
    struct family waiter = {0, &cuts};
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, have_a_child, &waiter), 0);
    check_rc(coir_spawn(&s, sleep_ms_then_fail, &soon), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check(coir_scope_cancelled(&s));
    check_rc(coir_scope_close(&s, -ECANCELED), -EPROTO);
    check_int(cuts, 1);
    check_int(coir_now() - began, COIR_MS(5));
    return 0;
}

TASK_TEST_SEEDS(flow_scope, supervise_lets_all_run_to_their_end) {
    int soon = 5, late = 50;
    coir_task task;
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, sleep_ms_then_fail, &soon), 0);
    check_rc(coir_spawn_task(&s, sleep_ms_then_succeed, &late, &task), 0);
    check_rc(coir_sleep(COIR_MS(20)), 0);
    check(!coir_scope_cancelled(&s));
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), 50);
    check_rc(coir_scope_close(&s, 0), -EPROTO);
    check_int(coir_now() - began, COIR_MS(50));
    return 0;
}

TASK_TEST_SEEDS(flow_scope, race_ends_with_the_first_success) {
    int soon = 5, middle = 20, late = 50;
    coir_task winner, loser;
    const coir_time began = coir_now();
    COIR_SCOPE(s, .policy = COIR_RACE);
    check_rc(coir_spawn(&s, sleep_ms_then_fail, &soon), 0);
    check_rc(coir_spawn_task(&s, sleep_ms_then_succeed, &middle, &winner), 0);
    check_rc(coir_spawn_task(&s, sleep_ms_then_succeed, &late, &loser), 0);
    check_rc(coir_join(winner, NULL), 0);
    check_rc(coir_task_result(winner), 20);
    check(coir_scope_cancelled(&s));
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_now() - began, COIR_MS(20));
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_race_without_a_winner_has_the_first_error) {
    int soon = 5, late = 20;
    COIR_SCOPE(s, .policy = COIR_RACE);
    check_rc(coir_spawn(&s, sleep_ms_then_fail, &soon), 0);
    check_rc(coir_spawn(&s, return_int, pointer(&pipe_error)), 0);
    check_rc(coir_spawn(&s, sleep_ms_then_fail, &late), 0);
    check_rc(coir_scope_close(&s, 0), -EPIPE);
    return 0;
}

static int fail_when_cut(UNUSED void *arg) {
    check_rc(coir_sleep(COIR_NEVER), -ECANCELED);
    return -EPIPE;
}

/* What a scope comes to in which one child is cancelled alone; the other one goes on until then. */
static int cancel_one_child(coir_scope *s, coir_fn fn) {
    int late = 20;
    coir_task task;
    check_rc(coir_spawn_task(s, fn, NULL, &task), 0);
    check_rc(coir_spawn(s, sleep_ms_then_succeed, &late), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_task_cancel(task));
    return coir_scope_close(s, 0);
}

TASK_TEST_SEEDS(flow_scope, a_child_cancelled_alone_is_no_failure) {
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(cancel_one_child(&s, sleep_for_ever), 0);
    check(!coir_scope_cancelled(&s));
    check_int(coir_now() - began, COIR_MS(20));
    check_int(coir_scope_errors(&s, NULL, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_child_cancelled_alone_may_still_fail) {
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(cancel_one_child(&s, fail_when_cut), -EPIPE);
    check_int(coir_now() - began, COIR_MS(1));
    check_int(coir_scope_errors(&s, NULL, 0), 1);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_child_that_says_cancelled_of_itself_is_a_failure) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, return_int, pointer(&cut)), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, 0), -ECANCELED);
    check_int(coir_scope_errors(&s, NULL, 0), 1);
    check_rc(coir_yield(), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_failing_body_cuts_the_children) {
    const coir_policy policies[] = {COIR_FAIL_FAST, COIR_RACE};
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        int cuts = 0;
        struct family family = {0, &cuts};
        COIR_SCOPE(s, .policy = policies[i]);
        check_rc(coir_spawn(&s, have_a_child, &family), 0);
        check_rc(coir_scope_close(&s, -EIO), -EIO);
        check_int(cuts, 1);
    }
    return 0;
}

TASK_TEST_SEEDS(flow_scope, a_failing_body_under_supervision_waits_for_the_children) {
    int done = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn(&s, finish_later, &done), 0);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check_int(done, 1);
    return 0;
}

/* ---- Errors ---- */

static int fail_after(coir_scope *s, const char *name, const int *ms) {
    return coir_spawn_with(s, sleep_ms_then_fail, pointer(ms),
                           &(const coir_spawn_options){.name = name});
}

TASK_TEST_SEEDS(flow_scope, errors_are_kept_in_order_with_names) {
    static const int times[] = {3, 1, 2};
    coir_error errors[8];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    check_rc(fail_after(&s, "third", &times[0]), 0);
    check_rc(fail_after(&s, "first", &times[1]), 0);
    check_rc(fail_after(&s, NULL, &times[2]), 0);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 0);
    check_rc(coir_sleep(COIR_MS(10)), 0);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 3);
    check_rc(coir_scope_close(&s, -EIO), -EIO);
    check_int(coir_scope_errors(&s, errors, COUNT_OF(errors)), 4);
    const char *const names[] = {"first", "", "third", ""};
    for (size_t i = 0; i < 4; i++) {
        check_str(errors[i].name, names[i]);
        check_rc(errors[i].rc, i < 3 ? -EPROTO : -EIO);
        check(errors[i].fn == (i < 3 ? sleep_ms_then_fail : NULL));
    }
    check_int(coir_scope_errors(&s, errors, 1), 4);
    check_int(coir_scope_errors(&s, NULL, 0), 4);
    return 0;
}

static int fail_in_turn(coir_scope *s, int count) {
    for (int i = 0; i < count; i++) {
        COIR_TRY(coir_spawn(s, return_int, pointer(i % 2 == 0 ? &io_error : &proto_error)));
        COIR_TRY(coir_yield());
    }
    return 0;
}

TASK_TEST(flow_scope, errors_beyond_the_first_four_need_room) {
    coir_error room[3], read[10];
    COIR_SCOPE(s, .policy = COIR_SUPERVISE, .errors = room, .error_capacity = 3);
    check_rc(fail_in_turn(&s, 9), 0);
    memset(read, 0, sizeof read);
    check_int(coir_scope_errors(&s, read, COUNT_OF(read)), 9);
    for (int i = 0; i < 9; i++)
        check_rc(read[i].rc, i >= 7 ? 0 : i % 2 == 0 ? -EIO : -EPROTO);
    check_rc(coir_scope_close(&s, 0), -EIO);

    COIR_SCOPE(without, .policy = COIR_SUPERVISE);
    check_rc(fail_in_turn(&without, 6), 0);
    memset(read, 0, sizeof read);
    check_int(coir_scope_errors(&without, read, COUNT_OF(read)), 6);
    check_rc(read[3].rc, -EPROTO);
    check_rc(read[4].rc, 0);
    check_rc(coir_scope_close(&without, 0), -EIO);
    return 0;
}

/* ---- Cost ---- */

TASK_TEST(flow_scope, an_empty_scope_neither_yields_nor_is_cut) {
    char word[] = "child";
    COIR_SCOPE(around);
    check_rc(coir_spawn(&around, return_zero, word), 0);
    coir_stats before, after;
    check_rc(coir_stats_get(&before), 0);
    COIR_SCOPE(s);
    check_rc(coir_scope_close(&s, 2), 2);
    check_rc(coir_stats_get(&after), 0);
    check_int(after.switches, before.switches);
    check_int(after.tasks_alive, 2); /* the child has not run */
    coir_scope_cancel(&around);
    COIR_SCOPE(in_cancelled);
    check_rc(coir_scope_close(&in_cancelled, 2), 2);
    check_rc(coir_scope_close(&around, 0), 0);
    return 0;
}
