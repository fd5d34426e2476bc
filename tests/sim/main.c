/* Runs random programs on the simulated system, one a seed, in several processes, and tells what
 * was violated, how to see that again, and how often what really happened.
 *
 *   sim                    the seeds 1 to SEEDS (2000); FIRST=1, JOBS=2
 *   COIR_SIM=seed:7 sim    that one alone; TRACE=1 shows each call, PRINT=1 the program
 *
 * SHRINK=0 leaves a failure as it is; KEEP=1 goes on after one; FIGURES=1 prints all counts. */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/interpret.h"
#include "sim/variant.h"

#define JOBS_MAX 64
#define SECONDS_A_SEED 20
#define STATUS_VIOLATED 9
#define AGAIN_EVERY 16 /* seeds, one is run twice */

struct shared {
    _Atomic uint64_t next;
    uint64_t end; /* the last seed */
    struct desk desks[JOBS_MAX];
};

struct desk *desk;

void violated(const char *law, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(desk->text, sizeof desk->text, format, arguments);
    va_end(arguments);
    (void)snprintf(desk->law, sizeof desk->law, "%s", law);
    _exit(STATUS_VIOLATED);
}

static bool is_set(const char *name, bool otherwise) {
    const char *const text = getenv(name);
    return text != NULL && *text != '\0' ? strtoul(text, NULL, 10) != 0 : otherwise;
}

/* At least 1: no seeds, or those of a number that is misread, would pass without a look. */
static unsigned long number_from(const char *name, unsigned long otherwise) {
    const char *const text = getenv(name);
    char *end;
    if (text == NULL || *text == '\0')
        return otherwise;
    const unsigned long number = strtoul(text, &end, 10);
    if (*end == '\0' && number > 0 && *text != '-')
        return number;
    (void)fprintf(stderr, "%s=%s makes no sense; it is a number from 1 on\n", name, text);
    exit(2);
}

/* ---- One ---- */

static void print_failure(const struct variant *variant, const struct desk *failed) {
    char text[4096];
    variant_format(variant, text, sizeof text);
    (void)printf("FAILED COIR_SIM=%s build/tests/sim\n       %s: %s\n", text, failed->law,
                 failed->text);
    if (failed->message_size > 0)
        (void)printf("       the library said: %s", failed->messages);
    (void)fflush(stdout);
}

static int run_one(const char *text) {
    static struct desk mine;
    struct variant variant;
    if (!variant_parse(text, &variant)) {
        (void)fprintf(stderr, "COIR_SIM=%s makes no sense; it begins with seed:NUMBER\n", text);
        return 2;
    }
    if (is_set("PRINT", false))
        program_print(variant_program(&variant), stdout);
    if (!is_set("TRACE", false)) {
        if (!variant_fails(&variant, &mine)) {
            (void)printf("no law was violated\n");
            return 0;
        }
        print_failure(&variant, &mine);
        return 1;
    }
    desk = &mine;
    struct program *const program = variant_program(&variant);
    program->sim.trace = stdout;
    (void)program_run(program);
    return 0;
}

/* ---- Many ---- */

static void work(struct shared *shared, unsigned number) {
    desk = &shared->desks[number];
    uint64_t seed;
    while ((seed = atomic_fetch_add(&shared->next, 1)) <= shared->end) {
        const struct variant variant = {.seed = seed};
        desk->seed = seed;
        desk->message_size = 0;
        (void)alarm(SECONDS_A_SEED);
        const uint64_t first = program_run(variant_program(&variant));
        if (seed % AGAIN_EVERY == 0)
            must(program_run(variant_program(&variant)) == first, "promise 10: not the same again",
                 "a second run of the same seed has done something else");
    }
    _exit(0);
}

static pid_t start_worker(struct shared *shared, unsigned number) {
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        work(shared, number);
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    return child;
}

/* A worker has died: of a violation, or of something worse. */
static void tell_failure(struct desk *failed, int status, bool shrinks) {
    struct variant variant = {.seed = failed->seed};
    if (failed->law[0] == '\0')
        (void)snprintf(failed->law, sizeof failed->law, "crash: %s",
                       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
    print_failure(&variant, failed);
    if (!shrinks)
        return;
    static struct desk again;
    if (!variant_fails(&variant, &again)) {
        (void)printf("       and not when it is run again: something is not simulated\n");
        return;
    }
    variant_shrink(&variant, again.law);
    if (variant_fails(&variant, &again))
        print_failure(&variant, &again);
    program_print(variant_program(&variant), stdout);
}

static unsigned run_many(struct shared *shared, unsigned jobs) {
    const bool keeps = is_set("KEEP", false);
    const bool shrinks = is_set("SHRINK", true);
    pid_t workers[JOBS_MAX];
    unsigned failures = 0, alive = jobs;
    for (unsigned i = 0; i < jobs; i++)
        workers[i] = start_worker(shared, i);
    while (alive > 0) {
        int status;
        const pid_t ended = wait(&status);
        unsigned i = 0;
        while (i < jobs && workers[i] != ended)
            i++;
        if (i == jobs)
            continue;
        alive--;
        if (status == 0)
            continue;
        if (!keeps)
            atomic_store(&shared->next, shared->end + 1); /* the others end after their seed */
        tell_failure(&shared->desks[i], status, shrinks && failures == 0);
        failures++;
        shared->desks[i].law[0] = '\0';
        if (keeps) {
            workers[i] = start_worker(shared, i);
            alive++;
        }
    }
    return failures;
}

/* ---- Figures ---- */

static void add_counts(struct counts *sum, const struct counts *one) {
    uint64_t *const to = (uint64_t *)(void *)sum;
    const uint64_t *const from = (const uint64_t *)(const void *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static void print_fates(const struct counts *counts) {
    for (unsigned op = 0; op < OPS; op++)
        for (unsigned fate = 0; fate < FATES; fate++)
            if (counts->fates[op][fate] > 0)
                (void)printf("%12llu  %s: %s\n", (unsigned long long)counts->fates[op][fate],
                             op_name((enum op)op), fate_name((enum fate)fate));
}

static unsigned print_missing(const struct counts *counts) {
    unsigned missing = 0, pairs = 0;
    for (unsigned op = 0; op < OPS; op++)
        for (unsigned fate = 0; fate < FATES; fate++) {
            if (!fate_applies((enum op)op, (enum fate)fate))
                continue;
            pairs++;
            if (counts->fates[op][fate] > 0)
                continue;
            missing++;
            (void)printf("never happened: %s: %s\n", op_name((enum op)op),
                         fate_name((enum fate)fate));
        }
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++)
        if (counts->faults[i] == 0)
            (void)printf("never happened: fault %s\n", coir_sim_fault_name((coir_sim_fault)i));
    (void)printf("%u of %u pairs of a call and an interruption have happened\n", pairs - missing,
                 pairs);
    return missing;
}

static void print_figures(const struct counts *counts) {
    if (is_set("FIGURES", false))
        print_fates(counts);
    for (unsigned i = 0; i < COIR_SIM_FAULTS; i++)
        if (counts->faults[i] > 0)
            (void)printf("%12llu  fault %s, in %llu runs\n", (unsigned long long)counts->faults[i],
                         coir_sim_fault_name((coir_sim_fault)i),
                         (unsigned long long)counts->fault_runs[i]);
    (void)print_missing(counts);
    (void)printf("%llu tasks, %llu scopes, %llu calls, %llu deadlocks; %llu checks, %llu moments "
                 "at which nothing was ready\n",
                 (unsigned long long)counts->tasks, (unsigned long long)counts->scopes,
                 (unsigned long long)counts->calls, (unsigned long long)counts->deadlocks,
                 (unsigned long long)counts->checks, (unsigned long long)counts->idles);
}

int main(void) {
    const char *const one = getenv("COIR_SIM");
    if (one != NULL)
        return run_one(one);
    struct shared *const shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    unsigned jobs = (unsigned)number_from("JOBS", 2);
    jobs = jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
    const uint64_t first = number_from("FIRST", 1);
    atomic_store(&shared->next, first);
    shared->end = first + number_from("SEEDS", 2000) - 1;
    const unsigned failures = run_many(shared, jobs);
    static struct counts sum;
    for (unsigned i = 0; i < jobs; i++)
        add_counts(&sum, &shared->desks[i].counts);
    if (failures == 0)
        print_figures(&sum);
    (void)printf("simulation: %llu runs, %u failures\n", (unsigned long long)sum.runs, failures);
    return failures > 0;
}
