/* See plan.h. The plan has random numbers of its own, so that a smaller one keeps the rest of it.
 */
#include "plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Variants as text ---- */

bool variant_parse(const char *text, struct variant *out) {
    char end;
    *out = (struct variant){.steps = UINT64_MAX, .faults = UINT32_MAX};
    if (text[0] < '0' || text[0] > '9')
        return false;
    const int count = sscanf(text, "%" SCNu64 "-%u-%" SCNu64 "-%" SCNu32 "%c", &out->seed,
                             &out->order, &out->steps, &out->faults, &end);
    return count == 4 || (count == 1 && text[strspn(text, "0123456789")] == '\0');
}

void variant_print(const struct variant *variant, FILE *out) {
    (void)fprintf(out, "%" PRIu64 "-%u-%" PRIu64 "-%" PRIu32, variant->seed, variant->order,
                  variant->steps, variant->faults);
}

/* ---- Making ---- */

/* splitmix64 */
static uint32_t pick(uint64_t *random, uint32_t count) {
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(((z ^ (z >> 31)) >> 32) * count >> 32);
}

static void make_step(uint64_t *random, struct step *step, unsigned keys, coir_time span) {
    static const enum step_kind kinds[] = {STEP_GET, STEP_GET, STEP_GET, STEP_SET,
                                           STEP_SET, STEP_CUT, STEP_KILL};
    *step = (struct step){.kind = kinds[pick(random, 7)],
                          .at = COIR_MS(1) * pick(random, (uint32_t)(span / COIR_MS(1))),
                          .node = pick(random, NODES),
                          .other = pick(random, NODES),
                          .lasts = COIR_MS(1) * (1 + pick(random, 4000)),
                          .key = {(char)('a' + pick(random, keys))}};
}

static int compare_steps(const void *a, const void *b) {
    const coir_time one = ((const struct step *)a)->at, other = ((const struct step *)b)->at;
    return one < other ? -1 : one > other;
}

/* When all is well again each node is asked for each key. */
static unsigned add_final_gets(struct step *steps, unsigned keys) {
    for (unsigned i = 0; i < keys * NODES; i++)
        steps[i] = (struct step){.kind = STEP_GET,
                                 .at = COIR_SEC(30) + COIR_MS(100) * i,
                                 .node = i % NODES,
                                 .key = {(char)('a' + i / NODES)}};
    return keys * NODES;
}

static void choose_faults(uint64_t *random, const struct variant *variant,
                          coir_sim_options *options) {
    static const coir_sim_fault kinds[] = {
        COIR_SIM_EINTR,      COIR_SIM_EAGAIN,   COIR_SIM_SHORT_READ, COIR_SIM_SHORT_WRITE,
        COIR_SIM_SLOW_CALL,  COIR_SIM_UNCACHED, COIR_SIM_RESET,      COIR_SIM_REFUSED,
        COIR_SIM_SLOW_LINK,  COIR_SIM_EIO,      COIR_SIM_LATE_EVENT, COIR_SIM_SPURIOUS_EVENT,
        COIR_SIM_UNREACHABLE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const uint16_t rate = pick(random, 3) > 0 ? 0 : pick(random, 2) > 0 ? 300 : 3000;
        if ((variant->faults >> kinds[i] & 1) != 0)
            options->rates[kinds[i]] = rate;
    }
}

void plan_make(const struct variant *variant, struct plan *out) {
    static const coir_time spans[] = {COIR_MS(50), COIR_MS(500), COIR_SEC(8)};
    uint64_t random = variant->seed;
    *out = (struct plan){
        .options = {.seed = variant->seed * 1000 + variant->order, .latency = COIR_MS(20)}};
    choose_faults(&random, variant, &out->options);
    const unsigned keys = 1 + pick(&random, 2), count = 4 + pick(&random, STEPS_MAX - 10);
    const coir_time span = spans[pick(&random, 3)];
    for (unsigned i = 0; i < count; i++)
        make_step(&random, &out->steps[i], keys, span);
    qsort(out->steps, count, sizeof out->steps[0], compare_steps);
    out->count = count + add_final_gets(out->steps + count, keys);
}

/* ---- Printing ---- */

static void print_result(const struct operation *result, FILE *out) {
    if (!result->known)
        (void)fprintf(out, ": no answer\n");
    else
        (void)fprintf(out, ": %s%s, after %lld ms\n", result->writes ? "done" : "",
                      result->writes ? "" : result->value,
                      (long long)((result->end - result->begin) / COIR_MS(1)));
}

static void print_step(const struct step *step, FILE *out) {
    (void)fprintf(out, "  %6.3f s  ", (double)step->at / COIR_SEC(1));
    switch (step->kind) {
    case STEP_SET:
        (void)fprintf(out, "set %s = %s at node %u", step->key, step->result.value, step->node);
        print_result(&step->result, out);
        break;
    case STEP_GET:
        (void)fprintf(out, "get %s from node %u", step->key, step->node);
        print_result(&step->result, out);
        break;
    case STEP_CUT:
        if (step->other == step->node)
            (void)fprintf(out, "cut node %u off", step->node);
        else
            (void)fprintf(out, "cut node %u off from node %u", step->node, step->other);
        (void)fprintf(out, " for %lld ms\n", (long long)(step->lasts / COIR_MS(1)));
        break;
    case STEP_KILL:
        (void)fprintf(out, "kill node %u, start it again after %lld ms\n", step->node,
                      (long long)(step->lasts / COIR_MS(1)));
        break;
    }
}

void plan_print(const struct plan *plan, const struct variant *variant, FILE *out) {
    const char *separator = "  with these faults: ";
    for (unsigned i = 0; i < plan->count; i++)
        if ((variant->steps >> i & 1) != 0)
            print_step(&plan->steps[i], out);
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++)
        if (plan->options.rates[i] > 0) {
            (void)fprintf(out, "%s%s", separator, coir_sim_fault_name((coir_sim_fault)i));
            separator = ", ";
        }
    (void)fprintf(out, "%s\n", separator[0] == ',' ? "" : "  without faults of the system");
}
