/* Floating-point control words: a task that asked for its own keeps them and changes nobody
 * else's; one that did not, and waits with other words, is named in builds for debugging. What they
 * do to calculations is tested in core/task.c. */
#include "arch/abi.h"

#include <fenv.h>

SUITE(arch_float);

static struct coir_fp usual;

static bool words_are(struct coir_fp expected) {
    return coir__fp_equal(coir__fp_get(), expected);
}

/* ---- Words of their own ---- */

/* Each way to wait, n of them. */
static int wait_somehow(int n) {
    switch (n % 4) {
    case 0:
        return coir_sleep(COIR_MS(1));
    case 1:
        return coir_offload(return_int, &(int){0});
    default:
        return coir_yield();
    }
}

static int keep_words_of_its_own(void *arg) {
    const struct coir_fp own = unusual_words(*(const unsigned *)arg);
    check(words_are(usual)); /* the spawner's */
    coir__fp_set(own);
    for (int i = 0; i < 20; i++) {
        check_rc(wait_somehow(i), 0);
        check(words_are(own));
    }
    return 0; /* with them set */
}

static int see_the_usual_words(UNUSED void *arg) {
    for (int i = 0; i < 30; i++) {
        check(words_are(usual));
        check_rc(wait_somehow(i), 0);
    }
    return 0;
}

static int mix_both(UNUSED void *arg) {
    static const unsigned numbers[UNUSUAL_WORDS] = {0, 1, 2, 3, 4, 5};
    const coir_spawn_options own = {.own_fp_environment = true};
    COIR_SCOPE(s);
    for (size_t i = 0; i < UNUSUAL_WORDS; i++) {
        check_rc(coir_spawn(&s, see_the_usual_words, NULL), 0);
        check_rc(coir_spawn_with(&s, keep_words_of_its_own, (void *)(uintptr_t)&numbers[i], &own),
                 0);
    }
    check_rc(see_the_usual_words(NULL), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(words_are(usual));
    check_rc(coir_yield(), 0);
    check(words_are(usual));
    return 0;
}

Test(arch_float, the_unusual_words_differ) {
    for (unsigned i = 0; i < UNUSUAL_WORDS; i++) {
        usual = coir__fp_get();
        coir__fp_set(unusual_words(i));
        check(words_are(unusual_words(i)));
        coir__fp_set(usual);
        check(words_are(usual) && !words_are(unusual_words(i)));
        for (unsigned j = 0; j < i; j++)
            check(!coir__fp_equal(unusual_words(i), unusual_words(j)));
    }
}

TASK_TEST_SEEDS(arch_float, words_of_ones_own_are_kept_and_change_nobody_elses) {
    usual = coir__fp_get();
    return mix_both(NULL);
}

/* The usual words are those that the thread has when the runtime begins, and it has them again. */
Test(arch_float, so_they_are_where_the_thread_has_unusual_ones) {
    const struct coir_fp before = coir__fp_get();
    for (unsigned i = 0; i < UNUSUAL_WORDS; i++) {
        usual = unusual_words(i);
        coir__fp_set(usual);
        check_rc(run_task(mix_both, NULL), 0);
        check(words_are(usual));
        coir__fp_set(before);
    }
}

static int divide_by_zero(UNUSED void *arg) {
    check_int(feraiseexcept(FE_DIVBYZERO), 0);
    check_rc(coir_yield(), 0);
    check(fetestexcept(FE_DIVBYZERO) != 0);
    return 0;
}

/* Status flags are results of the thread: control words come and go above them. */
static int exchange_words_above_flags(UNUSED void *arg) {
    const coir_spawn_options own = {.own_fp_environment = true};
    COIR_SCOPE(s);
    check_int(feclearexcept(FE_ALL_EXCEPT), 0);
    check_rc(coir_spawn_with(&s, divide_by_zero, NULL, &own), 0);
    check_rc(coir_yield(), 0);
    check(fetestexcept(FE_DIVBYZERO) != 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(fetestexcept(FE_DIVBYZERO) != 0);
    return 0;
}

Test(arch_float, status_flags_stay_where_control_words_are_exchanged) {
    if (on_valgrind())
        skip_test("Valgrind has no flags of what happened in calculations");
    check_rc(run_task(exchange_words_above_flags, NULL), 0);
}

static int raise_flags(UNUSED void *arg) {
    check_int(feraiseexcept(FE_DIVBYZERO | FE_INEXACT), 0);
    check(words_are(usual));
    return coir_yield(); /* where builds for debugging look */
}

TASK_TEST(arch_float, status_flags_are_no_change_of_control_words) {
    check_int(feclearexcept(FE_ALL_EXCEPT), 0);
    usual = coir__fp_get();
    capture_stderr();
    COIR_SCOPE(s);
    const int rc = coir_spawn(&s, raise_flags, NULL), closed = coir_scope_close(&s, 0);
    const char *const said = captured_stderr();
    check_rc(rc, 0);
    check_rc(closed, 0);
    check_str(said, "");
    return 0;
}

/* ---- Words that were changed without asking ---- */

/* Changes them, waits, and puts them back. */
static int change_and_wait(void *arg) {
    coir__fp_set(unusual_words(0));
    check_rc(wait_somehow(*(const int *)arg), 0);
    coir__fp_set(usual);
    return 0;
}

/* What it says on standard error while such a task waits in that way. */
static const char *said_of(int way, const coir_spawn_options *options) {
    capture_stderr();
    COIR_SCOPE(s);
    const int rc = coir_spawn_with(&s, change_and_wait, &way, options);
    const int closed = coir_scope_close(&s, 0);
    const char *const said = captured_stderr();
    check_rc(rc, 0);
    check_rc(closed, 0);
    return said;
}

#define NAMED "task 'sloppy' waits with the floating-point environment changed"

TASK_TEST(arch_float, who_waits_with_changed_words_is_named_in_builds_for_debugging) {
    usual = coir__fp_get();
    for (int way = 0; way < 4; way++) {
        const char *const said = said_of(way, &(coir_spawn_options){.name = "sloppy"});
        if (COIR_DEBUG)
            check_contains(said, NAMED);
        else
            check_str(said, "");
        coir__fp_set(usual);
    }
    return 0;
}

TASK_TEST(arch_float, who_asked_for_words_of_its_own_is_not_named) {
    usual = coir__fp_get();
    for (int way = 0; way < 4; way++)
        check_str(
            said_of(way, &(coir_spawn_options){.name = "careful", .own_fp_environment = true}), "");
    return 0;
}

static int see_them(void *arg) {
    *(bool *)arg = words_are(usual);
    return 0;
}

/* Nor do the others get to feel it where it is looked at; elsewhere the thread's words are what
 * they are. */
TASK_TEST(arch_float, others_have_the_usual_words_in_builds_for_debugging) {
    bool seen = false;
    const int way = 2;
    usual = coir__fp_get();
    capture_stderr();
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, change_and_wait, (void *)(uintptr_t)&way), 0);
    check_rc(coir_spawn(&s, see_them, &seen), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    (void)captured_stderr();
    check_int(seen, COIR_DEBUG != 0);
    check(COIR_DEBUG || words_are(usual));
    return 0;
}
