/* Backtraces of tasks in every state: by libunwind, by what was learned from it, and by frame
 * pointers; and that nothing on a stack can lead a walk astray. */
#include "debug/backtrace.h"
#include "debug/frames.h"
#include "debug/inspector.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <sys/mman.h>

SUITE(debug_backtrace);

/* What the library says about libunwind without its header. */
_Static_assert((int)COIR_UNWIND_SP == (int)UNW_REG_SP && (int)COIR_UNWIND_PC == (int)UNW_REG_IP,
               "the registers have its numbers");
#ifdef __x86_64__
_Static_assert((int)COIR_UNWIND_FP == (int)UNW_X86_64_RBP, "this one too");
#else
_Static_assert((int)COIR_UNWIND_FP == (int)UNW_AARCH64_X29, "this one too");
#endif
_Static_assert(sizeof(unw_cursor_t) <= sizeof((struct coir__unwinder *)NULL)->cursor,
               "there is room for its cursor");
_Static_assert(sizeof(unw_save_loc_t) <= 32 && UNW_SLT_MEMORY == 1,
               "and for where a register is saved");

enum { FRAMES_MAX = 64 };

/* ---- Tasks in every state ---- */

/* What the innermost function of a task does. */
struct act {
    int (*fn)(struct act *act);
    void *pcs[FRAMES_MAX];
    ssize_t count;
    size_t room; /* to be taken up in its frame */
};

KEPT static int innermost(struct act *act) {
    return act->fn(act) + 1;
}

KEPT static int between(struct act *act) {
    return innermost(act) + 1;
}

KEPT static int outermost(void *arg) {
    return between(arg) + 1;
}

static int wait_for_ever(UNUSED struct act *act) {
    return coir_sleep(COIR_NEVER);
}

static int yield_for_ever(UNUSED struct act *act) {
    int rc;
    do
        rc = coir_yield();
    while (rc == 0);
    return rc;
}

static int look_at_oneself(struct act *act) {
    act->count = coir_backtrace(coir_self(), act->pcs, FRAMES_MAX);
    return 0;
}

static coir_task spawn(coir_scope *scope, coir_fn fn, struct act *act) {
    coir_task task;
    check_rc(coir_spawn_task(scope, fn, act, &task), 0);
    return task;
}

static int end(coir_scope *scope) {
    coir_scope_cancel(scope);
    return coir_scope_close(scope, 0);
}

TASK_TEST(debug_backtrace, of_a_task_that_waits) {
    struct act act = {.fn = wait_for_ever};
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, outermost, &act);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_frames(names_of_task(task), "innermost between outermost ");
    (void)end(&s);
    return 0;
}

TASK_TEST(debug_backtrace, of_a_task_that_is_ready) {
    struct act act = {.fn = yield_for_ever};
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, outermost, &act);
    check_rc(coir_yield(), 0);
    check_frames(names_of_task(task), "yield_for_ever innermost between outermost ");
    (void)end(&s);
    return 0;
}

TASK_TEST(debug_backtrace, of_a_task_that_has_yet_to_begin_is_what_it_is_about_to_enter) {
    struct act act = {.fn = wait_for_ever};
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, outermost, &act);
    void *pcs[FRAMES_MAX];
    check_int(coir_backtrace(task, pcs, FRAMES_MAX), 2);
    check_str(names_of(pcs, 2), "outermost coir__entry ");
    check((uintptr_t)pcs[0] - 1 == (uintptr_t)outermost);
    (void)end(&s);
    return 0;
}

TASK_TEST(debug_backtrace, of_the_running_task_is_its_calls_from_this_one_outwards) {
    struct act act = {.fn = look_at_oneself};
    COIR_SCOPE(s);
    (void)spawn(&s, outermost, &act);
    check_rc(coir_scope_close(&s, 0), 0);
    check(act.count > 0);
    const char *const names = names_of(act.pcs, (size_t)act.count);
    check_frames(names, "look_at_oneself innermost between outermost ");
    check(strncmp(names, "look_at_oneself ", strlen("look_at_oneself ")) == 0);
    return 0;
}

TASK_TEST(debug_backtrace, of_the_main_task) {
    struct act act = {.fn = look_at_oneself};
    check_int(outermost(&act), 3);
    check(act.count > 0);
    check_frames(names_of(act.pcs, (size_t)act.count),
                 "look_at_oneself innermost between outermost "
                 "debug_backtrace_of_the_main_task_body ");
    return 0;
}

/* ---- Functions without frame pointers ---- */

static int wait_below_frameless(void *arg) {
    return call_frameless(outermost, arg) + 1;
}

TASK_TEST(debug_backtrace, functions_without_frame_pointers_are_not_left_out) {
    struct act waiting = {.fn = wait_for_ever}, running = {.fn = look_at_oneself};
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, wait_below_frameless, &waiting);
    (void)spawn(&s, wait_below_frameless, &running);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const char *const expected =
        "innermost between outermost frameless_too frameless call_frameless wait_below_frameless ";
    check_frames(names_of_task(task), expected);
    check_frames(names_of_task(task), expected); /* by rules this time */
    check_frames(names_of(running.pcs, (size_t)running.count), expected);
    (void)end(&s);
    return 0;
}

/* ---- What was learned is what libunwind says ---- */

/* Frames of a size that differs from task to task. */
KEPT static int wait_in_a_large_frame(struct act *act) {
    volatile char *const room = __builtin_alloca(act->room);
    room[0] = 1;
    const int rc = innermost(act);
    return rc + room[0];
}

KEPT static int take_room(struct act *act) {
    volatile char *const room = __builtin_alloca(act->room / 2 + 1);
    room[0] = 1;
    return wait_in_a_large_frame(act) + room[0];
}

static int enter_large_frames(void *arg) {
    return take_room(arg) + 1;
}

static const struct coir__task *block_of(coir_task task) {
    return ((const struct coir__record *)task.coir__record)->task;
}

static size_t frames_by_libunwind(const struct coir__task *task, void **pcs) {
    union {
        ucontext_t registers;
        unw_context_t context; /* on aarch64 the beginning of the former */
    } at;
    unw_cursor_t cursor;
    unw_word_t pc;
    size_t count = 0;
    memset(&at, 0, sizeof at);
    coir__registers_describe(task->context.sp, &at.registers);
    check_int(unw_init_local(&cursor, &at.context), 0);
    do {
        check_int(unw_get_reg(&cursor, UNW_REG_IP, &pc), 0);
        pcs[count++] = (void *)pc;
    } while (count < FRAMES_MAX && unw_step(&cursor) > 0);
    return count;
}

TASK_TEST(debug_backtrace, rules_lead_where_libunwind_does_whatever_the_size_of_a_frame) {
    enum { TASKS = 40 };
    struct act acts[TASKS];
    coir_task tasks[TASKS];
    COIR_SCOPE(s);
    for (size_t i = 0; i < TASKS; i++) {
        acts[i] = (struct act){.fn = wait_for_ever, .room = 1 + i * 40 % 700};
        tasks[i] = spawn(&s, enter_large_frames, &acts[i]);
    }
    check_rc(coir_sleep(COIR_MS(1)), 0);
    for (size_t i = 0; i < 2 * (size_t)TASKS; i++) {
        void *ours[FRAMES_MAX], *theirs[FRAMES_MAX];
        const coir_task task = tasks[i % TASKS];
        const ssize_t count = coir_backtrace(task, ours, FRAMES_MAX);
        check_int(count, frames_by_libunwind(block_of(task), theirs));
        check(memcmp(ours, theirs, (size_t)count * sizeof ours[0]) == 0);
        check_frames(names_of(ours, (size_t)count),
                     "innermost wait_in_a_large_frame take_room enter_large_frames ");
    }
    (void)end(&s);
    return 0;
}

/* ---- Frame pointers alone ---- */

TASK_TEST(debug_backtrace, frame_pointers_alone_lead_to_the_base) {
    struct act act = {.fn = wait_for_ever};
    void *pcs[FRAMES_MAX];
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, outermost, &act);
    check_int(coir__frames(block_of(task), pcs, FRAMES_MAX), 2);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    const size_t count = coir__frames(block_of(task), pcs, FRAMES_MAX);
    check_frames(names_of(pcs, count), "innermost between outermost ");
    (void)end(&s);
    return 0;
}

static void *interrupted_at[FRAMES_MAX];
static size_t interrupted_count;

static void note_frames(UNUSED int number, UNUSED siginfo_t *info, void *context) {
    interrupted_count =
        coir__frames_interrupted(coir__rt->current, context, interrupted_at, FRAMES_MAX);
}

static int be_interrupted(UNUSED struct act *act) {
    return raise(SIGUSR1);
}

TASK_TEST(debug_backtrace, of_a_task_that_a_signal_interrupted) {
#if COIR_TSAN
    skip_test("no walk leads through ThreadSanitizer's own raise()");
#endif
    const struct sigaction action = {.sa_sigaction = note_frames, .sa_flags = SA_SIGINFO};
    check_int(sigaction(SIGUSR1, &action, NULL), 0);
    struct act act = {.fn = be_interrupted};
    check_int(outermost(&act), 3);
    check(interrupted_count > 0);
    check_frames(names_of(interrupted_at, interrupted_count), "between outermost ");
    return 0;
}

/* A stack of random words, many of which point into it, between pages that cannot be read. */
TASK_TEST(debug_backtrace, garbage_on_a_stack_leads_no_walk_out_of_it) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), words = page / sizeof(uintptr_t);
    char *const memory = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED);
    check_int(mprotect(memory + page, page, PROT_READ | PROT_WRITE), 0);
    uintptr_t *const stack = (uintptr_t *)(void *)(memory + page);
    struct coir__task task = {.shadow = {.low = stack, .size_bytes = page}};
    uint64_t state = 1;
    size_t longest = 0;
    for (size_t round = 0; round < scaled(20000); round++) {
        for (size_t i = 0; i < words; i++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            const uintptr_t random = (uintptr_t)(state >> 16);
            stack[i] = random % 4 != 0 ? (uintptr_t)memory + random % (3 * page) / 8 * 8 : random;
        }
        const uintptr_t at = (uintptr_t)(state >> 20);
        task.context.sp =
            round % 2 == 0 ? memory + page + at % page / 16 * 8 : memory + at % (3 * page);
        void *pcs[FRAMES_MAX];
        const size_t count = coir__frames(&task, pcs, FRAMES_MAX);
        longest = count > longest ? count : longest;
    }
    check(longest > 3);
    munmap(memory, 3 * page);
    return 0;
}

/* ---- The call ---- */

TASK_TEST(debug_backtrace, room_for_fewer_gives_the_innermost) {
    struct act act = {.fn = wait_for_ever};
    void *all[FRAMES_MAX], *some[2];
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, outermost, &act);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check(coir_backtrace(task, all, FRAMES_MAX) > 2);
    check_int(coir_backtrace(task, some, 2), 2);
    check(some[0] == all[0] && some[1] == all[1]);
    check_int(coir_backtrace(task, NULL, 0), 0);
    check_int(coir_backtrace(coir_self(), some, 1), 1);
    (void)end(&s);
    return 0;
}

TASK_TEST(debug_backtrace, nonsense_is_refused) {
    void *pcs[2];
    struct act act = {.fn = look_at_oneself};
    COIR_SCOPE(s);
    const coir_task task = spawn(&s, outermost, &act);
    check_rc(coir_backtrace(task, NULL, 2), -EINVAL);
    check_rc(coir_join(task, NULL), 0);
    check_rc(coir_backtrace(task, pcs, 2), -ESRCH);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_backtrace(task, pcs, 2), -ESRCH);
    check_rc(coir_backtrace((coir_task){.coir__record = NULL}, pcs, 2), -ESRCH);
    return 0;
}

Test(debug_backtrace, there_is_none_outside_the_runtime) {
    void *pcs[2];
    check_rc(coir_backtrace((coir_task){.coir__record = NULL}, pcs, 2), -EPERM);
}

/* The least stack there is, most of it taken: loading libunwind must not need the rest. */
static int look_from_a_full_stack(void *arg) {
    struct act *const act = arg;
    coir_stack_use use;
    check_rc(coir_task_stack(coir_self(), &use), 0);
    const size_t left = use.size - use.now;
    const size_t leave = with_sanitizer() ? 16384 : 4096;
    act->room = left > 2 * leave ? (left - leave) / 3 * 2 : 1;
    act->fn = look_at_oneself;
    return enter_large_frames(act);
}

TASK_TEST(debug_backtrace, needs_little_stack_of_its_task) {
    struct act act = {.count = -1};
    COIR_SCOPE(s);
    const coir_spawn_options options = {.stack_size_bytes = COIR_STACK_SIZE_MIN};
    check_rc(coir_spawn_with(&s, look_from_a_full_stack, &act, &options), 0);
    check(coir_scope_close(&s, 0) >= 0);
    check(act.room > 1);
    check_frames(names_of(act.pcs, (size_t)act.count),
                 "look_at_oneself innermost wait_in_a_large_frame take_room ");
    return 0;
}

/* ---- From a handler of a signal ---- */

static struct {
    void *pcs[FRAMES_MAX];
    ssize_t count, first, refused;
    coir_task self;
} interrupted;

static void take_frames(UNUSED int number, UNUSED siginfo_t *info, void *context) {
    interrupted.count = coir_backtrace_interrupted(context, interrupted.pcs, FRAMES_MAX);
    interrupted.first = coir_backtrace_interrupted(context, interrupted.pcs, 1);
    interrupted.refused = coir_backtrace_interrupted(NULL, interrupted.pcs, 1);
    interrupted.self = coir_self();
}

static void handle_signal(int flags) {
    const struct sigaction action = {.sa_sigaction = take_frames, .sa_flags = SA_SIGINFO | flags};
    check_int(sigaction(SIGUSR1, &action, NULL), 0);
}

static int raise_in_it(UNUSED struct act *act) {
    (void)raise(SIGUSR1);
    return 0;
}

static const char *interrupted_names(void) {
    static char text[FRAMES_MAX * 64];
    char name[64];
    size_t length = 0;
    text[0] = '\0';
    for (ssize_t i = 0; i < interrupted.count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s ",
                                   coir_frame_name(interrupted.pcs[i], name, sizeof name));
    return text;
}

static void check_interrupted(int flags) {
    struct act act = {.fn = raise_in_it};
    handle_signal(flags);
    COIR_SCOPE(s);
    coir_task task;
    check_rc(coir_spawn_task(&s, outermost, &act, &task), 0);
    check(coir_scope_close(&s, 0) >= 0);
    check_contains(interrupted_names(),
                   " raise_in_it innermost between outermost coir__task_body coir__entry ");
    check(coir_task_equal(interrupted.self, task));
    check_int(interrupted.first, 1);
    check_rc(interrupted.refused, -EINVAL);
}

TASK_TEST(debug_backtrace, of_a_task_that_a_signal_has_interrupted) {
    check_interrupted(0);
    check_interrupted(SA_ONSTACK); /* which the runtime has set up */
    return 0;
}

static void raise_aside(UNUSED void *arg) {
    (void)raise(SIGUSR1);
}

static int look_aside(UNUSED struct act *act) {
    coir__aside(coir__rt, raise_aside, NULL);
    return 0;
}

TASK_TEST(debug_backtrace, of_a_task_for_which_the_library_works_aside) {
    struct act act = {.fn = look_aside};
    handle_signal(SA_ONSTACK);
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, outermost, &act), 0);
    check(coir_scope_close(&s, 0) >= 0);
    const char *const names =
        interrupted_names(); /* with a sanitizer: its call before the switch */
    check_contains(names, "coir__aside look_aside innermost between outermost ");
    check(strstr(names, "raise_aside") == NULL);
    return 0;
}

static void raise_once(void *context, UNUSED coir_task task, UNUSED coir_task by) {
    if (!*(bool *)context)
        (void)raise(SIGUSR1);
    *(bool *)context = true;
}

TASK_TEST(debug_backtrace, of_the_loop_only_the_place_is_told) {
    bool raised = false;
    const coir_hooks hooks = {.context = &raised, .ready = raise_once};
    handle_signal(0);
    check_rc(coir_hooks_set(&hooks), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    check_rc(coir_hooks_set(NULL), 0);
    check(raised);
    check_int(interrupted.count, 1);
    check_int(coir_task_number(interrupted.self), 0);
    return 0;
}

Test(debug_backtrace, of_what_was_interrupted_outside_the_runtime_there_is_none) {
    handle_signal(0);
    (void)raise(SIGUSR1);
    check_rc(interrupted.count, -EPERM);
}

Test(debug_backtrace, a_place_without_a_symbol_is_named_by_its_file) {
    char name[64], brief[4];
    check_str(coir_frame_name((const char *)(uintptr_t)outermost + 1, name, sizeof name),
              "outermost");
    check_str(coir_frame_name((const char *)(uintptr_t)outermost + 1, brief, sizeof brief), "out");
    check_contains(coir_frame_name((const void *)16, name, sizeof name), "+0x");
}
