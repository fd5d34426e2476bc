/* The explorer itself: that it runs every schedule once, and finds what depends on the order. */
#include <stdio.h>
#include <sys/wait.h>

#include "laws/explore.h"

LAWS(laws_explorer);

enum { SEEN_MAX = 256 };

/* The traces seen so far, and how often. */
static struct {
    char text[64];
    size_t count;
} seen[SEEN_MAX];
static size_t seen_count;

static void note_trace(void) {
    size_t i = 0;
    while (i < seen_count && strcmp(seen[i].text, traced()) != 0)
        i++;
    if (i == seen_count) {
        check(seen_count++ < SEEN_MAX);
        snprintf(seen[i].text, sizeof seen[i].text, "%s", traced());
    }
    seen[i].count++;
}

static void check_seen(size_t different) {
    check_int(seen_count, different);
    for (size_t i = 0; i < seen_count; i++)
        check_int(seen[i].count, 1);
}

/* ---- Which task runs ---- */

static int step_twice(void *arg) {
    trace("%s", (const char *)arg);
    check_rc(coir_yield(), 0);
    trace("%s", (const char *)arg);
    return 0;
}

static void interleave(void) {
    char names[][2] = {"a", "b", "c"};
    COIR_SCOPE(s);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        check_rc(coir_spawn(&s, step_twice, names[i]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    note_trace();
}

Test(laws_explorer, each_interleaving_once) {
    explore("laws_explorer/each_interleaving_once", interleave, MOST_SCHEDULES, false);
    check_seen(90); /* 6! / (2! 2! 2!) */
}

/* ---- When time passes ---- */

static int step_thrice(UNUSED void *arg) {
    trace("a");
    check_rc(coir_yield(), 0);
    trace("b");
    return 0;
}

static int sleep_a_little(UNUSED void *arg) {
    check_rc(coir_sleep(COIR_MS(1)), 0);
    trace("t");
    return 0;
}

static void sleep_and_step(void) {
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, sleep_a_little, NULL), 0);
    check_rc(coir_spawn(&s, step_thrice, NULL), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    size_t i = 0;
    while (i < seen_count && strcmp(seen[i].text, traced()) != 0)
        i++;
    if (i == seen_count)
        snprintf(seen[seen_count++].text, sizeof seen[i].text, "%s", traced());
}

Test(laws_explorer, time_passes_at_any_moment) {
    explore("laws_explorer/time_passes_at_any_moment", sleep_and_step, MOST_SCHEDULES, false);
    check_int(seen_count, 3); /* "t a b", "a t b", "a b t" */
}

/* ---- The choices of a scenario ---- */

static void choose_thrice(void) {
    trace("%d%d%d", choose(2), choose(1), choose(3));
    note_trace();
}

Test(laws_explorer, choices_of_a_scenario_are_all_tried) {
    explore("laws_explorer/choices_of_a_scenario_are_all_tried", choose_thrice, MOST_SCHEDULES,
            false);
    check_seen(6);
}

/* ---- Failures ---- */

/* Crashes under one schedule of many. */
static void crash_once(void) {
    interleave();
    if (strcmp(traced(), "b a c c a b") == 0)
        abort();
}

static int explore_crash(UNUSED void *arg) {
    explore("crash_once", crash_once, MOST_SCHEDULES, false);
    return 0;
}

/* Runs it in another process, with or without a string to replay; whether it crashed. */
static bool crashes(const char *string) {
    if (string != NULL)
        check_int(setenv("COIR_SCHEDULE", string, 1), 0);
    const int status = run_forked(explore_crash, NULL);
    return WIFSIGNALED(status);
}

Test(laws_explorer, a_failing_schedule_is_found_and_can_be_replayed) {
    static const char mark[] = "COIR_SCHEDULE=";
    char string[64];
    capture_stderr();
    const bool crashed = crashes(NULL);
    const char *const text = captured_stderr(), *const found = strstr(text, mark);
    check(crashed);
    check_contains(text, mark);
    const size_t length = strspn(found + strlen(mark), "012");
    check(length > 0 && length < sizeof string);
    memcpy(string, found + strlen(mark), length);
    string[length] = '\0';

    capture_stderr();
    const bool again = crashes(string);
    string[0] ^= 1; /* another one */
    const bool other = crashes(string);
    (void)captured_stderr();
    check(again);
    check(!other);
}
