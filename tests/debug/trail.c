/* Trails of frames: at every single instruction of code that was compiled in many ways, the C
 * library's included, they are those that libunwind finds. Where the processor cannot be had to
 * stop at each instruction, tests/fatal has to do. */
#include "debug/trail.h"
#include "support.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

SUITE(debug_trail);

#ifdef __x86_64__
enum { FRAMES_MAX = 64 };
#define KEPT __attribute__((noinline))

static struct coir__symbols symbols;
static struct coir__cfi cfi;

/* What the handler finds. */
static struct {
    size_t places, mismatches;
    uintptr_t pc; /* of the first mismatch */
    uintptr_t ours[FRAMES_MAX], theirs[FRAMES_MAX];
    bool over;
} seen;

static size_t frames_by_trail(const ucontext_t *context, uintptr_t *pcs) {
    const struct coir__registers registers = coir__registers_interrupted(context);
    struct coir__trail trail;
    size_t count = 0;
    coir__trail_begin(&trail, coir__rt, &registers);
    while (count < FRAMES_MAX && (pcs[count] = (uintptr_t)coir__trail_next(&trail, &cfi)) != 0)
        count++;
    return count;
}

static size_t frames_by_libunwind(ucontext_t *context, uintptr_t *pcs) {
    unw_cursor_t cursor;
    unw_word_t pc;
    size_t count = 0;
    int rc = unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME);
    do {
        (void)unw_get_reg(&cursor, UNW_REG_IP, &pc);
        pcs[count] = count == 0 ? pc + 1 : pc;
        count++;
        rc = rc >= 0 ? unw_step(&cursor) : rc;
    } while (rc > 0 && count < FRAMES_MAX);
    return count;
}

static void compare(ucontext_t *context) {
    uintptr_t ours[FRAMES_MAX], theirs[FRAMES_MAX];
    const size_t count = frames_by_trail(context, ours);
    const size_t expected = frames_by_libunwind(context, theirs);
    seen.places++;
    if (count == expected && memcmp(ours, theirs, count * sizeof ours[0]) == 0)
        return;
    if (seen.mismatches++ > 0)
        return;
    seen.pc = ours[0];
    memcpy(seen.ours, ours, count * sizeof ours[0]);
    memcpy(seen.theirs, theirs, expected * sizeof theirs[0]);
}

/* ---- Code of many kinds ---- */

KEPT static int leaf(int n) {
    return n * 3 + 1;
}

KEPT static int with_aligned_stack(int n) {
    volatile char room[128] __attribute__((aligned(128)));
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = (char)n;
    return room[5] + leaf(n);
}

KEPT static int with_varying_stack(int n) {
    volatile char *const room = __builtin_alloca((size_t)n + 100);
    room[0] = (char)n;
    return room[0] + leaf(n);
}

KEPT static int with_large_frame(int n) {
    volatile char room[20000];
    room[n] = 1;
    return room[n] + leaf(n);
}

static int by_value(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static volatile int sink;

KEPT static void run_code(void) {
    char text[128];
    coir_context here;
    int numbers[12] = {5, 3, 9, 1, 8, 2, 7, 4, 6, 0, 11, 10};
    sink = leaf(1) + with_aligned_stack(2) + with_varying_stack(3) + with_large_frame(4);
    qsort(numbers, COUNT_OF(numbers), sizeof numbers[0], by_value);
    sink += snprintf(text, sizeof text, "%d %s %p %5.2f", numbers[3], "text", (void *)text, 1.5);
    (void)coir_context_switch(&here, &here, NULL); /* from this stack to itself */
    sink += (int)strtol("123", NULL, 10) + (strchr(text, 'x') != NULL);
    sink += (int)time(NULL); /* of the kernel's own library, which is no file */
}

#define TRAP_FLAG 0x100

/* The processor traps behind each instruction while the flag is set. */
static void step(UNUSED int number, UNUSED siginfo_t *info, void *context) {
    ucontext_t *const here = context;
    compare(here);
    if (seen.over)
        here->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

static void begin_steps(void) {
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(TRAP_FLAG) : "memory", "cc");
}

static int step_through(UNUSED void *arg) {
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO | SA_ONSTACK}, before;
    run_code(); /* so that the functions of other libraries are bound */
    coir__symbols_open(&symbols);
    cfi = (struct coir__cfi){.symbols = &symbols};
    check_int(sigaction(SIGTRAP, &action, &before), 0);
    begin_steps();
    run_code();
    seen.over = true;
    (void)sigaction(SIGTRAP, &before, NULL);
    coir__symbols_close(&symbols);
    return 0;
}

Test(debug_trail, at_each_instruction_as_libunwind_says) {
    if (on_valgrind() || with_sanitizer())
        skip_test("it cannot be traced instruction by instruction under the tool");
    check_rc(run_task_with(step_through, NULL, &(const run_options){.leaves_descriptors = true}),
             0);
    check(seen.places > 1000);
    char text[4096];
    size_t length = (size_t)snprintf(text, sizeof text, "at %#lx:", (unsigned long)seen.pc);
    for (size_t i = 0; i < FRAMES_MAX && (seen.ours[i] != 0 || seen.theirs[i] != 0); i++) {
        struct coir__symbol symbol;
        coir__symbols_open(&symbols);
        coir__symbol_at(&symbols, (void *)seen.theirs[i], &symbol);
        length += (size_t)snprintf(text + length, sizeof text - length, "\n%#lx, not %#lx %s %s",
                                   (unsigned long)seen.ours[i], (unsigned long)seen.theirs[i],
                                   symbol.function, symbol.module);
        coir__symbols_close(&symbols);
    }
    cr_assert(seen.mismatches == 0, "%zu of %zu places differ: %s", seen.mismatches, seen.places,
              text);
}
#else
Test(debug_trail, at_each_instruction_as_libunwind_says) {
    skip_test("this processor has no trap flag for programs");
}
#endif
