/* The bare switch, through coir/context.h: what it hands over, what it keeps, what it leaves alone.
 * No runtime is needed. The files of arch/ have no other contract than this and arch/unwind.c. */
#include "support.h"

#include "base/sanitizer.h"

#include <fenv.h>
#include <stdalign.h>

SUITE(arch_switch);

enum { STACK_SIZE = 64 * 1024 };

static char *stack(size_t index) {
    static alignas(64) char stacks[4][STACK_SIZE];
    static bool registered[COUNT_OF(stacks)];
    check(index < COUNT_OF(stacks));
    if (!registered[index]) /* they lie too close together for Valgrind to see them as stacks */
        (void)sanitizer_valgrind_register(stacks[index], stacks[index] + STACK_SIZE);
    registered[index] = true;
    return stacks[index];
}

/* ---- Making a context ---- */

static void never_entered(UNUSED void *value, UNUSED void *arg) {
    abort();
}

Test(arch_switch, bad_arguments_of_init_are_refused) {
    coir_context context;
    check_rc(coir_context_init(NULL, stack(0), STACK_SIZE, never_entered, NULL), -EINVAL);
    check_rc(coir_context_init(&context, NULL, STACK_SIZE, never_entered, NULL), -EINVAL);
    check_rc(coir_context_init(&context, stack(0), STACK_SIZE, NULL, NULL), -EINVAL);
    check_rc(coir_context_init(&context, stack(0), 0, never_entered, NULL), -EINVAL);
    check_rc(coir_context_init(&context, stack(0), 1023, never_entered, NULL), -EINVAL);
    check_rc(coir_context_init(&context, stack(0), 1024, never_entered, NULL), 0);
}

/* ---- Passing values ---- */

static coir_context main_context, contexts[4];

static void *switch_to(size_t index, void *value) {
    return coir_context_switch(&main_context, &contexts[index], value);
}

static void add_one(void *value, void *arg) {
    for (;;) {
        ++*(int *)value;
        value = coir_context_switch(&contexts[0], &main_context, arg);
    }
}

Test(arch_switch, values_go_both_ways) {
    int a = 0, b = 10, token = 0;
    check_rc(coir_context_init(&contexts[0], stack(0), STACK_SIZE, add_one, &token), 0);
    check(switch_to(0, &a) == &token);
    check(switch_to(0, &b) == &token);
    check(switch_to(0, &a) == &token);
    check_int(a, 2);
    check_int(b, 11);
}

static void in_1024_bytes(void *value, UNUSED void *arg) {
    for (;;)
        value = coir_context_switch(&contexts[0], &main_context, value);
}

Test(arch_switch, the_smallest_stack_is_enough_to_switch) {
    int token = 0;
    check_rc(coir_context_init(&contexts[0], stack(0), 1024, in_1024_bytes, NULL), 0);
    for (int i = 0; i < 10; i++)
        check(switch_to(0, &token) == &token);
}

static void pass_on(void *value, void *arg) {
    const size_t self = *(const size_t *)arg;
    for (;;) {
        ++*(int *)value;
        coir_context *const next =
            self + 1 < COUNT_OF(contexts) ? &contexts[self + 1] : &main_context;
        value = coir_context_switch(&contexts[self], next, value);
    }
}

Test(arch_switch, contexts_can_switch_in_a_ring) {
    size_t indices[] = {0, 1, 2, 3};
    int passes = 0;
    for (size_t i = 0; i < COUNT_OF(contexts); i++)
        check_rc(coir_context_init(&contexts[i], stack(i), STACK_SIZE, pass_on, &indices[i]), 0);
    for (int round = 1; round <= 1000; round++) {
        check(switch_to(0, &passes) == &passes);
        check_int(passes, 4 * round);
    }
}

/* ---- Alignment ---- */

struct alignment {
    uintptr_t misaligned;
    double sum;
};

static void note_alignment(void *value, UNUSED void *arg) {
    struct alignment *const note = value;
    alignas(16) volatile double numbers[4] = {1, 2, 3, 4};
    char text[64];
    snprintf(text, sizeof text, "%.1f", numbers[0] + numbers[3]); /* vector moves want alignment */
    note->sum = strtod(text, NULL);
    note->misaligned = ((uintptr_t)numbers | (uintptr_t)__builtin_frame_address(0)) % 16;
    (void)coir_context_switch(&contexts[0], &main_context, NULL);
    abort();
}

Test(arch_switch, the_stack_is_aligned_whatever_was_given) {
    for (size_t shift = 0; shift < 16; shift++) {
        struct alignment note = {.misaligned = 1};
        check_rc(coir_context_init(&contexts[0], stack(0) + shift, STACK_SIZE - 100 - shift / 2,
                                   note_alignment, NULL),
                 0);
        (void)switch_to(0, &note);
        check_int(note.misaligned, 0);
        check(note.sum == 5.0);
    }
}

static void write_near_the_top(UNUSED void *value, UNUSED void *arg) {
    volatile char room[512];
    memset((char *)(uintptr_t)room, 0x77, sizeof room);
    (void)coir_context_switch(&contexts[0], &main_context, NULL);
    abort();
}

Test(arch_switch, nothing_outside_the_stack_is_written) {
    enum { MARGIN = 256, USED = 4096 };
    char *const area = stack(0);
    memset(area, 0x55, MARGIN + USED + MARGIN);
    check_rc(coir_context_init(&contexts[0], area + MARGIN, USED, write_near_the_top, NULL), 0);
    (void)switch_to(0, NULL);
    for (size_t i = 0; i < MARGIN; i++) {
        check_int(area[i], 0x55);
        check_int(area[MARGIN + USED + i], 0x55);
    }
}

/* ---- Registers ---- */

/* registers_changed(from, to, pattern) fills each register that the ABI has a callee keep with a
 * value of its own (pattern, pattern + 1, ...), switches, and returns a bit for each that does not
 * hold its value afterwards. */
unsigned long registers_changed(coir_context *from, const coir_context *to, unsigned long pattern);

#if defined(__APPLE__)
#define SYMBOL "_"
#else
#define SYMBOL ""
#endif

#if defined(__x86_64__)
#define FILL(number, name) "leaq " #number "(%rdx), %" #name "\n"
#define COMPARE(number, name)                                                                      \
    "leaq " #number "(%rcx), %rdx\n cmpq %rdx, %" #name "\n je 1f\n orl $(1 << " #number           \
    "), %eax\n 1:\n"
#define EACH(what) what(0, rbx) what(1, rbp) what(2, r12) what(3, r13) what(4, r14) what(5, r15)
__asm__(".text\n .globl " SYMBOL "registers_changed\n" SYMBOL "registers_changed:\n"
        "pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "pushq %rdx\n" EACH(FILL) "call " SYMBOL "coir_context_switch\n"
                                  "popq %rcx\n xorl %eax, %eax\n" EACH(
                                      COMPARE) "popq %r15\n popq %r14\n popq %r13\n popq %r12\n "
                                               "popq %rbp\n popq %rbx\n ret\n");
#elif defined(__aarch64__)
#define FILL(number, name) "add " #name ", x2, #" #number "\n"
#define FILL_FLOAT(number, name) "add x9, x2, #" #number "\n fmov " #name ", x9\n"
#define COMPARE(number, name)                                                                      \
    "add x9, x2, #" #number "\n cmp x9, " #name "\n b.eq 1f\n orr x0, x0, #(1 << " #number         \
    ")\n 1:\n"
#define COMPARE_FLOAT(number, name) "fmov x10, " #name "\n" COMPARE(number, x10)
#define EACH(what)                                                                                 \
    what(0, x19) what(1, x20) what(2, x21) what(3, x22) what(4, x23) what(5, x24) what(6, x25)     \
        what(7, x26) what(8, x27) what(9, x28) what(10, x29)
#define EACH_FLOAT(what)                                                                           \
    what(11, d8) what(12, d9) what(13, d10) what(14, d11) what(15, d12) what(16, d13)              \
        what(17, d14) what(18, d15)
__asm__(".text\n .p2align 2\n .globl " SYMBOL "registers_changed\n" SYMBOL "registers_changed:\n"
        "stp x29, x30, [sp, #-176]!\n stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n"
        "stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n str x2, [sp, #160]\n" EACH(FILL)
            EACH_FLOAT(FILL_FLOAT) "bl " SYMBOL "coir_context_switch\n"
                                   "ldr x2, [sp, #160]\n mov x0, #0\n" EACH(COMPARE) EACH_FLOAT(
                                       COMPARE_FLOAT) "ldp x19, x20, [sp, #16]\n ldp x21, x22, "
                                                      "[sp, #32]\n ldp x23, x24, [sp, #48]\n"
                                                      "ldp x25, x26, [sp, #64]\n ldp x27, x28, "
                                                      "[sp, #80]\n ldp d8, d9, [sp, #96]\n"
                                                      "ldp d10, d11, [sp, #112]\n ldp d12, d13, "
                                                      "[sp, #128]\n ldp d14, d15, [sp, #144]\n"
                                                      "ldp x29, x30, [sp], #176\n ret\n");
#else
#error "registers_changed is not written for this architecture"
#endif

static void fill_registers_too(UNUSED void *value, void *arg) {
    unsigned long *const changed = arg;
    for (unsigned long pattern = 7000;; pattern += 100)
        *changed |= registers_changed(&contexts[0], &main_context, pattern);
}

Test(arch_switch, registers_of_the_callee_survive) {
    unsigned long changed = 0;
    check_rc(coir_context_init(&contexts[0], stack(0), STACK_SIZE, fill_registers_too, &changed),
             0);
    for (unsigned long pattern = 100; pattern < 3000; pattern += 100) {
        check_int(registers_changed(&main_context, &contexts[0], pattern), 0);
        check_int(changed, 0);
    }
}

/* What the compiler keeps in registers and in the frame across a switch. */
static double mix(coir_context *from, const coir_context *to, unsigned seed) {
    unsigned a = seed, b = seed + 1, c = seed + 2, d = seed + 3, e = seed + 4, f = seed + 5;
    double x = seed, y = seed + 0.5, z = seed + 0.25;
    for (int i = 0; i < 100; i++) {
        (void)coir_context_switch(from, to, NULL);
        a += b, b += c, c += d, d += e, e += f, f += a;
        x += y, y += z, z += 1;
    }
    return (double)(a ^ b ^ c ^ d ^ e ^ f) + x + y + z;
}

static void mix_too(UNUSED void *value, void *arg) {
    for (;;)
        *(double *)arg = mix(&contexts[0], &main_context, 99);
}

static void bounce(UNUSED void *value, UNUSED void *arg) {
    for (;;)
        (void)coir_context_switch(&contexts[1], &main_context, NULL);
}

Test(arch_switch, locals_survive) {
    double other = 0;
    check_rc(coir_context_init(&contexts[0], stack(0), STACK_SIZE, mix_too, &other), 0);
    check_rc(coir_context_init(&contexts[1], stack(1), STACK_SIZE, bounce, NULL), 0);
    const double alone = mix(&main_context, &contexts[1], 3);
    for (int i = 0; i < 5; i++)
        check(mix(&main_context, &contexts[0], 3) == alone);
    check(other != 0);
    check(other == mix(&main_context, &contexts[1], 99));
}

/* ---- Floating-point control words ---- */

static void round_down(UNUSED void *value, UNUSED void *arg) {
    for (;;) {
        (void)fesetround(FE_DOWNWARD);
        (void)coir_context_switch(&contexts[0], &main_context, NULL);
    }
}

Test(arch_switch, floating_point_control_words_belong_to_the_thread) {
    check_rc(coir_context_init(&contexts[0], stack(0), STACK_SIZE, round_down, NULL), 0);
    check_int(fegetround(), FE_TONEAREST);
    (void)switch_to(0, NULL);
    check_int(fegetround(), FE_DOWNWARD);
    check_int(fesetround(FE_TONEAREST), 0);
}

/* ---- Beside the runtime ---- */

TASK_TEST(arch_switch, a_task_may_use_contexts_of_its_own) {
    int a = 0, token = 0;
    check_rc(coir_context_init(&contexts[0], stack(0), STACK_SIZE, add_one, &token), 0);
    for (int i = 1; i <= 10; i++) {
        check(switch_to(0, &a) == &token);
        check_int(a, i);
        check_rc(coir_yield(), 0);
    }
    return 0;
}
