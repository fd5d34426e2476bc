/* Prints where each task spends the processor's time, as folded stacks, one place a line:
 *
 *     profile >profile.folded      then: flamegraph.pl profile.folded >profile.svg
 *                                  (or inferno-flamegraph; or drop it on www.speedscope.app)
 *
 * "indexer 3;index_pages;split;hash 8012": the task's name and number, its calls from the outermost
 * inwards, and microseconds. Shows: a signal (SIGPROF) comes every few milliseconds of the
 * processor's time, and its handler asks which task it has interrupted, and where; each sample
 * counts as what has passed since the one before. The program that is profiled is below: three
 * tasks that compute, and one that only waits, and so does not show up. */
#include <coir.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* ---- The profiler ---- */

#define DEPTH 32
#define PLACES 4096   /* that differ; a power of two */
#define EVERY_US 1000 /* or as often as the system's clock ticks */

/* A task in a place. */
struct place {
    coir_time time; /* spent there; 0: a free one */
    uint64_t task;  /* its number; 0: the runtime's loop */
    char name[COIR_NAME_SIZE];
    size_t depth;
    void *pcs[DEPTH];
};

static struct profiler {
    struct place places[PLACES];
    coir_time last,
        lost; /* processor's time: at the last sample; in places for which no room was */
    size_t samples;
} profiler;

static coir_time processor_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return COIR_SEC(time.tv_sec) + time.tv_nsec;
}

static struct place *find(const struct place *seen) {
    size_t hash = seen->task;
    for (size_t i = 0; i < seen->depth; i++)
        hash = hash * 31 + (size_t)seen->pcs[i] / 3;
    for (size_t tries = 0; tries < PLACES; tries++) {
        struct place *const place = &profiler.places[(hash + tries) % PLACES];
        if (place->time == 0)
            *place = *seen;
        if (place->task == seen->task && place->depth == seen->depth &&
            memcmp(place->pcs, seen->pcs, seen->depth * sizeof seen->pcs[0]) == 0)
            return place;
    }
    return NULL;
}

/* On the stack that the runtime has set up for signals. */
static void sample(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    const int saved_errno = errno;
    struct place seen = {.task = coir_task_number(coir_self())};
    const coir_time now = processor_time();
    const ssize_t depth = coir_backtrace_interrupted(context, seen.pcs, DEPTH);
    if (depth >= 0) { /* else it came to another thread */
        seen.depth = (size_t)depth;
        (void)coir_task_name(coir_self(), seen.name, sizeof seen.name);
        struct place *const place = find(&seen);
        *(place != NULL ? &place->time : &profiler.lost) += now - profiler.last;
        profiler.last = processor_time(); /* without what this took */
        profiler.samples++;
    }
    errno = saved_errno;
}

static int profile(bool on) {
    const struct itimerval interval = {.it_interval.tv_usec = on ? EVERY_US : 0,
                                       .it_value.tv_usec = on ? EVERY_US : 0};
    const struct sigaction action = {.sa_sigaction = sample,
                                     .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    profiler.last = processor_time();
    if (sigaction(SIGPROF, &action, NULL) != 0 || setitimer(ITIMER_PROF, &interval, NULL) != 0)
        return -errno;
    return 0;
}

/* The two characters that mean something in this format. */
static void print_name(const char *name) {
    for (; *name != '\0'; name++)
        putchar(*name == ';' || (unsigned char)*name < ' ' ? '_' : *name);
}

static void print_place(const struct place *place) {
    if (place->task == 0)
        printf("the loop");
    else
        print_name(place->name[0] != '\0' ? place->name : "task");
    if (place->task != 0)
        printf(" %llu", (unsigned long long)place->task);
    for (size_t i = place->depth; i-- > 0;) {
        char name[128];
        if (strncmp(coir_frame_name(place->pcs[i], name, sizeof name), "coir__", 6) == 0)
            continue; /* where each task begins */
        putchar(';');
        print_name(name);
    }
    printf(" %lld\n", (long long)(place->time / COIR_US(1)));
}

static void print_profile(void) {
    coir_time total = 0;
    for (size_t i = 0; i < PLACES; i++) {
        if (profiler.places[i].time > 0)
            print_place(&profiler.places[i]);
        total += profiler.places[i].time / COIR_US(1);
    }
    fprintf(stderr, "profile: %lld us in %zu samples", (long long)total, profiler.samples);
    if (profiler.lost > 0)
        fprintf(stderr, ", and %lld us in places for which there was no room",
                (long long)(profiler.lost / COIR_US(1)));
    fprintf(stderr, "\n");
}

/* ---- A program worth looking at ---- */

#define KEPT __attribute__((noinline))

/* Computes for so many milliseconds of the processor's time. */
KEPT static unsigned hash(int ms) {
    const coir_time end = processor_time() + COIR_MS(ms);
    unsigned value = 2166136261U;
    while (processor_time() < end)
        for (unsigned i = 0; i < 10000; i++)
            value = (value ^ i) * 16777619U;
    return value;
}

KEPT static unsigned split(int ms) {
    return hash(ms) + 1;
}

KEPT static unsigned render(int ms) {
    return hash(ms) + 2;
}

static int index_pages(void *arg) {
    unsigned *const result = arg;
    for (int page = 0; page < 20; page++) {
        *result += split(2);
        *result += hash(1);
        COIR_TRY(coir_yield());
    }
    return 0;
}

static int render_pages(void *arg) {
    unsigned *const result = arg;
    for (int page = 0; page < 20; page++) {
        *result += render(4);
        COIR_TRY(coir_yield());
    }
    return 0;
}

static int wait_for_quiet(void *arg) {
    (void)arg;
    return coir_sleep(COIR_MS(50));
}

static int app(void *arg) {
    static unsigned results[3];
    (void)arg;
    COIR_TRY(profile(true));
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_with(&s, index_pages, &results[0],
                             &(const coir_spawn_options){.name = "indexer"}));
    COIR_TRY(coir_spawn_with(&s, render_pages, &results[1],
                             &(const coir_spawn_options){.name = "renderer"}));
    COIR_TRY(
        coir_spawn_with(&s, wait_for_quiet, NULL, &(const coir_spawn_options){.name = "quiet"}));
    results[2] = split(10);
    const int rc = coir_scope_close(&s, 0);
    return rc < 0 ? rc : profile(false);
}

int main(void) {
    const int rc = coir_run(app, NULL);
    print_profile();
    if (rc < 0)
        fprintf(stderr, "profile: %s\n", coir_strerror(rc));
    return rc < 0 || fflush(stdout) != 0;
}
