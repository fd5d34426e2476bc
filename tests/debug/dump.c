/* The listing: what it says of scopes and tasks, what of those that are alike, and that it can be
 * asked for at any moment. */
#include "debug/dumps.h"
#include "debug/frames.h"
#include "debug/line.h"

#include <stdio.h>

SUITE(debug_dump);

/* ---- Tasks ---- */

TASK_TEST(debug_dump, says_what_each_task_does) {
    COIR_SCOPE(s, .name = "work");
    check_rc(coir_spawn_with(&s, sleep_for_ever, NULL, &(coir_spawn_options){.name = "sleeper"}),
             0);
    check_rc(coir_sleep(COIR_MS(1300)), 0);
    check_rc(coir_spawn_with(&s, sleep_for_ever, NULL, &(coir_spawn_options){.name = "fresh"}), 0);
    const char *const text = dump();
    check_contains(line_of(text, "task 1 'main': "), "'main': running; stack ");
    check_contains(line_of(text, "task 2 'sleeper': "), ": sleeps for ever, for 1.3 s; stack 0.");
    check_contains(line_of(text, "task 3 'fresh': "), ": ready, not begun; stack 0.");
    check_contains(text, " KiB\n");

    check_rc(coir_yield(), 0);
    coir_scope_cancel(&s);
    const char *const after = dump();
    check_contains(line_of(after, "task 2 'sleeper': "), ": ready, cancelled; stack ");
    (void)coir_scope_close(&s, 0);
    return 0;
}

TASK_TEST(debug_dump, calls_a_task_without_a_name_by_its_entry_function) {
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, NULL, sleep_for_ever, NULL);
    (void)line_of(dump(), "task 2 'sleep_for_ever': ");
    end_scope(&s);
    return 0;
}

KEPT static int inner_function(int ms) {
    return coir_sleep(COIR_MS(ms)) + 1;
}

KEPT static int outer_function(UNUSED void *arg) {
    return inner_function(5) + 1;
}

static bool lines_are_known(void) {
    struct coir__lines lines;
    coir__lines_open(&lines);
    const bool known = lines.session != NULL;
    coir__lines_close(&lines);
    return known;
}

TASK_TEST(debug_dump, gives_the_backtrace_of_each) {
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, NULL, outer_function, NULL);
    const char *const text = dump();
    const char *const task = strstr(text, "task 2 'outer_function'");
    check(task != NULL);
    const char *const inner = strstr(task, "  inner_function "), *const outer = strstr(
                                                                     task, "  outer_function ");
    check(inner != NULL && outer != NULL && inner < outer);
    check_contains(outer, "  spawned by spawn_waiting ");
    check(strstr(text, "coir__entry") == NULL);                          /* goes without saying */
    check_contains(text, "debug_dump_gives_the_backtrace_of_each_body"); /* the running one's */
    if (lines_are_known()) {
        check_contains(line_of(task, "inner_function "), "tests/debug/dump.c:");
        check_contains(line_of(task, "spawned by "), "tests/debug/dumps.c:");
    }
    check(strstr(dump_as(.no_backtraces = true), "inner_function") == NULL);
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_dump, begins_the_running_tasks_backtrace_at_the_call) {
    const char *const text = dump();
    const char *const line = strstr(text, "task 1 ");
    check(line != NULL);
    const char *const first = strchr(line, '\n');
    check(first != NULL);
    check(strncmp(first + 1 + strspn(first + 1, " "), "dump_with ", strlen("dump_with ")) == 0);
    return 0;
}

/* ---- Scopes, deadlines, cancellation ---- */

static int sleep_in_a_scope(UNUSED void *arg) {
    COIR_SCOPE(s, .name = "attempt", .deadline = coir_after(COIR_MS(1200)), .shield = true);
    return coir_scope_close(&s, coir_sleep(COIR_NEVER));
}

TASK_TEST(debug_dump, tells_the_deadlines_of_scopes_and_who_they_reach) {
    COIR_SCOPE(s, .name = "request", .deadline = coir_after(COIR_SEC(200)));
    check_rc(coir_spawn(&s, sleep_for_ever, NULL), 0);
    check_rc(coir_spawn(&s, sleep_in_a_scope, NULL), 0);
    check_rc(coir_sleep(COIR_MS(700)), 0);
    const char *const text = dump();
    check_str(line_of(text, "scope 'request'"), "scope 'request': 2 tasks, deadline in 3 min 19 s");
    check_str(line_of(text, "scope 'attempt'"),
              "scope 'attempt': 0 tasks, shielded, deadline in 500 ms");
    check_contains(line_of(text, "task 2 "), ", for 700 ms, deadline in 3 min 19 s; ");
    check_contains(line_of(text, "task 3 "), ", for 700 ms, deadline in 500 ms; ");
    check(strstr(line_of(text, "scope 'main'"), "deadline") == NULL);
    end_scope(&s);
    return 0;
}

static int ignore_cuts_until(void *done) {
    while (!*(bool *)done) {
        COIR_SCOPE(quiet, .shield = true);
        (void)coir_sleep(COIR_MS(10));
        (void)coir_scope_close(&quiet, 0);
    }
    return 0;
}

TASK_TEST(debug_dump, says_what_is_cancelled_and_why) {
    bool done = false;
    COIR_SCOPE(s, .name = "by hand", .policy = COIR_SUPERVISE);
    COIR_SCOPE(late, .name = "too late", .deadline = coir_after(COIR_MS(5)));
    (void)spawn_waiting(&late, "stubborn", ignore_cuts_until, &done);
    check_rc(coir_sleep(COIR_MS(10)), -ECANCELED);
    coir_scope_cancel(&s);
    const char *const text = dump();
    check_str(line_of(text, "scope 'by hand'"), "scope 'by hand': 0 tasks, cancelled");
    check_str(line_of(text, "scope 'too late'"),
              "scope 'too late': 1 task, cancelled by its deadline, deadline 0 ns ago");
    check_contains(line_of(text, "task 1 "), "running, cancelled; ");
    done = true;
    (void)coir_scope_close(&late, 0);
    (void)coir_scope_close(&s, 0);
    return 0;
}

/* ---- Alike ---- */

static coir_mutex mutexes[2];

static int lock_and_sleep(void *mutex) {
    COIR_TRY(coir_mutex_lock(mutex));
    const int rc = coir_sleep(COIR_NEVER);
    (void)coir_mutex_unlock(mutex);
    return rc;
}

TASK_TEST(debug_dump, tells_once_of_tasks_that_are_alike) {
    COIR_SCOPE(s);
    for (int i = 0; i < 1234; i++)
        check_rc(coir_spawn_with(&s, sleep_for_ever, NULL,
                                 &(coir_spawn_options){.name = words("conn-%d", i)}),
                 0);
    check_rc(coir_sleep(COIR_SEC(2)), 0);
    const char *const text = dump();
    check_int(occurrences(text, "sleeps for ever"), 1);
    check_str(line_of(text, "and "), "and 1,233 tasks as this one, for 2.0 s: 3 'conn-1', "
                                     "4 'conn-2', 5 'conn-3', ...");
    check_int(occurrences(dump_as(.grouping = COIR_GROUPING_NONE), "sleeps for ever"), 1234);
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_dump, tells_apart_what_is_not_alike) {
    mutexes[0] = mutexes[1] = (coir_mutex){.coir__lock.owner = NULL};
    COIR_SCOPE(s);
    COIR_SCOPE(t);
    (void)spawn_waiting(&s, NULL, lock_and_sleep, &mutexes[0]);
    (void)spawn_waiting(&s, NULL, lock_and_sleep, &mutexes[1]);
    (void)spawn_waiting(&s, NULL, lock_and_sleep, &mutexes[0]); /* they wait for different ones */
    (void)spawn_waiting(&s, NULL, lock_and_sleep, &mutexes[1]);
    (void)spawn_waiting(&s, NULL, outer_function, NULL); /* another place, another scope */
    (void)spawn_waiting(&t, NULL, outer_function, NULL);
    const char *const text = dump();
    check_int(occurrences(text, "  task "), 7 - 1);
    check_contains(line_of(text, "and "), "and 1 task as this one, for ");
    check_int(occurrences(text, "waits for mutex "), 2);
    end_scope(&t);
    end_scope(&s);
    return 0;
}

struct family {
    int children;
    bool scope;
};

static int raise_children(void *arg) {
    const struct family *const family = arg;
    COIR_SCOPE(s, .name = "home");
    for (int i = 0; i < family->children; i++)
        COIR_TRY(coir_spawn(&s, sleep_for_ever, NULL));
    return coir_scope_close(&s, coir_sleep(COIR_NEVER));
}

TASK_TEST(debug_dump, tells_once_of_alike_families) {
    struct family two = {.children = 2}, three = {.children = 3}, many = {.children = 100};
    COIR_SCOPE(s);
    for (int i = 0; i < 100; i++)
        check_rc(coir_spawn(&s, raise_children, i == 50 ? &three : &two), 0);
    check_rc(coir_spawn(&s, raise_children, &many), 0);
    check_rc(coir_spawn(&s, raise_children, &many), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const char *const text = dump();
    check_int(occurrences(text, "scope 'home': 2 tasks"), 1);
    check_int(occurrences(text, "scope 'home': 3 tasks"), 1);
    check_int(occurrences(text, "scope 'home': 100 tasks"), 2);
    check_contains(text, "and 98 tasks as this one");
    check_int(occurrences(text, "'raise_children': "), 4);
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_dump, lists_no_more_than_asked_for) {
    COIR_SCOPE(s);
    for (int i = 0; i < 10; i++)
        (void)spawn_waiting(&s, NULL, sleep_for_ever, NULL);
    const char *const all = dump_as(.grouping = COIR_GROUPING_NONE, .tasks_max = 11);
    check_int(occurrences(all, "  task "), 11);
    check(strstr(all, "and more") == NULL);
    const char *const some = dump_as(.grouping = COIR_GROUPING_NONE, .tasks_max = 4);
    check_int(occurrences(some, "  task "), 4);
    check_contains(some, "  and more: no more than 4 were to be listed\n");
    end_scope(&s);
    return 0;
}

/* ---- At any moment ---- */

static int sleep_inside(void *scopes) {
    if (*(int *)scopes > 0) {
        --*(int *)scopes;
        COIR_SCOPE(s);
        COIR_TRY(coir_spawn(&s, sleep_inside, scopes));
        return coir_scope_close(&s, coir_sleep(COIR_NEVER));
    }
    return coir_sleep(COIR_NEVER);
}

TASK_TEST(debug_dump, tasks_nested_in_tasks_without_end) {
    const int depth = (int)scaled(5000);
    int left = depth;
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sleep_inside, &left), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const char *const text = dump_as(.no_backtraces = true);
    check_int(occurrences(text, "'sleep_inside': "), depth + 1);
    end_scope(&s);
    return 0;
}

static int sleep_in_scopes(int count) {
    if (count == 0)
        return coir_sleep(COIR_NEVER);
    COIR_SCOPE(s);
    return coir_scope_close(&s, sleep_in_scopes(count - 1));
}

static int sleep_in_hundred_scopes(UNUSED void *arg) {
    return sleep_in_scopes(100);
}

TASK_TEST(debug_dump, a_task_in_many_scopes_and_deep_in_calls) {
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, NULL, sleep_in_hundred_scopes, NULL);
    const char *const text = dump();
    check_int(occurrences(text, ": 0 tasks"), 100);
    check_int(occurrences(text, "      ...\n"), 1); /* more frames than are listed */
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_dump, a_hundred_thousand_tasks) {
    const size_t tasks = scaled(100000);
    COIR_SCOPE(s);
    for (size_t i = 0; i < tasks; i++)
        check_rc(coir_spawn(&s, sleep_for_ever, NULL), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const char *const text = dump();
    check_int(occurrences(text, "\n  "), occurrences(text, "\n") - 1);
    check(occurrences(text, "\n") < 30);
    check_contains(text, " tasks as this one, for 1.0 ms: ");
    end_scope(&s);
    return 0;
}

static int dump_on_a_small_stack(void *text) {
    *(const char **)text = dump();
    return 0;
}

TASK_TEST(debug_dump, from_a_task_with_the_least_stack) {
    const char *text = NULL;
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "other", sleep_for_ever, NULL);
    check_rc(coir_spawn_with(&s, dump_on_a_small_stack, &text,
                             &(const coir_spawn_options){.name = "small",
                                                         .stack_size_bytes = COIR_STACK_SIZE_MIN}),
             0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_contains(line_of(text, "task 3 'small': "), "running; ");
    check_contains(line_of(text, "task 1 'main': "), "sleeps until 1.0 ms from now");
    check_contains(text, "  dump_on_a_small_stack ");
    end_scope(&s);
    return 0;
}

static char *text_at_the_end;

static void dump_at_the_end(UNUSED coir_task task, UNUSED int rc, UNUSED void *arg) {
    text_at_the_end = strdup(dump());
}

TASK_TEST(debug_dump, from_the_end_of_a_task) {
    coir_done done = {.fn = dump_at_the_end};
    COIR_SCOPE(s);
    const coir_task task = spawn_waiting(&s, "mortal", sleep_for_ever, NULL);
    check_rc(coir_task_on_done(task, &done), 0);
    end_scope(&s);
    check(text_at_the_end != NULL);
    (void)line_of(text_at_the_end, "task 2 'mortal': running");
    free(text_at_the_end);
    return 0;
}

static int dump_to(void *file) {
    return coir_dump(file);
}

TASK_TEST_BARE(debug_dump, without_memory_too) {
    static char text[65536], buffer[4096];
    FILE *const file = fmemopen(text, sizeof text, "w");
    check(file != NULL && setvbuf(file, buffer, _IOFBF, sizeof buffer) == 0);
    COIR_SCOPE(s);
    (void)spawn_waiting(&s, "other", outer_function, NULL);
    check_int(without_memory(dump_to, file), 2);
    fclose(file);
    (void)line_of(text, "task 1 'main': running");
    check_contains(line_of(text, "task 2 'other': "), "sleeps until 4.9 ms from now");
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_dump, names_with_control_characters_stay_on_their_line) {
    COIR_SCOPE(s, .name = "a\nb\x1b[31m");
    (void)spawn_waiting(&s, "\"q\"\n\ttask 99 'fake': ", sleep_for_ever, NULL);
    const char *const text = dump();
    (void)line_of(text, "scope 'a?b?[31m': 1 task");
    (void)line_of(text, "task 2 '\"q\"??task 99 'fake': ': sleeps");
    end_scope(&s);
    return 0;
}

TASK_TEST(debug_dump, nonsense_is_refused) {
    check_rc(coir_dump(NULL), -EINVAL);
    check_rc(coir_dump_with(stderr, &(coir_dump_options){.format = (coir_dump_format)2}), -EINVAL);
    check_rc(coir_dump_with(stderr, &(coir_dump_options){.grouping = (coir_dump_grouping)3}),
             -EINVAL);
    return 0;
}

Test(debug_dump, there_is_nothing_to_list_outside_the_runtime) {
    check_rc(coir_dump(stderr), -EPERM);
    check_rc(coir_dump_with(stderr, NULL), -EPERM);
}
