/* Unwinding: from inside a task, by libunwind and by frame pointers, every stack ends cleanly at
 * its base frame, with the right functions on the way; also at each single instruction, where a
 * profiler may strike, and there with the registers of the callers. */
#include "arch/abi.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdio.h>

#include "arch/steps.h"
#include "core/runtime.h"

SUITE(arch_unwind);

enum { FRAMES_MAX = 64 };

/* The names of the functions from the caller outwards, one space after each; returns what the last
 * step said: 0 for a clean end. */
static int names_from_here(char *names, size_t size_bytes) {
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t offset;
    int rc = unw_getcontext(&context);
    size_t length = 0;
    if (rc == 0)
        rc = unw_init_local(&cursor, &context);
    for (int i = 0; i < FRAMES_MAX && rc >= 0; i++) {
        char name[64] = "?";
        (void)unw_get_proc_name(&cursor, name, sizeof name, &offset);
        length += (size_t)snprintf(names + length, size_bytes - length, "%s ", name);
        rc = unw_step(&cursor);
        if (rc == 0)
            return 0;
    }
    return rc;
}

struct found {
    char names[1024];
    int rc;
};

/* A chain of three, none of which may be inlined or end in a jump. */
__attribute__((noinline)) static int innermost(struct found *found) {
    found->rc = names_from_here(found->names, sizeof found->names);
    return (int)strlen(found->names) + coir_yield();
}

__attribute__((noinline)) static int between(struct found *found) {
    return innermost(found) + 1;
}

__attribute__((noinline)) static int outermost(void *arg) {
    return between(arg) + 1;
}

static const char *last_word(char *words) {
    const size_t length = strlen(words);
    check(length > 0 && words[length - 1] == ' ');
    words[length - 1] = '\0';
    const char *const space = strrchr(words, ' ');
    return space != NULL ? space + 1 : words;
}

static int unwind_a_child(UNUSED void *arg) {
    struct found found = {.rc = -1};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, outermost, &found), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(found.rc, 0);
    check_contains(found.names, "innermost between outermost ");
    check_str(last_word(found.names), "coir__entry");
    return 0;
}

Test(arch_unwind, libunwind_walks_a_running_task_to_its_base) {
    check_rc(run_task(unwind_a_child, NULL), 0);
}

static int unwind_the_main_task(UNUSED void *arg) {
    struct found found = {.rc = -1};
    check(outermost(&found) > 0);
    check_int(found.rc, 0);
    check_contains(found.names, "innermost between outermost ");
    check_str(last_word(found.names), "coir__entry");
    return 0;
}

Test(arch_unwind, libunwind_walks_the_main_task_to_its_base) {
    check_rc(run_task(unwind_the_main_task, NULL), 0);
}

/* ---- Frame pointers ---- */

struct link {
    const struct link *outer;
    void *return_address;
};

__attribute__((noinline)) static int count_frames(UNUSED void *arg) {
    coir_stack_use use;
    check_rc(coir_task_stack(coir_self(), &use), 0);
    const struct link *const first = __builtin_frame_address(0);
    int count = 0;
    for (const struct link *frame = first; frame != NULL; frame = frame->outer) {
        check(frame->outer == NULL || frame->outer > frame);
        check((size_t)((const char *)frame - (const char *)first) < use.size);
        check(++count < FRAMES_MAX);
    }
    return count;
}

TASK_TEST(arch_unwind, the_chain_of_frame_pointers_ends_at_the_base) {
    coir_task task;
    int count = 0;
    COIR_SCOPE(s);
    check_rc(coir_spawn_task(&s, count_frames, NULL, &task), 0);
    check_rc(coir_join(task, &count), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check(count >= 1);
    return 0;
}

/* ---- Each instruction ---- */

/* What is wrong at the first step where something is: a signal handler can not end the test. */
static char complaint[256];

static void complain(const ucontext_t *at, const char *what, uintptr_t number) {
    if (complaint[0] == '\0')
        snprintf(complaint, sizeof complaint, "at switch + %td, pc %#zx, sp %#zx: %s %#zx",
                 (ptrdiff_t)(pc_of(at) - (uintptr_t)&coir_context_switch), (size_t)pc_of(at),
                 (size_t)sp_of(at), what, (size_t)number);
}

static uintptr_t register_of(unw_cursor_t *cursor, int number) {
    unw_word_t value = 0;
    return unw_get_reg(cursor, number, &value) == 0 ? (uintptr_t)value : UINTPTR_MAX;
}

/* Where the function that the cursor is in begins. */
static uintptr_t function_of(unw_cursor_t *cursor) {
    unw_proc_info_t info;
    return unw_get_proc_info(cursor, &info) == 0 ? (uintptr_t)info.start_ip : 0;
}

/* Walks on to the outermost frame, whose function it returns; 0 if that is no clean end, or if a
 * frame does not lie above the one before. */
static uintptr_t outermost_function(unw_cursor_t *cursor) {
    uintptr_t function = function_of(cursor), sp = register_of(cursor, UNW_REG_SP);
    int rc = unw_step(cursor);
    for (int i = 0; rc > 0 && i < FRAMES_MAX; i++) {
        if (register_of(cursor, UNW_REG_SP) < sp)
            return 0;
        sp = register_of(cursor, UNW_REG_SP);
        function = function_of(cursor);
        rc = unw_step(cursor);
    }
    return rc == 0 ? function : 0;
}

static bool begin_walk(unw_cursor_t *cursor, ucontext_t *at) {
    const int rc = unw_init_local2(cursor, (unw_context_t *)at, UNW_INIT_SIGNAL_FRAME);
    if (rc != 0)
        complain(at, "libunwind does not begin:", (uintptr_t)-rc);
    return rc == 0;
}

/* ---- Of the switch: the registers of those who called it ---- */

static coir_context main_context, left, right;
static char left_stack[256 * 1024], right_stack[256 * 1024];
enum { WITHOUT_TOP = sizeof left_stack - 64 }; /* the base frame's own stack is looked at */

/* Who each step belonged to: left, right, a fresh stack, the base frame; repetitions dropped. */
static char sides[64];
static size_t sides_count, steps_in_switch;

static void note_side(char side) {
    if (sides_count < sizeof sides - 1 && (sides_count == 0 || sides[sides_count - 1] != side))
        sides[sides_count++] = side;
}

/* The caller is in registers_changed: it must get back what that has put there. */
static void check_caller(const ucontext_t *at, unw_cursor_t *caller, unsigned long pattern) {
    const uintptr_t sp = register_of(caller, UNW_REG_SP);
    note_side(sp - (uintptr_t)left_stack < sizeof left_stack ? 'l' : 'r');
    for (unsigned i = 0; kept_number(i) >= 0; i++)
        if (register_of(caller, kept_number(i)) != pattern + i)
            complain(at, "the caller does not get back its register number", i);
}

/* There is no caller yet: the frame is the first one of the right stack. */
static void check_fresh(const ucontext_t *at, unw_cursor_t *base) {
    note_side('f');
    if (function_of(base) != (uintptr_t)&coir__entry)
        complain(at, "neither registers_changed nor the base frame called it:", function_of(base));
    for (unsigned i = 0; kept_number(i) >= 0; i++) {
        const uintptr_t value = register_of(base, kept_number(i));
        if (value != 0 && value != (uintptr_t)right_stack && value != (uintptr_t)&arrive)
            complain(at, "a fresh stack has in register number", i);
    }
}

static void check_step_of_switch(ucontext_t *at) {
    unw_cursor_t cursor;
    unsigned long pattern;
    if (!begin_walk(&cursor, at))
        return;
    if (function_of(&cursor) == (uintptr_t)&coir__entry) {
        note_side('e');
    } else if (function_of(&cursor) == (uintptr_t)&coir_context_switch) {
        steps_in_switch++;
        spoil_below_sp(at);
        if (unw_step(&cursor) <= 0)
            complain(at, "there is no caller", 0);
        else if (in_registers_changed(register_of(&cursor, UNW_REG_SP), &pattern))
            check_caller(at, &cursor, pattern);
        else
            check_fresh(at, &cursor);
    } else {
        return;
    }
    if (outermost_function(&cursor) != (uintptr_t)&coir__entry)
        complain(at, "the walk does not end in the base frame", 0);
}

static void go_on_at_the_right(UNUSED void *value, UNUSED void *arg) {
    for (;;)
        check_kept(coir_context_switch, &right, &left, NULL);
}

static void go_on_at_the_left(UNUSED void *value, UNUSED void *arg) {
    steps_begin(check_step_of_switch);
    for (int i = 0; i < 2; i++)
        check_kept(coir_context_switch, &left, &right, NULL);
    steps_end();
    (void)coir_context_switch(&left, &main_context, NULL);
    abort();
}

Test(arch_unwind, each_instruction_of_the_switch_gives_its_callers_back_their_registers) {
    /* the argument: lies at the beginning of the stack, which is how it is known */
    struct arrival *const arrival = (struct arrival *)(void *)right_stack;
    need_steps();
    arrival->then = go_on_at_the_right;
    check_rc(coir_context_init(&left, left_stack, WITHOUT_TOP, go_on_at_the_left, NULL), 0);
    check_rc(coir_context_init(&right, right_stack, WITHOUT_TOP, arrive, arrival), 0);
    (void)coir_context_switch(&main_context, &left, NULL);

    cr_assert(complaint[0] == '\0', "%s", complaint);
    check_str(sides, "lferlrl"); /* to a fresh stack by its base frame, back, there, and back */
    check_int(steps_in_switch % 4, 0);
    check(steps_in_switch / 4 >= 15);
}

/* ---- Of tasks: from their beginning to their end ---- */

/* What has to be seen at least, if everything can be; and what has been. */
static struct {
    void (*function)(void);
    const char *name;
    bool seen;
} functions[] = {
#define FUNCTION(name)                                                                             \
    { (void (*)(void))(name), #name, false }
    FUNCTION(coir_context_switch), FUNCTION(coir__entry),      FUNCTION(coir_spawn),
    FUNCTION(coir_yield),          FUNCTION(coir_park),        FUNCTION(coir_unpark),
    FUNCTION(coir_sleep),          FUNCTION(coir_scope_close), FUNCTION(coir__task_exit),
    FUNCTION(coir__next_slow),     FUNCTION(coir__loop),
};
enum { OF_THE_SWITCH = 2 };

static uintptr_t test_sp; /* of a frame on the thread's own stack, before the runtime began */

/* On a task's stack a walk ends in the base frame; on the thread's own it has to get to the test.
 */
static void check_step(ucontext_t *at) {
    unw_cursor_t cursor;
    if (!begin_walk(&cursor, at))
        return;
    const uintptr_t function = function_of(&cursor);
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        functions[i].seen |= function == (uintptr_t)functions[i].function;
    if (sp_of(at) < test_sp && test_sp - sp_of(at) < 64 * 1024) {
        while (register_of(&cursor, UNW_REG_SP) < test_sp)
            if (unw_step(&cursor) <= 0) {
                complain(at, "the walk does not get to the test; it is in", function);
                return;
            }
    } else if (outermost_function(&cursor) != (uintptr_t)&coir__entry) {
        complain(at, "the walk does not end in the base frame; it is in", function);
    }
}

static int park_on(void *wait) {
    return coir_park(wait);
}

static int yield_often(UNUSED void *arg) {
    int rc = 0;
    for (int i = 0; i < 40 && rc == 0; i++) /* more than the first turns are long */
        rc = coir_yield();
    return rc;
}

/* A life of two tasks: spawn, yield, park, unpark, sleep, end, close. 0, if all goes well. */
static int live(void) {
    coir_waiter wait = {.what = "a test"};
    COIR_SCOPE(s);
    int rc = coir_spawn(&s, park_on, &wait);
    rc |= coir_spawn(&s, yield_often, NULL);
    rc |= yield_often(NULL);
    rc |= coir_unpark(&wait, 0);
    rc |= coir_sleep(COIR_MS(1));
    rc |= coir_scope_close(&s, 0);
    return rc;
}

static int live_step_by_step(UNUSED void *arg) {
    int rc = live(); /* so that the linker has looked up what is called, and stacks are there */
    steps_begin(check_step);
    rc |= live();
    steps_end();
    return rc;
}

Test(arch_unwind, each_instruction_of_a_tasks_life_can_be_unwound) {
    need_steps();
    test_sp = (uintptr_t)__builtin_frame_address(0);
    check_rc(run_task(live_step_by_step, NULL), 0);
    cr_assert(complaint[0] == '\0', "%s", complaint);
    const size_t expected = steps_everywhere() ? COUNT_OF(functions) : OF_THE_SWITCH;
    for (size_t i = 0; i < expected; i++)
        cr_assert(functions[i].seen, "no step was in %s", functions[i].name);
}
