/* Scopes nested thousands deep, in one task and over as many tasks: a cancel neither recurses nor
 * misses one, and costs no more than it must. */
#include "support.h"

SUITE(flow_nesting);

#define DEPTH scaled(5000)

struct nest {
    coir_scope *outermost, *scopes;
    size_t depth;
    coir_time deadline;
};

/* Opens all, waits in the innermost, closes all; returns what the innermost came to. */
static int open_all_and_wait(struct nest *nest) {
    for (size_t i = 0; i < nest->depth; i++)
        check_rc(coir_scope_open(&nest->scopes[i]), 0);
    nest->outermost = &nest->scopes[0];
    if (nest->deadline != 0)
        check_rc(coir_scope_set_deadline(nest->outermost, nest->deadline), 0);
    int rc = coir_sleep(COIR_NEVER);
    for (size_t i = nest->depth; i-- > 1;) {
        rc = coir_scope_close(&nest->scopes[i], rc);
        check_rc(rc, -ECANCELED);
    }
    return coir_scope_close(&nest->scopes[0], rc);
}

static int wait_in_nest(void *nest) {
    return open_all_and_wait(nest);
}

TASK_TEST(flow_nesting, K21_a_cancel_goes_through_five_thousand_scopes_of_a_task) {
    struct nest nest = {.scopes = calloc(DEPTH, sizeof(coir_scope)), .depth = DEPTH};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, wait_in_nest, &nest), 0);
    check_rc(coir_yield(), 0);
    coir_scope_cancel(nest.outermost);
    check_rc(coir_scope_close(&s, 0), 0);
    free(nest.scopes);
    return 0;
}

TASK_TEST(flow_nesting, a_deadline_goes_through_five_thousand_scopes_of_a_task) {
    struct nest nest = {.scopes = calloc(DEPTH, sizeof(coir_scope)),
                        .depth = DEPTH,
                        .deadline = coir_after(COIR_MS(1))};
    check_rc(open_all_and_wait(&nest), -ETIMEDOUT);
    free(nest.scopes);
    return 0;
}

struct generation {
    size_t below;
    size_t *cuts;
};

static int descend(void *arg) {
    const struct generation *const own = arg;
    struct generation child = {own->below - 1, own->cuts};
    COIR_SCOPE(s);
    if (own->below > 0)
        check_rc(coir_spawn(&s, descend, &child), 0);
    const int rc = coir_sleep(COIR_NEVER);
    *own->cuts += rc == -ECANCELED;
    return coir_scope_close(&s, rc);
}

TASK_TEST(flow_nesting, a_cancel_goes_through_five_thousand_generations_of_tasks) {
    size_t cuts = 0;
    struct generation first = {DEPTH, &cuts};
    COIR_SCOPE(s);
    check_rc(coir_spawn(&s, descend, &first), 0);
    check_rc(coir_sleep(COIR_MS(1)), 0);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    check_int(cuts, DEPTH + 1);
    return 0;
}

TASK_TEST(flow_nesting, a_shield_in_the_middle_divides_the_nest) {
    enum { HALF = 100 };
    static coir_scope scopes[2 * HALF];
    memset(scopes, 0, sizeof scopes);
    for (size_t i = 0; i < COUNT_OF(scopes); i++)
        check_rc(coir_scope_open(&scopes[i], .shield = i == HALF), 0);
    coir_scope_cancel(&scopes[0]);
    check_rc(coir_yield(), 0);
    check_rc(coir_scope_set_shield(&scopes[HALF], false), 0);
    check_rc(coir_yield(), -ECANCELED);
    check_rc(coir_scope_set_shield(&scopes[HALF], true), 0);
    check_rc(coir_yield(), 0);
    for (size_t i = COUNT_OF(scopes); i-- > HALF;) /* they were cut while the shield was down */
        check_rc(coir_scope_close(&scopes[i], 0), -ECANCELED);
    check_rc(coir_yield(), -ECANCELED);
    for (size_t i = HALF; i-- > 0;)
        (void)coir_scope_close(&scopes[i], 0);
    check_rc(coir_yield(), 0);
    return 0;
}

/* ---- Random trees against a model that looks at every scope each time ---- */

enum { NEST = 12, STEPS = 2000 };

static uint64_t chance_state;

static size_t chance(size_t below) {
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(chance_state >> 33) % below;
}

static struct {
    coir_scope scopes[NEST];
    bool shield[NEST], cancelled[NEST];
    coir_time deadline[NEST];
    size_t depth;
} model;

static bool model_cut(void) {
    for (size_t i = model.depth; i-- > 0;) {
        if (model.cancelled[i])
            return true;
        if (model.shield[i])
            return false;
    }
    return false;
}

static coir_time model_effective_deadline(void) {
    coir_time due = COIR_NEVER;
    for (size_t i = model.depth; i-- > 0;) {
        due = model.deadline[i] < due ? model.deadline[i] : due;
        if (model.shield[i])
            break;
    }
    return model_cut() ? 0 : due;
}

static void model_pass_time(void) {
    for (size_t i = 0; i < model.depth; i++)
        if (model.deadline[i] <= coir_now())
            model.cancelled[i] = true;
}

static void model_open(void) {
    const size_t i = model.depth++;
    memset(&model.scopes[i], 0, sizeof model.scopes[i]);
    model.shield[i] = chance(4) == 0;
    model.cancelled[i] = false;
    model.deadline[i] = chance(3) == 0 ? coir_now() + 1 + (coir_time)chance(40) : COIR_NEVER;
    check_rc(
        coir_scope_open(&model.scopes[i], .shield = model.shield[i], .deadline = model.deadline[i]),
        0);
}

static void model_step(void) {
    const size_t i = model.depth > 0 ? chance(model.depth) : 0;
    switch (chance(6)) {
    case 0:
    case 1:
        if (model.depth < NEST)
            model_open();
        break;
    case 2:
        if (model.depth > 0)
            (void)coir_scope_close(&model.scopes[--model.depth], 0);
        break;
    case 3:
        if (model.depth > 0 && chance(3) == 0) {
            coir_scope_cancel(&model.scopes[i]);
            model.cancelled[i] = true;
        }
        break;
    case 4:
        if (model.depth > 0) {
            model.shield[i] = !model.shield[i];
            check_rc(coir_scope_set_shield(&model.scopes[i], model.shield[i]), 0);
        }
        break;
    default:
        if (model.depth > 0 && !model.cancelled[i]) {
            model.deadline[i] = chance(2) == 0 ? COIR_NEVER : coir_now() + (coir_time)chance(40);
            check_rc(coir_scope_set_deadline(&model.scopes[i], model.deadline[i]), 0);
        }
    }
}

static int walk(UNUSED void *arg) {
    model.depth = 0;
    for (int step = 0; step < STEPS; step++) {
        model_step();
        model_pass_time();
        check_int(coir_effective_deadline(), model_effective_deadline());
        check_rc(coir_check(), model_cut() ? -ECANCELED : 0);
        const coir_time began = coir_now();
        const int rc = coir_sleep(1);
        check(rc == 0 || coir_now() == began || coir_now() == began + 1);
        model_pass_time();
        check_rc(coir_check(), model_cut() ? -ECANCELED : 0);
    }
    while (model.depth > 0)
        (void)coir_scope_close(&model.scopes[--model.depth], 0);
    check_rc(coir_yield(), 0);
    return 0;
}

Test(flow_nesting, random_nests_against_a_model) {
    for (uint64_t seed = 1; seed <= scaled(100); seed++) {
        chance_state = seed;
        check_rc(run_task(walk, NULL), 0);
    }
}
