/* coir_start: a task that says when it is ready. */
#include "support.h"

SUITE(flow_start);

/* What a started task does: after `before` ms it says `value` (if not negative), after `after` ms
 * more it returns `result`. */
struct server {
    int before, value, after, result;
    int said; /* what coir_started returned */
    bool cut, ended;
};

static int serve(void *arg) {
    struct server *const server = arg;
    int rc = coir_sleep(COIR_MS(server->before));
    if (rc == 0 && server->value >= 0) {
        server->said = coir_started(server->value);
        rc = coir_sleep(COIR_MS(server->after));
    }
    server->cut = rc < 0;
    server->ended = true;
    return rc < 0 ? rc : server->result;
}

TASK_TEST_SEEDS(flow_start, it_returns_when_the_task_says_so_with_its_value) {
    struct server server = {.before = 10, .value = 80, .after = 20};
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &server, NULL), 80);
    check_int(coir_now() - began, COIR_MS(10));
    check_rc(server.said, 0);
    check(!server.ended);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_now() - began, COIR_MS(30));
    return 0;
}

TASK_TEST_SEEDS(flow_start, a_failure_before_is_the_starters) {
    struct server server = {.before = 10, .value = -1, .result = -EADDRINUSE};
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &server, NULL), -EADDRINUSE);
    check(server.ended);
    check_rc(coir_check(), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(coir_scope_errors(&s, NULL, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_start, a_failure_after_is_the_scopes) {
    struct server server = {.value = 0, .after = 10, .result = -EPROTO};
    COIR_SCOPE(s);
    check_rc(coir_start(&s, serve, &server, NULL), 0);
    check_rc(coir_sleep(COIR_SEC(1)), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), -EPROTO);
    return 0;
}

TASK_TEST_SEEDS(flow_start, an_end_without_a_word_is_an_error) {
    struct server server = {.before = 10, .value = -1, .result = 3};
    const coir_policy policies[] = {COIR_FAIL_FAST, COIR_SUPERVISE, COIR_RACE};
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        COIR_SCOPE(s, .policy = policies[i]);
        check_rc(coir_start(&s, serve, &server, NULL), -EPROTO);
        check_rc(coir_check(), 0); /* no success that would end a race */
        check_rc(coir_scope_close(&s, 0), 0);
    }
    return 0;
}

static int say_twice(UNUSED void *arg) {
    check_rc(coir_started(1), 0);
    check_rc(coir_started(2), -EALREADY);
    return 0;
}

TASK_TEST_SEEDS(flow_start, it_is_said_once) {
    COIR_SCOPE(s);
    check_rc(coir_start(&s, say_twice, NULL, NULL), 1);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_start, a_body_serves_for_spawn_too) {
    struct server server = {.value = 5, .after = 10, .result = 2};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, serve, &server), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(server.said, -EALREADY);
    check(server.ended);
    return 0;
}

static int say_nonsense(UNUSED void *arg) {
    check_rc(coir_started(-1), -EINVAL);
    check_rc(coir_started(INT32_MAX), 0);
    return 0;
}

TASK_TEST(flow_start, a_value_is_not_negative) {
    COIR_SCOPE(s);
    check_rc(coir_start(&s, say_nonsense, NULL, NULL), INT32_MAX);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_start, a_cut_starter_cancels_the_task_and_waits_for_it) {
    struct server server = {.before = 30, .value = 1};
    coir_task task;
    COIR_SCOPE(s);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_start(&s, serve, &server, &(const coir_spawn_options){.task = &task}),
             -ECANCELED);
    check(server.ended && server.cut);
    check_rc(coir_task_result(task), -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_check(), 0); /* the scope was not cancelled */
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

/* Cleans up for 20 ms once cut, then says that it is ready all the same. */
static int say_so_too_late(void *arg) {
    const int rc = coir_sleep(COIR_SEC(1));
    COIR_SCOPE(cleanup, .shield = true);
    check_rc(coir_sleep(COIR_MS(20)), 0);
    *(int *)arg = coir_started(1);
    return coir_scope_close(&cleanup, rc);
}

TASK_TEST_SEEDS(flow_start, what_is_said_to_a_cut_starter_has_no_effect) {
    int said = 0;
    const coir_time began = coir_now();
    COIR_SCOPE(s);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_start(&s, say_so_too_late, &said, NULL), -ECANCELED);
    check_int(coir_now() - began, COIR_MS(30));
    check_rc(said, -ECANCELED);
    check_rc(coir_scope_close(&limit, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

static int fail_when_cut(UNUSED void *arg) {
    return coir_sleep(COIR_SEC(1)) < 0 ? -EIO : 0;
}

TASK_TEST_SEEDS(flow_start, a_real_failure_of_a_cancelled_task_is_returned) {
    COIR_SCOPE(s);
    COIR_SCOPE(limit, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_start(&s, fail_when_cut, NULL, NULL), -EIO);
    check_rc(coir_scope_close(&limit, 0), -ETIMEDOUT);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_start, cancelling_the_scope_reaches_the_task_before_it_is_ready) {
    struct server server = {.before = 30, .value = 1};
    COIR_SCOPE(outer);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(10)));
    check_rc(coir_start(&s, serve, &server, NULL), -ECANCELED);
    check(server.cut);
    check_rc(coir_scope_close(&s, -ECANCELED), -ETIMEDOUT);
    check_rc(coir_scope_close(&outer, 0), 0);
    return 0;
}

TASK_TEST(flow_start, already_cancelled_nothing_is_spawned) {
    struct server server = {.value = 1};
    COIR_SCOPE(s);
    coir_scope_cancel(&s);
    check_rc(coir_start(&s, serve, &server, NULL), -ECANCELED);
    check_rc(coir_scope_close(&s, -ECANCELED), 0);
    check(!server.ended);
    return 0;
}

static int add_one(void *arg) {
    const int value = *(const int *)arg + 1;
    check_rc(coir_started(value), 0);
    return value;
}

TASK_TEST_SEEDS(flow_start, options_are_those_of_spawn) {
    int value = 4, result = 0;
    char name[COIR_NAME_SIZE] = "";
    coir_task task;
    const coir_spawn_options options = {
        .name = "adder", .task = &task, .arg_size_bytes = sizeof value, .result = &result};
    COIR_SCOPE(s);
    check_rc(coir_start(&s, add_one, &value, &options), 5);
    if (!coir_task_done(task)) {
        check_rc(coir_task_name(task, name, sizeof name), 0);
        check_str(name, "adder");
    }
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_task_result(task), 5);
    check_int(result, 5);
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST_SEEDS(flow_start, many_at_once) {
    struct server servers[5];
    coir_call calls[5];
    (void)calls;
    COIR_SCOPE(s);
    for (int i = 0; i < 5; i++) {
        servers[i] = (struct server){.before = 5 - i, .value = i, .after = 10};
        check_rc(coir_start(&s, serve, &servers[i], NULL), i);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    return 0;
}

TASK_TEST(flow_start, what_spawn_refuses_is_refused) {
    struct server server = {.value = 1};
    coir_scope fresh = {0};
    check_rc(coir_start(NULL, serve, &server, NULL), -EINVAL);
    check_rc(coir_start(&fresh, serve, &server, NULL), -EINVAL);
    COIR_SCOPE(s);
    check_rc(coir_start(&s, NULL, &server, NULL), -EINVAL);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_start(&s, serve, &server, NULL), -EINVAL);
    check(!server.ended);
    return 0;
}

Test(flow_start, outside_the_runtime) {
    coir_scope fresh = {0};
    check_rc(coir_start(&fresh, sleep_for_ever, NULL, NULL), -EPERM);
    check_rc(coir_started(0), -EPERM);
}
