/* The bare switch, through coir/context.h: what it hands over, what it keeps, what it leaves alone.
 * No runtime is needed. The files of arch/ have no other contract than this and arch/unwind.c. */
#include "arch/abi.h"

#include "base/sanitizer.h"
#include "base/sys.h"

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

/* Whoever looks for the function that a return address belongs to looks at the byte before it. */
#ifdef __x86_64__
/* Whatever the memory held: those who walk by frame pointers find no caller of the base frame. */
Test(arch_switch, above_the_first_frame_two_words_are_zero) {
    char *const end = stack(0) + STACK_SIZE;
    coir_context context;
    memset(stack(0), 0xff, STACK_SIZE);
    check_rc(coir_context_init(&context, stack(0), STACK_SIZE, never_entered, NULL), 0);
    const uint64_t *const first = (const uint64_t *)(const void *)end - 2;
    check_int(first[0] | first[1], 0);
    check((const char *)context.sp < (const char *)first);
}
#endif

Test(arch_switch, a_fresh_context_goes_on_inside_the_base_frame) {
    const uintptr_t base = (uintptr_t)&coir__entry;
    coir_context context;
    check_rc(coir_context_init(&context, stack(0), STACK_SIZE, never_entered, NULL), 0);
    check(resumes_at(&context) > base && resumes_at(&context) < base + COIR_ENTRY_SIZE);
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

struct guest {
    struct arrival arrival;
    void *value;
    double sum;
};

/* Vector moves fault on a stack that is not aligned. */
static void add_on_the_stack(void *value, void *arg) {
    struct guest *const guest = arg;
    alignas(16) volatile double numbers[4] = {1, 2, 3, 4};
    char text[64];
    snprintf(text, sizeof text, "%.1f", numbers[0] + numbers[3]);
    guest->sum = strtod(text, NULL);
    guest->value = value;
    (void)coir_context_switch(&contexts[0], &main_context, NULL);
    abort();
}

Test(arch_switch, a_function_is_entered_as_the_abi_wants_whatever_stack_was_given) {
    for (size_t shift = 0; shift < 16; shift++) {
        struct guest guest = {.arrival = {.sp = 1, .fp = 1, .backwards = 1}};
        guest.arrival.then = add_on_the_stack;
        check_rc(coir_context_init(&contexts[0], stack(0) + shift, STACK_SIZE - 100 - shift / 2,
                                   arrive, &guest),
                 0);
        (void)switch_to(0, &shift);
        check_int(guest.arrival.sp % COIR_STACK_ALIGNMENT, 0);
        check_int(guest.arrival.fp, 0); /* the end of the chain of frames */
        check_int(guest.arrival.backwards, 0);
        check(guest.value == &shift);
        check(guest.sum == 5.0);
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

static void keep_too(UNUSED void *value, UNUSED void *arg) {
    for (;;)
        check_kept(coir_context_switch, &contexts[0], &main_context, NULL);
}

Test(arch_switch, what_a_callee_keeps_survives_a_switch) {
    check_rc(coir_context_init(&contexts[0], stack(0), STACK_SIZE, keep_too, NULL), 0);
    for (int i = 0; i < 1000; i++)
        check_kept(coir_context_switch, &main_context, &contexts[0], NULL);
}

static void keep_in_a_ring(UNUSED void *value, void *arg) {
    const size_t self = *(const size_t *)arg;
    coir_context *const next = self + 1 < COUNT_OF(contexts) ? &contexts[self + 1] : &main_context;
    for (;;)
        check_kept(coir_context_switch, &contexts[self], next, NULL);
}

Test(arch_switch, what_a_callee_keeps_survives_a_ring_of_switches) {
    size_t indices[] = {0, 1, 2, 3};
    for (size_t i = 0; i < COUNT_OF(contexts); i++)
        check_rc(coir_context_init(&contexts[i], stack(i), STACK_SIZE, keep_in_a_ring, &indices[i]),
                 0);
    for (int i = 0; i < 1000; i++)
        check_kept(coir_context_switch, &main_context, &contexts[0], NULL);
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

/* ---- Indirect branches ---- */

/* What indirect branch tracking (x86_64) and branch target identification (aarch64) ask for, where
 * the system has them on. Elsewhere nothing tells whether it is there. */
Test(arch_switch, indirect_branches_find_their_landing_pads) {
    if (sys_faults((const void *)(uintptr_t)&coir_context_switch))
        skip_test("code can not be read here");
    check(begins_with_landing_pad((const void *)(uintptr_t)&coir_context_switch));
    check(begins_with_landing_pad((const void *)(uintptr_t)&coir__entry));
    check(ends_with_jump_to_anywhere((const void *)(uintptr_t)&coir_context_switch));
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
