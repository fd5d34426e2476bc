/* Unwinding: from inside a task, by libunwind and by frame pointers, every stack ends cleanly at
 * its base frame, with the right functions on the way; on x86_64 also at each single instruction
 * of the switch, where a profiler may strike. */
#include "support.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <ucontext.h>

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

/* ---- Each instruction of the switch ---- */

#if defined(__x86_64__) && defined(__linux__)

static coir_context main_context, left, right;
static char left_stack[256 * 1024], right_stack[256 * 1024];

/* Which side each step belonged to: l, r, or e for the base frame alone; repetitions dropped. */
static char sides[64];
static size_t sides_count;
static int steps, failures;

static void left_body(void *value, void *arg);
static void right_body(void *value, void *arg);

static char side_of(unw_cursor_t *cursor) {
    char side = 'e', name[64] = "?";
    unw_word_t offset;
    int rc = 1;
    for (int i = 0; i < FRAMES_MAX && rc > 0; i++) {
        unw_proc_info_t info;
        if (unw_get_proc_info(cursor, &info) == 0) {
            side = info.start_ip == (unw_word_t)&left_body    ? 'l'
                   : info.start_ip == (unw_word_t)&right_body ? 'r'
                                                              : side;
            (void)unw_get_proc_name(cursor, name, sizeof name, &offset);
        }
        rc = unw_step(cursor);
    }
    failures += rc != 0 || strcmp(name, "coir__entry") != 0;
    return side;
}

static void on_step(UNUSED int number, UNUSED siginfo_t *info, void *context) {
    unw_cursor_t cursor;
    steps++;
    if (unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME) != 0) {
        failures++;
        return;
    }
    const char side = side_of(&cursor);
    if (sides_count == 0 || sides[sides_count - 1] != side)
        if (sides_count < sizeof sides - 1)
            sides[sides_count++] = side;
}

/* The trap flag: a signal after each instruction. Steps over the red zone first. */
static inline __attribute__((always_inline)) void step_begin(void) {
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n pushfq\n orl $0x100, (%%rsp)\n popfq\n"
                     "leaq 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

static inline __attribute__((always_inline)) void step_end(void) {
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n pushfq\n andl $~0x100, (%%rsp)\n popfq\n"
                     "leaq 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

static void left_body(UNUSED void *value, UNUSED void *arg) {
    step_begin();
    (void)coir_context_switch(&left, &right, NULL);
    step_end();
    (void)coir_context_switch(&left, &main_context, NULL);
    abort();
}

static void right_body(UNUSED void *value, UNUSED void *arg) {
    (void)coir_context_switch(&right, &left, NULL);
    abort();
}

Test(arch_unwind, each_instruction_of_the_switch_can_be_unwound) {
    if (on_valgrind())
        skip_test("Valgrind knows no single steps");
    const struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    check_int(sigaction(SIGTRAP, &action, NULL), 0);
    check_rc(coir_context_init(&left, left_stack, sizeof left_stack, left_body, NULL), 0);
    check_rc(coir_context_init(&right, right_stack, sizeof right_stack, right_body, NULL), 0);
    (void)coir_context_switch(&main_context, &left, NULL);
    signal(SIGTRAP, SIG_DFL);

    check_int(failures, 0);
    check_str(sides, "lerl"); /* to a fresh stack by its base frame, then back */
    check(steps > 30);
}

#endif
