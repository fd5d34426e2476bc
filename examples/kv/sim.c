/* Tests the store on a simulated network: searches the seeds for one that shows something wrong,
 * makes that as small as it gets, and shows it.
 *
 *   kv-sim [-b early|stale] [-f FIRST] [-n SEEDS]    searches; -b: in a store with that bug
 *   kv-sim [-b early|stale] [-t] -r VARIANT          runs one again; -t: with every call;
 *                                                    a seed alone: with all that it does
 *
 * Exit status 0: nothing was wrong; 1: something was; 2: the arguments are. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "../lib/args.h"
#include "plan.h"

#define ORDERS 300 /* tried of each smaller plan */

static struct plan plan;
static coir_sim_report report;
static enum kv_bug bug;

static const char *try_variant(const struct variant *variant) {
    plan_make(variant, &plan);
    return plan_run(&plan, variant, bug, &report);
}

/* ---- Shrinking ---- */

/* A part less changes when all else happens: so several orders of that are tried. */
static bool still_wrong(struct variant *variant, struct variant smaller, const char *wrong) {
    for (smaller.order = 0; smaller.order < ORDERS; smaller.order++) {
        const char *const found = try_variant(&smaller);
        if (found == NULL || strcmp(found, wrong) != 0)
            continue;
        *variant = smaller;
        return true;
    }
    return false;
}

static bool drop_steps(struct variant *variant, const char *wrong) {
    bool any = false;
    plan_make(variant, &plan);
    variant->steps &= (UINT64_C(1) << plan.count) - 1;
    for (unsigned i = plan.count; i-- > 0;) {
        struct variant smaller = *variant;
        smaller.steps &= ~(UINT64_C(1) << i);
        if (smaller.steps != variant->steps)
            any |= still_wrong(variant, smaller, wrong);
    }
    return any;
}

static void drop_faults(struct variant *variant, const char *wrong) {
    struct variant smaller = *variant;
    smaller.faults = 0;
    if (still_wrong(variant, smaller, wrong))
        return;
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++) {
        smaller = *variant;
        smaller.faults &= ~(UINT32_C(1) << i);
        (void)still_wrong(variant, smaller, wrong);
    }
}

static void shrink(struct variant *variant, const char *wrong) {
    drop_faults(variant, wrong);
    while (drop_steps(variant, wrong))
        ;
    drop_faults(variant, wrong);
}

/* ---- Searching and replaying ---- */

static void show(const struct variant *variant, const char *wrong) {
    static const char *const options[] = {"", "-b early ", "-b stale "};
    printf("%s\n", wrong != NULL ? wrong : "nothing is wrong");
    plan_print(&plan, variant, stdout);
    printf("  %" PRIu64 " calls, digest 0x%016" PRIx64 "; again: kv-sim %s-r ", report.calls,
           report.digest, options[bug]);
    variant_print(variant, stdout);
    printf("\n");
}

static int replay(const struct variant *variant, FILE *trace) {
    plan_make(variant, &plan);
    plan.options.trace = trace;
    const char *const wrong = plan_run(&plan, variant, bug, &report);
    show(variant, wrong);
    return wrong != NULL;
}

static int search(uint64_t first, uint64_t count) {
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct variant variant = {.seed = seed, .steps = UINT64_MAX, .faults = UINT32_MAX};
        const char *const wrong = try_variant(&variant);
        if (wrong == NULL)
            continue;
        printf("seed %" PRIu64 ", the %" PRIu64 ". tried, of %u steps: %s\n", seed,
               seed - first + 1, plan.count, wrong);
        shrink(&variant, wrong);
        printf("the least of it: ");
        return replay(&variant, NULL);
    }
    printf("%" PRIu64 " seeds, nothing wrong\n", count);
    return 0;
}

static int usage(void) {
    (void)fputs(
        "usage: kv-sim [-b early|stale] [-f FIRST] [-n SEEDS] | [-b BUG] [-t] -r VARIANT\n"
        "VARIANT: SEED-ORDER-STEPS-FAULTS, as it was told, or SEED, for all steps and faults\n",
        stderr);
    return 2;
}

int main(int argc, char **argv) {
    size_t first = 1, count = 1000;
    struct variant variant;
    FILE *trace = NULL;
    bool again = false, good = true;
    int option;
    while (good && (option = getopt(argc, argv, "b:f:n:r:t")) != -1) {
        if (option == 'b') {
            bug = strcmp(optarg, "early") == 0 ? KV_EARLY : KV_STALE;
            good = bug == KV_EARLY || strcmp(optarg, "stale") == 0;
        } else if (option == 'f') {
            good = args_count(optarg, 0, SIZE_MAX / 2, &first);
        } else if (option == 'n') {
            good = args_count(optarg, 1, SIZE_MAX / 2, &count);
        } else if (option == 'r') {
            good = again = variant_parse(optarg, &variant);
        } else if (option == 't') {
            trace = stdout;
        } else {
            good = false;
        }
    }
    if (!good || optind != argc || (trace != NULL && !again))
        return usage();
    if (again && variant.steps == UINT64_MAX && variant.faults == UINT32_MAX)
        printf("all steps and faults of seed %" PRIu64 ": ", variant.seed);
    return again ? replay(&variant, trace) : search(first, count);
}
