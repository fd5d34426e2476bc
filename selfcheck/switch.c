/* The bare switch, and floating point: what arch/ promises. */
#include <fenv.h>
#include <string.h>

#include "selfcheck.h"

enum { STACK_SIZE = 64 * 1024, RING = 4 };

static coir_context here, contexts[RING];

/* ---- Values ---- */

static void pass_on(void *value, void *arg) {
    const size_t self = (size_t)((coir_context *)arg - contexts);
    for (;;) {
        ++*(int *)value;
        value = coir_context_switch(arg, self + 1 < RING ? &contexts[self + 1] : &here, value);
    }
}

static int values_go_round(UNUSED void *arg) {
    int passes = 0;
    for (size_t i = 0; i < RING; i++)
        EXPECT(coir_context_init(&contexts[i], new_stack(STACK_SIZE), STACK_SIZE, pass_on,
                                 &contexts[i]),
               0);
    for (int round = 1; round <= 1000; round++) {
        EXPECT(coir_context_switch(&here, &contexts[0], &passes) == &passes, true);
        EXPECT(passes, RING * round);
    }
    return 0;
}

/* ---- Registers: more values than there are for a callee to keep, in use across each switch ----
 */

struct mixed {
    unsigned long sum;
    double fraction;
};

__attribute__((noinline)) static struct mixed mix(coir_context *from, const coir_context *to,
                                                  unsigned long seed) {
    unsigned long a = seed, b = seed + 1, c = seed + 2, d = seed + 3, e = seed + 4, f = seed + 5;
    unsigned long g = seed + 6, h = seed + 7, i = seed + 8, j = seed + 9, k = seed + 10;
    double p = (double)seed, q = p + 1, r = p + 2, s = p + 3, t = p + 4, u = p + 5, v = p + 6;
    double w = p + 7, x = p + 8;
    for (int round = 0; round < 100; round++) {
        (void)coir_context_switch(from, to, NULL);
        a += b, b += c, c += d, d += e, e += f, f += g, g += h, h += i, i += j, j += k, k += a;
        p = q - p, q = r - q, r = s - r, s = t - s, t = u - t, u = v - u, v = w - v, w = x - w;
        x += 0.5;
    }
    return (struct mixed){.sum = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k,
                          .fraction = p + q + r + s + t + u + v + w + x};
}

static void mix_too(UNUSED void *value, void *arg) {
    for (;;)
        *(struct mixed *)arg = mix(&contexts[0], &here, 99);
}

static void do_nothing(UNUSED void *value, UNUSED void *arg) {
    for (;;)
        (void)coir_context_switch(&contexts[1], &here, NULL);
}

static int registers_survive(UNUSED void *arg) {
    struct mixed other = {0, 0};
    EXPECT(coir_context_init(&contexts[0], new_stack(STACK_SIZE), STACK_SIZE, mix_too, &other), 0);
    EXPECT(coir_context_init(&contexts[1], new_stack(STACK_SIZE), STACK_SIZE, do_nothing, NULL), 0);
    const struct mixed alone = mix(&here, &contexts[1], 3);
    const struct mixed other_alone = mix(&here, &contexts[1], 99);
    for (int i = 0; i < 5; i++) {
        const struct mixed now = mix(&here, &contexts[0], 3);
        EXPECT(now.sum, alone.sum);
        EXPECT(now.fraction == alone.fraction, true);
    }
    EXPECT(other.sum, other_alone.sum);
    EXPECT(other.fraction == other_alone.fraction, true);
    return 0;
}

/* ---- Deep calls ---- */

struct dive {
    coir_context *self;
    int depth;
    long result;
};

/* Switches on the way down and on the way up; each level adds its number, once it is back. */
__attribute__((noinline)) static long go_down(struct dive *dive, int level) {
    (void)coir_context_switch(dive->self, &here, dive);
    const long below = level < dive->depth ? go_down(dive, level + 1) : 0;
    (void)coir_context_switch(dive->self, &here, dive);
    return below + level;
}

static void dive_for_ever(UNUSED void *value, void *arg) {
    struct dive *const dive = arg;
    for (;;)
        dive->result = go_down(dive, 1);
}

static int deep_calls_come_back(UNUSED void *arg) {
    struct dive dives[] = {{&contexts[0], 150, 0}, {&contexts[1], 200, 0}};
    for (size_t i = 0; i < COUNT_OF(dives); i++)
        EXPECT(coir_context_init(dives[i].self, new_stack(STACK_SIZE), STACK_SIZE, dive_for_ever,
                                 &dives[i]),
               0);
    for (int step = 0; step <= 400; step++)
        for (size_t i = 0; i < COUNT_OF(dives); i++)
            EXPECT(coir_context_switch(&here, dives[i].self, NULL) == &dives[i], true);
    EXPECT(dives[0].result, 150 * 151 / 2);
    EXPECT(dives[1].result, 200 * 201 / 2);
    return 0;
}

/* ---- Floating point ---- */

static double third(void) {
    volatile double one = 1, three = 3;
    return one / three;
}

struct rounding {
    int mode;
    double expected;
};

static int round_in_own_way(void *arg) {
    const struct rounding *const rounding = arg;
    EXPECT(fegetround(), FE_TONEAREST); /* the spawner's */
    EXPECT(fesetround(rounding->mode), 0);
    for (int i = 0; i < 20; i++) {
        EXPECT(fegetround(), rounding->mode);
        EXPECT(third() == rounding->expected, true);
        EXPECT(coir_yield(), 0);
    }
    return 0;
}

static int rounding_is_a_tasks_own(UNUSED void *arg) {
    static struct rounding ways[] = {
        {FE_UPWARD, 0}, {FE_DOWNWARD, 0}, {FE_TOWARDZERO, 0}, {FE_TONEAREST, 0}};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        EXPECT(fesetround(ways[i].mode), 0);
        ways[i].expected = third();
    }
    EXPECT(ways[0].expected > ways[1].expected, true); /* the modes do something */
    COIR_SCOPE(scope);
    const coir_spawn_options options = {.own_fp_environment = true};
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        EXPECT(coir_spawn_with(&scope, round_in_own_way, &ways[i], &options), 0);
    for (int i = 0; i < 10; i++) {
        EXPECT(coir_yield(), 0);
        EXPECT(fegetround(), FE_TONEAREST);
    }
    return coir_scope_close(&scope, 0);
}

const struct check switch_checks[] = {
    {.name = "switch: values go round a ring of contexts", .run = values_go_round, .bare = true},
    {.name = "switch: registers survive", .run = registers_survive, .bare = true},
    {.name = "switch: deep calls come back", .run = deep_calls_come_back, .bare = true},
    {.name = "floating point: rounding is a task's own", .run = rounding_is_a_tasks_own},
    {.name = NULL},
};
