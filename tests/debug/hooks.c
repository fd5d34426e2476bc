/* Hooks: what is told, of whom, by whom and in which order; under seeds, that no task's life is
 * told in an order that is impossible; the time that tasks run; the probes' counter. */
#include "core/runtime.h"
#include "support.h"

SUITE(debug_hooks);

/* ---- A log of all events in words ---- */

static const char *name_of(coir_task task) {
    static char names[4][COIR_NAME_SIZE];
    static unsigned next;
    if (coir_task_equal(task, (coir_task){.coir__record = NULL}))
        return "loop";
    char *const name = names[next++ % COUNT_OF(names)];
    return coir_task_name(task, name, COIR_NAME_SIZE) == 0 ? name : "ended";
}

static void log_spawn(UNUSED void *context, coir_task task, coir_task by) {
    trace("%s:spawns:%s", name_of(by), name_of(task));
}

static void log_start(UNUSED void *context, coir_task task) {
    trace("%s:starts", name_of(task));
}

static void log_park(UNUSED void *context, coir_task task, const coir_waiter *wait) {
    trace("%s:waits:%s", name_of(task), wait->what);
}

static void log_ready(UNUSED void *context, coir_task task, coir_task by) {
    trace("%s:readies:%s", name_of(by), name_of(task));
}

static void log_run(UNUSED void *context, coir_task task) {
    trace("%s:runs", name_of(task));
}

static int ended_with;

/* The task has ended, and with it its name. */
static void log_exit(UNUSED void *context, UNUSED coir_task task, int rc) {
    ended_with = rc;
    trace("exit:%d", rc);
}

static void log_cancel(UNUSED void *context, const coir_scope *scope) {
    trace("cancel:%s", scope->coir__name);
}

static const coir_hooks log_all = {
    .spawn = log_spawn,
    .start = log_start,
    .park = log_park,
    .ready = log_ready,
    .run = log_run,
    .exit = log_exit,
    .scope_cancelled = log_cancel,
};

static int yield_once(UNUSED void *arg) {
    return coir_yield();
}

static int spawn_named(coir_scope *scope, coir_fn fn, void *arg, const char *name) {
    return coir_spawn_with(scope, fn, arg, &(const coir_spawn_options){.name = name});
}

/* ---- What is told ---- */

static int one_child(UNUSED void *arg) {
    COIR_SCOPE(scope, .name = "scope");
    check_rc(spawn_named(&scope, yield_once, NULL, "child"), 0);
    return coir_scope_close(&scope, 0);
}

Test(debug_hooks, a_run_is_told_from_its_first_event_to_its_last) {
    const run_options options = {.runtime.hooks = &log_all};
    check_rc(run_task_with(one_child, NULL, &options), 0);
    const char *const whole = "loop:spawns:main loop:readies:main main:starts main:runs "
                              "main:spawns:child main:readies:child main:waits:close of scope "
                              "child:starts child:runs child:readies:child child:runs "
                              "exit:0 ended:readies:main main:runs ";
    cr_assert(strncmp(traced(), whole, strlen(whole)) == 0, "it is told:\n%s\nnot\n%s", traced(),
              whole);
    check_contains(traced(), "main:runs cancel:main exit:0 loop:runs");
    check_int(ended_with, 0);
}

static int sleep_a_while(UNUSED void *arg) {
    return coir_sleep(COIR_MS(10));
}

TASK_TEST(debug_hooks, the_loop_wakes_who_slept) {
    check_rc(coir_task_set_name(coir_self(), "me"), 0);
    check_rc(coir_hooks_set(&log_all), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_hooks_set(NULL), 0);
    check_contains(traced(), "me:waits:sleep loop:runs");
    check_contains(traced(), "loop:readies:me me:runs");
    return 0;
}

TASK_TEST(debug_hooks, removed_hooks_are_told_nothing) {
    check_rc(coir_hooks_set(&log_all), 0);
    check_rc(coir_hooks_set(NULL), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_trace("");
    check_int(coir__rt->careful, COIR_DEBUG);
    check_rc(coir_hooks_set(NULL), 0);
    check_int(coir__rt->careful, COIR_DEBUG);
    return 0;
}

static int wait_for_nothing(UNUSED void *arg) {
    const coir_hooks hooks = {.scope_cancelled = log_cancel};
    COIR_TRY(coir_hooks_set(&hooks));
    COIR_SCOPE(scope, .shield = true);
    return coir_scope_close(&scope, coir_sleep(COIR_NEVER));
}

Test(debug_hooks, a_deadlock_is_told_as_the_cancel_of_the_main_scope) {
    capture_stderr();
    const int rc = run_task(wait_for_nothing, NULL);
    check_contains(captured_stderr(), "coir: deadlock: ");
    check_rc(rc, -EDEADLK);
    check_trace("cancel:main");
}

static int fail(UNUSED void *arg) {
    return -EIO;
}

TASK_TEST(debug_hooks, a_scope_is_told_cancelled_once_whoever_does_it) {
    const coir_hooks hooks = {.scope_cancelled = log_cancel};
    check_rc(coir_hooks_set(&hooks), 0);
    COIR_SCOPE(by_hand, .name = "by_hand");
    coir_scope_cancel(&by_hand);
    coir_scope_cancel(&by_hand);
    check_rc(coir_scope_close(&by_hand, 0), 0);
    COIR_SCOPE(by_child, .name = "by_child");
    check_rc(coir_spawn(&by_child, fail, NULL), 0);
    check_rc(coir_scope_close(&by_child, 0), -EIO);
    COIR_SCOPE(by_time, .name = "by_time", .deadline = coir_after(COIR_MS(1)));
    check_rc(coir_scope_close(&by_time, coir_sleep(COIR_SEC(1))), -ETIMEDOUT);
    check_rc(coir_hooks_set(NULL), 0);
    check_trace("cancel:by_hand cancel:by_child cancel:by_time");
    return 0;
}

TASK_TEST(debug_hooks, those_ready_before_are_not_told_ready_again) {
    COIR_SCOPE(scope);
    check_rc(spawn_named(&scope, yield_once, NULL, "early"), 0);
    const coir_hooks hooks = {.ready = log_ready, .spawn = log_spawn};
    check_rc(coir_task_set_name(coir_self(), "me"), 0);
    check_rc(coir_hooks_set(&hooks), 0);
    check_rc(spawn_named(&scope, sleep_a_while, NULL, "late"), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_hooks_set(NULL), 0);
    check_trace("me:spawns:late me:readies:late me:readies:me early:readies:early");
    return coir_scope_close(&scope, 0);
}

Test(debug_hooks, outside_the_runtime_there_are_none) {
    coir_time time;
    check_rc(coir_hooks_set(NULL), -EPERM);
    check_rc(coir_task_run_time(coir_self(), &time), -EPERM);
}

/* ---- Every life is told in a possible order ---- */

enum state { UNBORN, READY, RUNNING, PARKED, DEAD };
enum { LIVES = 64 };

struct life {
    void *record;
    uint64_t generation;
    enum state state;
    bool started;
};

static struct life lives[LIVES];
static size_t life_count;

static struct life *life_of(coir_task task) {
    for (size_t i = 0; i < life_count; i++)
        if (lives[i].generation == task.coir__generation)
            return &lives[i];
    check(life_count < LIVES);
    lives[life_count] =
        (struct life){.record = task.coir__record, .generation = task.coir__generation};
    return &lives[life_count++];
}

static bool is_loop(coir_task task) {
    return task.coir__record == NULL;
}

static void change(coir_task task, enum state from, enum state or_from, enum state to) {
    struct life *const life = life_of(task);
    cr_assert(life->state == from || life->state == or_from,
              "task %" PRIu64 " goes from %d to %d%s", life->generation, life->state, to,
              run_label());
    life->state = to;
}

static void live_spawn(UNUSED void *context, coir_task task, coir_task by) {
    check_int(life_of(task)->state, UNBORN);
    if (!is_loop(by))
        check_int(life_of(by)->state, RUNNING);
}

static void live_ready(UNUSED void *context, coir_task task, coir_task by) {
    if (coir_task_equal(task, by)) {
        change(task, RUNNING, RUNNING, READY);
    } else {
        change(task, UNBORN, PARKED, READY);
        if (!is_loop(by))
            check(life_of(by)->state == RUNNING || life_of(by)->state == READY ||
                  life_of(by)->state == DEAD);
    }
}

static void live_start(UNUSED void *context, coir_task task) {
    check(!life_of(task)->started);
    check_int(life_of(task)->state, READY);
    life_of(task)->started = true;
}

static void live_run(UNUSED void *context, coir_task task) {
    if (is_loop(task))
        return;
    change(task, READY, READY, RUNNING);
    check(life_of(task)->started);
}

static void live_park(UNUSED void *context, coir_task task, const coir_waiter *wait) {
    check(wait->what != NULL);
    change(task, RUNNING, RUNNING, PARKED);
}

static void live_exit(UNUSED void *context, coir_task task, UNUSED int rc) {
    change(task, RUNNING, RUNNING, DEAD);
}

static const coir_hooks live = {
    .spawn = live_spawn,
    .ready = live_ready,
    .start = live_start,
    .run = live_run,
    .park = live_park,
    .exit = live_exit,
};

static coir_mutex mutex;
static coir_channel *channel;

static int lock_and_send(void *arg) {
    for (int i = 0; i < 3; i++) {
        COIR_TRY(coir_mutex_lock(&mutex));
        const int rc = coir_yield();
        coir_mutex_unlock(&mutex);
        COIR_TRY(rc);
        COIR_TRY(coir_channel_send(channel, &arg));
    }
    return 0;
}

static int receive_until_cut(UNUSED void *arg) {
    void *item;
    while (true)
        COIR_TRY(coir_channel_recv(channel, &item));
}

static int be_joined(UNUSED void *arg) {
    coir_task task;
    COIR_SCOPE(scope);
    check_rc(coir_spawn_task(&scope, yield_once, NULL, &task), 0);
    const int rc = coir_join(task, NULL);
    return coir_scope_close(&scope, rc);
}

TASK_TEST_SEEDS(debug_hooks, every_life_is_told_in_a_possible_order) {
    life_count = 0;
    check_rc(coir_channel_create(&channel, sizeof(void *), 1, NULL), 0);
    COIR_SCOPE(scope, .policy = COIR_SUPERVISE, .deadline = coir_after(COIR_MS(50)));
    check_rc(coir_hooks_set(&live), 0);
    life_of(coir_self())->state = RUNNING;
    life_of(coir_self())->started = true;
    for (int i = 0; i < 4; i++) {
        check_rc(coir_spawn(&scope, lock_and_send, NULL), 0);
        check_rc(coir_spawn(&scope, be_joined, NULL), 0);
        check_rc(coir_spawn(&scope, sleep_for_ever, NULL), 0);
    }
    check_rc(coir_spawn(&scope, receive_until_cut, NULL), 0);
    check_rc(coir_scope_close(&scope, 0), -ETIMEDOUT);
    check_rc(coir_hooks_set(NULL), 0);
    check_int(life_count, 1 + 4 * 4 + 1);
    for (size_t i = 1; i < life_count; i++)
        check_int(lives[i].state, DEAD);
    return coir_channel_destroy(channel);
}

/* ---- Time ---- */

static int work(void *arg) {
    const coir_time begin = real_now();
    while (real_now() - begin < *(coir_time *)arg) {
    }
    return coir_sleep(COIR_MS(1));
}

static int account(UNUSED void *arg) {
    static coir_time much = COIR_MS(20), little = 0;
    coir_task busy, idle, late;
    coir_time time;
    COIR_SCOPE(scope);
    check_rc(coir_spawn_task(&scope, work, &much, &busy), 0);
    check_rc(coir_spawn_task(&scope, work, &little, &idle), 0);
    check_rc(coir_yield(), 0);
    check_rc(coir_spawn_task(&scope, work, &little, &late), 0);
    check_rc(coir_task_run_time(busy, &time), 0);
    check(time >= much);
    check_rc(coir_task_run_time(idle, &time), 0);
    check(time > 0);
    check_rc(coir_task_run_time(late, &time), 0);
    check_int(time, 0);
    coir_time before;
    check_rc(coir_task_run_time(coir_self(), &before), 0);
    check_rc(coir_task_run_time(coir_self(), &time), 0);
    check(time >= before && before > 0);
    check_rc(coir_task_run_time(busy, NULL), -EINVAL);
    check_rc(coir_scope_close(&scope, 0), 0);
    check_rc(coir_task_run_time(busy, &time), -ESRCH);
    return 0;
}

Test(debug_hooks, running_time_is_counted_for_each_task) {
    const run_options options = {.runtime.account_time = true};
    check_rc(run_task_with(account, NULL, &options), 0);
}

TASK_TEST(debug_hooks, running_time_is_not_counted_unasked) {
    coir_time time;
    check_rc(coir_task_run_time(coir_self(), &time), -EOPNOTSUPP);
    return 0;
}

/* ---- Probes ---- */

/* Attached to and left as a tracer does it: by a counter in memory. */
TASK_TEST(debug_hooks, a_tracer_is_noticed_and_leaves_no_trace) {
    const unsigned before = coir__rt->careful;
    coir__probes_wanted = 1;
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(coir__rt->careful, before + 1);
    COIR_SCOPE(scope);
    check_rc(coir_spawn(&scope, yield_once, NULL), 0);
    check_rc(coir_scope_close(&scope, 0), 0);
    coir__probes_wanted = 0;
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_int(coir__rt->careful, before);
    return 0;
}
