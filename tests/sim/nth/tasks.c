/* Scopes, tasks and combinators: what they need is stacks and records. */
#include <string.h>

#include "sim/nth/nth.h"

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int yield_thrice(void *arg) {
    for (int i = 0; i < 3; i++)
        TRY(coir_yield(), 0);
    if (arg != NULL)
        ++*(int *)arg;
    return 0;
}

static int sleep_long(void *arg) {
    (void)arg;
    return coir_sleep(COIR_SEC(100));
}

/* ---- Spawning ---- */

static int spawn_each_way(coir_scope *s, int *ran) {
    coir_task task;
    int result = -1, copied = 7, rc;
    coir_task other;
    TRY(coir_spawn(s, yield_thrice, ran), 0, ENOMEM);
    TRY(coir_spawn_task(s, yield_thrice, ran, &task), 0, ENOMEM);
    TRY(coir_spawn_with(s, nothing, &copied,
                        &(coir_spawn_options){.name = "copied",
                                              .arg_size_bytes = sizeof copied,
                                              .stack_size_bytes = (size_t)300 << 10,
                                              .task = &other}),
        0, ENOMEM);
    TRY(coir_join(task, &rc), 0);
    must(rc == 0, "a task came to %d", rc);
    TRY(coir_join(other, &result), 0);
    return result;
}

static int spawn(void) {
    int ran = 0;
    COIR_SCOPE(s);
    return close_scope(&s, spawn_each_way(&s, &ran));
}

/* More than one arena of stacks, and the trimming of what is too much of them. */
static int spawn_many(void) {
    int ran = 0;
    unsigned begun = 0;
    long rc = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (; begun < 300 && rc == 0; begun++)
        rc = CALL(coir_spawn(&s, yield_thrice, &ran), 0, ENOMEM);
    const int closed = close_scope(&s, (int)rc);
    must(ran == (int)(rc < 0 ? begun - 1 : begun), "%d of %u tasks have run", ran, begun);
    return closed;
}

static int ready_then_work(void *arg) {
    (void)arg;
    TRY(coir_yield(), 0);
    TRY(coir_started(5), 0);
    return coir_sleep(COIR_MS(1));
}

static int start(void) {
    COIR_SCOPE(s);
    const long rc = CALL(coir_start(&s, ready_then_work, NULL, NULL), 5, ENOMEM);
    return close_scope(&s, rc < 0 ? (int)rc : 0);
}

static int nest_scopes(void) {
    COIR_SCOPE(outer);
    int ran = 0;
    long rc = CALL(coir_spawn(&outer, sleep_long, NULL), 0, ENOMEM);
    if (rc == 0) {
        COIR_SCOPE(inner, .deadline = coir_after(COIR_MS(5)), .move_on = true);
        rc = CALL(coir_spawn(&inner, yield_thrice, &ran), 0, ENOMEM);
        if (rc == 0)
            rc = CALL(coir_sleep(COIR_SEC(1)), -ECANCELED);
        must(rc < 0, "a deadline has not cut");
        rc = coir_scope_close(&inner, (int)rc);
    }
    coir_scope_cancel(&outer);
    return close_scope(&outer, (int)rc);
}

/* ---- Handles, locals ---- */

static void count_end(coir_task task, int rc, void *arg) {
    (void)task;
    must(rc == 0, "a task came to %d", rc);
    ++*(int *)arg;
}

static int handles_in(coir_scope *s, int *ends) {
    static coir_done done;
    char name[COIR_NAME_SIZE];
    coir_task task;
    int ran = 0;
    done = (coir_done){.fn = count_end, .arg = ends};
    TRY(coir_spawn_task(s, yield_thrice, &ran, &task), 0, ENOMEM);
    TRY(coir_task_on_done(task, &done), 0);
    TRY(coir_task_set_name(task, "walker"), 0);
    TRY(coir_task_name(task, name, sizeof name), 0);
    must(strcmp(name, "walker") == 0, "a task is called %s", name);
    TRY(coir_join(task, NULL), 0);
    TRY(coir_task_result(task), 0);
    must(ran == 1 && *ends == 1, "it ran %d times, and ended %d times", ran, *ends);
    return 0;
}

static int handles(void) {
    int ends = 0;
    COIR_SCOPE(s);
    return close_scope(&s, handles_in(&s, &ends));
}

static const coir_local keys[3];

static int read_local(void *arg) {
    must(coir_local_get(&keys[1]) == arg, "a local was not inherited");
    TRY(coir_local_set(&keys[2], arg), 0, ENOMEM);
    must(coir_local_get(&keys[1]) == arg, "a local was lost");
    return 0;
}

static int locals_in(coir_scope *s) {
    static int values[2];
    TRY(coir_local_set(&keys[0], &values[0]), 0, ENOMEM);
    TRY(coir_local_set(&keys[1], &values[1]), 0, ENOMEM);
    TRY(coir_spawn(s, read_local, &values[1]), 0, ENOMEM);
    return 0;
}

static int locals_task(void *arg) {
    (void)arg;
    COIR_SCOPE(s);
    return close_scope(&s, locals_in(&s));
}

/* In a task of its own, so that nothing is set when it begins again. */
static int locals(void) {
    COIR_SCOPE(s);
    return close_scope(&s, (int)CALL(coir_spawn(&s, locals_task, NULL), 0, ENOMEM));
}

static coir_waiter place;

static bool leave_place(coir_waiter *wait) {
    wait->object = NULL;
    return true;
}

static int wait_there(void *arg) {
    (void)arg;
    place = (coir_waiter){.cut = leave_place, .what = "a nod", .object = &place};
    return (int)CALL(coir_park(&place), 3);
}

static int park(void) {
    COIR_SCOPE(s);
    long rc = CALL(coir_spawn(&s, wait_there, NULL), 0, ENOMEM);
    if (rc == 0)
        rc = CALL(coir_yield(), 0);
    if (rc == 0)
        rc = CALL(coir_unpark(&place, 3), 0);
    return close_scope(&s, (int)rc);
}

/* ---- Combinators ---- */

static void check_calls(const coir_call *calls, size_t n, long rc) {
    for (size_t i = 0; i < n; i++)
        must(calls[i].rc == 0 || rc < 0 || calls[i].rc == -ECANCELED, "call %zu came to %d", i,
             calls[i].rc);
}

static int gather(void) {
    int ran = 0;
    coir_call calls[] = {COIR_CALL(yield_thrice, &ran), COIR_CALL(yield_thrice, &ran),
                         COIR_CALL(nothing, NULL)};
    const long rc = CALL(coir_gather(calls, 3, COIR_FAIL_FAST), 0, ENOMEM);
    check_calls(calls, 3, rc);
    must(rc < 0 || ran == 2, "%d calls have run", ran);
    return (int)rc;
}

static int race(void) {
    size_t winner = 9;
    coir_call calls[] = {COIR_CALL(sleep_long, NULL), COIR_CALL(yield_thrice, NULL),
                         COIR_CALL(sleep_long, NULL)};
    const long rc = CALL(coir_race(calls, 3, &winner), 0, ENOMEM);
    must(rc < 0 || winner == 1, "call %zu has won", winner);
    return (int)rc;
}

static int count_index(size_t index, void *arg) {
    (void)index;
    TRY(coir_yield(), 0);
    ++*(int *)arg;
    return 0;
}

static int map(void) {
    int ran = 0;
    const long rc = CALL(coir_map(20, 4, count_index, &ran), 0, ENOMEM);
    must(rc < 0 || ran == 20, "%d of 20 have run", ran);
    return (int)rc;
}

#define MANY 20 /* more than coir_wait has room for in its frame */

static int wait_in(coir_scope *s) {
    coir_task tasks[MANY];
    for (int i = 0; i < MANY; i++)
        TRY(coir_spawn_task(s, yield_thrice, NULL, &tasks[i]), 0, ENOMEM);
    TRY(coir_wait(tasks, MANY, COIR_FIRST_COMPLETED, COIR_NEVER), ANY, ENOMEM);
    TRY(coir_wait(tasks, MANY, COIR_ALL_COMPLETED, COIR_NEVER), MANY, ENOMEM);
    return 0;
}

static int wait_for(void) {
    COIR_SCOPE(s);
    return close_scope(&s, wait_in(&s));
}

static int next_in(coir_scope *s) {
    coir_task task;
    int rc;
    for (int i = 0; i < 3; i++)
        TRY(coir_spawn_task(s, yield_thrice, NULL, &task), 0, ENOMEM);
    for (int i = 0; i < 3; i++)
        TRY(coir_next(s, &task, &rc), 0);
    (void)CALL(coir_next(s, &task, &rc), -ENOENT);
    return 0;
}

static int next(void) {
    COIR_SCOPE(s);
    return close_scope(&s, next_in(&s));
}

static int spawn_in_time(void *arg) {
    (void)arg;
    return spawn();
}

static int timeout(void) {
    return (int)CALL(coir_timeout(COIR_SEC(5), spawn_in_time, NULL), 0, ENOMEM);
}

const struct scenario task_scenarios[] = {{.name = "spawn", .run = spawn},
                                          {.name = "spawn_many", .run = spawn_many},
                                          {.name = "start", .run = start, .rooms = 4},
                                          {.name = "scopes", .run = nest_scopes, .rooms = 4},
                                          {.name = "handles", .run = handles, .rooms = 4},
                                          {.name = "locals", .run = locals, .rooms = 4},
                                          {.name = "park", .run = park, .rooms = 4},
                                          {.name = "gather", .run = gather, .rooms = 4},
                                          {.name = "race", .run = race, .rooms = 4},
                                          {.name = "map", .run = map, .rooms = 4},
                                          {.name = "wait", .run = wait_for, .rooms = 4},
                                          {.name = "next", .run = next, .rooms = 4},
                                          {.name = "timeout", .run = timeout},
                                          {.name = NULL}};
