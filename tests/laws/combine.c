/* The laws of the combinators under every schedule: none returns before what it started has ended,
 * and what they return is what happened. */
#include "laws/laws.h"

#include "core/runtime.h"

LAWS(laws_combine);

/* What a scope comes to whose caller may be cut by the scope `outer`: calls that succeeded, failed,
 * were cut. */
static int expected(void) {
    return earliest_error() != 0 ? earliest_error() : ends.cut ? -ECANCELED : 0;
}

/* ---- Calls ---- */

/* Gathers, under a deadline. */
static void gather(coir_policy policy, struct stepper *a, struct stepper *b) {
    struct sleeper c = {COIR_MS(2), 3};
    struct stepper d = STEPPER(1, 4);
    coir_call calls[] = {COIR_CALL(step, a), COIR_CALL(step, b), COIR_CALL(sleep_then, &c),
                         COIR_CALL(step, &d)};
    ends_clear();
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(1)));
    const int rc = coir_gather(calls, COUNT_OF(calls), policy);
    check_int(ends.begun, COUNT_OF(calls));
    check_int(ends.count, COUNT_OF(calls));
    check_rc(rc, coir_scope_expired(&s) || earliest_error() != 0 ? expected() : 0);
    const int own[] = {a->rc, b->rc, c.rc, d.rc};
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        check(calls[i].rc == own[i] || (calls[i].rc == -ECANCELED && ends.cut));
    const int closed = coir_scope_close(&s, rc == -ECANCELED ? rc : 0);
    if (rc == -ECANCELED)
        check_rc(closed, -ETIMEDOUT);
    else
        check(closed == 0 || (closed == -ETIMEDOUT && coir_scope_expired(&s) && ends.cut));
}

LAW(laws_combine, gather_fails_fast) {
    gather(COIR_FAIL_FAST, &(struct stepper)STEPPER(3, 1), &(struct stepper)STEPPER(2, -EIO));
}

LAW(laws_combine, gather_supervises) {
    gather(COIR_SUPERVISE, &(struct stepper)STEPPER(2, -EPROTO), &(struct stepper)STEPPER(2, -EIO));
}

/* A cancel from outside, and calls of which two may win. */
LAW(laws_combine, race_has_one_winner) {
    struct stepper steppers[] = {STEPPER(1, choose(2) != 0 ? 1 : -EIO), STEPPER(2, 2)};
    struct sleeper sleeper = {COIR_MS(1), 3};
    coir_call calls[] = {COIR_CALL(step, &steppers[0]), COIR_CALL(step, &steppers[1]),
                         COIR_CALL(sleep_then, &sleeper)};
    size_t winner = 99;
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct canceller canceller = {.scope = &s, .steps = 1};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    const int rc = coir_race(calls, COUNT_OF(calls), &winner);
    check_int(ends.begun, COUNT_OF(calls));
    check_int(ends.count, COUNT_OF(calls));
    int first = -1;
    for (size_t i = 0; i < ends.count && first < 0; i++)
        first = ends.rc[i];
    if (first >= 0) {
        check_rc(rc, first); /* completion wins: whoever was first, even if cancelled since */
        check(winner < COUNT_OF(calls));
        check_rc(calls[winner].rc, first);
    } else {
        check_int(winner, 99);
        check_rc(rc, expected());
    }
    check_rc(coir_scope_close(&s, rc < 0 ? rc : 0), rc < 0 && rc != -ECANCELED ? rc : 0);
    check_rc(coir_scope_close(&around, 0), 0);
}

/* ---- Map ---- */

struct mapped {
    size_t running, begun;
    size_t fails; /* the index that fails; above the last: none */
    bool failed;
};

static int map_one(size_t index, void *ctx) {
    struct mapped *const mapped = ctx;
    check_int(mapped->begun++, index);
    check(++mapped->running <= 2);
    check(!mapped->failed);
    check_rc(coir_check(), 0); /* nothing begins in a cancelled scope */
    int rc = steps(1);
    if (rc == 0 && index == mapped->fails) {
        mapped->failed = true;
        rc = -EIO;
    }
    mapped->running--;
    return rc;
}

static void map(size_t fails) {
    enum { N = 4 };
    struct mapped mapped = {.fails = fails};
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct canceller canceller = {.scope = &s, .steps = 2};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    const int rc = coir_map(N, 2, map_one, &mapped);
    check_int(mapped.running, 0);
    if (mapped.failed)
        check_rc(rc, -EIO);
    else if (rc != 0)
        check(rc == -ECANCELED && coir_scope_cancelled(&s));
    else
        check_int(mapped.begun, N);
    check_rc(coir_scope_close(&s, rc == -ECANCELED ? rc : 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
}

LAW(laws_combine, map_begins_in_order_and_never_more_than_its_limit) {
    map(99);
}

LAW(laws_combine, map_begins_nothing_after_a_failure) {
    map((size_t)choose(2) + 1);
}

/* ---- Timeout ---- */

static int step_and_sleep(void *arg) {
    COIR_TRY(steps(1));
    return sleep_then(arg);
}

LAW(laws_combine, timeout_meets_completion_and_an_outer_cancel) {
    struct sleeper sleeper = {COIR_MS(1), choose(2) != 0 ? 5 : -EIO};
    struct stepper other = STEPPER(2, 0);
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    struct canceller canceller = {.scope = &s, .steps = 2};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&around, step, &other), 0);
    const int rc = coir_timeout(COIR_MS(1), step_and_sleep, &sleeper);
    if (rc == -ECANCELED)
        check(ends.cut && coir_scope_cancelled(&s));
    else if (rc == -ETIMEDOUT)
        check(ends.cut && !coir_scope_cancelled(&s));
    else
        check_rc(rc, sleeper.rc);
    check_rc(coir_scope_close(&s, rc == -ECANCELED ? rc : 0), 0);
    check_rc(coir_scope_close(&around, 0), 0);
}

/* ---- Wait ---- */

static size_t watchers(const coir_task *tasks, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct coir__link *const head = &coir__record_find(tasks[i])->watchers;
        for (const struct coir__link *link = head->next; link != head; link = link->next)
            count++;
    }
    return count;
}

/* Ends, the limit of the wait and a cancel meet. */
static void wait_for(coir_when when) {
    struct stepper steppers[] = {STEPPER(0, 0), STEPPER(1, -EIO)};
    struct sleeper sleeper = {COIR_MS(2), 0};
    coir_task tasks[3];
    ends_clear();
    COIR_SCOPE(around, .policy = COIR_SUPERVISE);
    check_rc(coir_spawn_task(&around, step, &steppers[0], &tasks[0]), 0);
    check_rc(coir_spawn_task(&around, step, &steppers[1], &tasks[1]), 0);
    check_rc(coir_spawn_task(&around, sleep_then, &sleeper, &tasks[2]), 0);
    COIR_SCOPE(s);
    struct canceller canceller = {.scope = &s};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    const coir_time limit = choose(2) != 0 ? coir_after(COIR_MS(1)) : coir_now();
    const int rc = coir_wait(tasks, COUNT_OF(tasks), when, limit);
    check_int(watchers(tasks, COUNT_OF(tasks)), 0);
    if (rc == -ECANCELED) {
        check(coir_scope_cancelled(&s));
    } else {
        check_int(rc, ends.count);
        const bool enough = rc == 3 || (when == COIR_FIRST_COMPLETED && rc > 0) ||
                            (when == COIR_FIRST_EXCEPTION && earliest_error() != 0);
        check(enough || coir_now() >= limit);
    }
    check(!ends.cut); /* neither limit nor cancel reaches the tasks */
    check_rc(coir_scope_close(&s, rc < 0 ? rc : 0), 0);
    check_rc(coir_scope_close(&around, 0), -EIO);
}

LAW(laws_combine, wait_for_all) {
    wait_for(COIR_ALL_COMPLETED);
}

LAW(laws_combine, wait_for_the_first) {
    wait_for(COIR_FIRST_COMPLETED);
}

LAW(laws_combine, wait_for_the_first_failure) {
    wait_for(COIR_FIRST_EXCEPTION);
}

/* ---- Next ---- */

struct taker {
    coir_scope *scope;
    int rc, told[4];
    size_t count;
};

static int take_ends(void *arg) {
    struct taker *const taker = arg;
    coir_task task;
    int rc;
    while ((taker->rc = coir_next(taker->scope, &task, &rc)) == 0) {
        check(coir_task_result(task) == rc || coir_task_result(task) == -ESRCH);
        taker->told[taker->count++] = rc;
    }
    return 0;
}

LAW(laws_combine, next_tells_each_end_once) {
    struct stepper steppers[] = {STEPPER(0, 1), STEPPER(1, 2), STEPPER(0, 3)};
    coir_task task, first;
    ends_clear();
    COIR_SCOPE(takers);
    COIR_SCOPE(s);
    struct taker a = {.scope = &s}, b = {.scope = &s};
    for (size_t i = 0; i < COUNT_OF(steppers); i++)
        check_rc(coir_spawn_task(&s, step, &steppers[i], &task), 0);
    check_rc(coir_spawn_task(&takers, take_ends, &a, &first), 0);
    check_rc(coir_spawn(&takers, take_ends, &b), 0);
    struct canceller canceller = {.task = first};
    check_rc(coir_spawn(&takers, cancel_later, &canceller), 0);
    check_rc(coir_join(task, NULL), 0); /* the others may end later */
    struct taker rest = {.scope = &s};
    (void)take_ends(&rest);
    check_rc(rest.rc, -ENOENT);
    check(a.rc == -ECANCELED || a.rc == -ENOENT || a.rc == 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_scope_close(&takers, 0), 0);
    check_int(a.count + b.count + rest.count, COUNT_OF(steppers));
    bool seen[4] = {false};
    const struct taker *const all[] = {&a, &b, &rest};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        size_t at = 0; /* each one's are in the order of the ends */
        for (size_t k = 0; k < all[i]->count; k++) {
            check(!seen[all[i]->told[k]]);
            seen[all[i]->told[k]] = true;
            while (at < ends.count && ends.rc[at] != all[i]->told[k])
                at++;
            check(at < ends.count);
        }
    }
}

/* ---- Start ---- */

#define UNSAID 99

struct server {
    int before, result;
    bool says;
    int said; /* what coir_started returned */
    bool begun, ended;
    int rc; /* what it returned */
};

static int serve(void *arg) {
    struct server *const server = arg;
    server->begun = true;
    int rc = steps(server->before);
    if (server->says)
        server->said = coir_started(7); /* even if cut: never waits, never fails by that */
    if (rc == 0)
        rc = steps(1);
    server->ended = true;
    return server->rc = rc < 0 ? rc : server->result;
}

/* The starter may be cut, by its task or by a deadline of its own; so may the scope. */
static void start(bool says, int result, bool cancel_scope) {
    struct server server = {.before = 1, .says = says, .result = result, .said = UNSAID};
    struct stepper other = STEPPER(1, 0);
    ends_clear();
    COIR_SCOPE(around);
    COIR_SCOPE(s);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(1)));
    struct canceller canceller = {.scope = cancel_scope ? &s : &limit, .steps = 1};
    check_rc(coir_spawn(&around, cancel_later, &canceller), 0);
    check_rc(coir_spawn(&around, step, &other), 0);
    const int rc = coir_start(&s, serve, &server, NULL);
    if (rc >= 0) {
        check_int(rc, 7);
        check_rc(server.said, 0);
    } else {
        check(server.ended || !server.begun); /* no task is left behind */
        check(server.said == UNSAID || server.said == -ECANCELED);
        check(rc == -ECANCELED || rc == result || (rc == -EPROTO && result == 0 && !says));
    }
    (void)coir_scope_close(&limit, rc == -ECANCELED ? rc : 0);
    /* A failure belongs to the scope if the start succeeded, and only then. */
    const int closed = coir_scope_close(&s, 0);
    check_rc(closed, rc >= 0 && server.rc != -ECANCELED ? server.rc : 0);
    check(server.ended || !server.begun);
    check_rc(coir_scope_close(&around, 0), 0);
}

LAW(laws_combine, start_meets_started_and_cancels) {
    start(true, choose(2) != 0 ? -EIO : 0, choose(2) != 0);
}

LAW(laws_combine, start_meets_an_end_without_a_word) {
    start(false, choose(2) != 0 ? -EIO : 0, choose(2) != 0);
}
