/* The runner that stands in for Criterion: criterion/criterion.h says when and what for.
 *
 * Each test runs in a forked process, the leader of a process group of its own, so that whatever it
 * started dies with it when its time is over. What the test came to stands in memory that it shares
 * with the runner: there is no descriptor that a test could see or run out of. A test has passed
 * only if its body came to its end and its process then exited with 0: a sanitizer that finds
 * something at the exit makes another number of that.
 *
 *   check [-jN] [--filter GLOB] [--output=tap:FILE]       GLOB is matched against suite/name */
#include "criterion/criterion.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef FNM_EXTMATCH /* @(a|b) and the like, which Criterion knows: an extension of GNU's */
#define FNM_EXTMATCH 0
#endif

enum { JOBS_MAX = 64, TEXT_MAX = 128 << 10 };

enum verdict { NONE, PASSED, FAILED, SKIPPED };

/* What the process of a test tells the runner. */
struct report {
    enum verdict verdict;
    char text[TEXT_MAX]; /* why it failed or was skipped */
};

/* A process that runs a test. Its pid is 0 where none does. */
struct job {
    volatile pid_t pid;
    const struct plain_test *test;
    struct report *report;
    double began, timeout;
    bool timed_out;
};

static struct plain_suite *suites;
static struct plain_test *tests;
static size_t test_count;

static struct job jobs[JOBS_MAX];
static size_t jobs_max = 1;
static const char *filter = "*", *tap_path;
static size_t tested, passing, crashing;

void plain_add_suite(struct plain_suite *suite) {
    suite->next = suites;
    suites = suite;
}

void plain_add_test(struct plain_test *test) {
    test->next = tests;
    tests = test;
    test_count++;
}

static void die(const char *what) {
    perror(what);
    exit(2);
}

/* ---- In the process of a test ---- */

static struct job *mine;
static pid_t me;
static bool finishing;

static void finish(void) {
    finishing = true;
    if (mine->test->fini != NULL)
        mine->test->fini();
}

/* Ends the test where it stands, on whatever stack that is. A process that the test forked has no
 * business here, and only it is ended then. */
__attribute__((noreturn)) static void end_test(enum verdict verdict) {
    mine->report->verdict = verdict;
    if (getpid() == me && !finishing)
        finish();
    fflush(NULL);
    _exit(verdict == FAILED);
}

void plain_fail(const char *file, int line, const char *format, ...) {
    char *const text = mine->report->text;
    const int length = snprintf(text, TEXT_MAX, "%s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vsnprintf(text + length, TEXT_MAX - (size_t)length, format, args);
    va_end(args);
    end_test(FAILED);
}

void plain_skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(mine->report->text, TEXT_MAX, format, args);
    va_end(args);
    end_test(SKIPPED);
}

/* Tests that fail leave none behind; one that wants a core file may have it. */
static void forgo_core_files(void) {
    struct rlimit size;
    if (getrlimit(RLIMIT_CORE, &size) == 0) {
        size.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &size);
    }
}

__attribute__((noreturn)) static void run_test(struct job *job) {
    mine = job;
    me = getpid();
    setpgid(0, 0);
    signal(SIGALRM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    forgo_core_files();
    if (job->test->init != NULL)
        job->test->init();
    job->test->body();
    finish();
    if (job->report->verdict == NONE) /* no check failed in a process that it forked */
        job->report->verdict = PASSED;
    exit(EXIT_SUCCESS);
}

/* ---- What a test came to ---- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print_indented(const char *text) {
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        fprintf(stderr, "[----] %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* A line of the Test Anything Protocol; without a test, the file is begun. The file is not kept
 * open: a test would inherit it. */
static void tap(const struct plain_test *test, const char *result, const char *mark,
                const char *comment) {
    if (tap_path == NULL)
        return;
    FILE *const file = fopen(tap_path, test == NULL ? "w" : "a");
    if (file == NULL)
        die(tap_path);
    if (test == NULL)
        fputs("TAP version 13\n", file);
    else
        fprintf(file, "%s - %s::%s %s%s\n", result, test->suite, test->name, mark, comment);
    fclose(file);
}

/* Why the test has failed; NULL if it has not. */
static const char *failure(const struct job *job, int status, const char *time) {
    static char text[80];
    const enum verdict verdict = job->report->verdict;
    if (job->timed_out)
        return "Timed out.";
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "CRASH! It died of signal %d.", WTERMSIG(status));
    else if (verdict == FAILED)
        return time;
    else if (verdict == NONE)
        snprintf(text, sizeof text, "It exited with %d before its end.", WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(text, sizeof text, "It exited with %d after its end.", WEXITSTATUS(status));
    else
        return NULL;
    return text;
}

static void note_failure(const struct job *job, const char *why) {
    const struct plain_test *const test = job->test;
    if (job->report->verdict == FAILED)
        print_indented(job->report->text);
    else
        fprintf(stderr, "[----] %s:%d: in the test which begins here\n", test->file, test->line);
    fprintf(stderr, "[FAIL] %s::%s: %s\n", test->suite, test->name, why);
    tap(test, "not ok", "", why);
}

static void note_skip(const struct job *job) {
    const struct plain_test *const test = job->test;
    fprintf(stderr, "[SKIP] %s::%s: %s\n", test->suite, test->name, job->report->text);
    tap(test, "ok", "# SKIP ", job->report->text);
}

static void settle(struct job *job, int status) {
    char time[32];
    snprintf(time, sizeof time, "(%.2fs)", now() - job->began);
    const char *const why = failure(job, status, time);
    const bool skipped = why == NULL && job->report->verdict == SKIPPED;
    tested += !skipped;
    crashing += WIFSIGNALED(status) && !job->timed_out;
    if (skipped) {
        note_skip(job);
    } else if (why != NULL) {
        note_failure(job, why);
    } else {
        passing++;
        tap(job->test, "ok", "", time);
    }
    job->pid = 0;
}

/* ---- Running them ---- */

static double timeout_of(const struct plain_test *test) {
    for (const struct plain_suite *suite = suites; suite != NULL; suite = suite->next)
        if (strcmp(suite->name, test->suite) == 0)
            return suite->timeout;
    return 0;
}

static void begin(struct job *job, const struct plain_test *test) {
    job->test = test;
    job->began = now();
    job->timeout = timeout_of(test);
    job->timed_out = false;
    job->report->verdict = NONE;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        run_test(job);
    setpgid(pid, pid); /* whoever is first */
    job->pid = pid;
}

static void kill_late_ones(void) {
    const double time = now();
    for (size_t i = 0; i < jobs_max; i++) {
        struct job *const job = &jobs[i];
        if (job->pid == 0 || job->timeout <= 0 || time < job->began + job->timeout)
            continue;
        job->timed_out = true;
        kill(-job->pid, SIGKILL);
    }
}

/* Waits until a test has ended, or SIGALRM says to look whether one is late. */
static void wait_a_while(void) {
    int status;
    const pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0 && errno != EINTR)
        die("waitpid");
    for (size_t i = 0; i < jobs_max; i++)
        if (pid > 0 && jobs[i].pid == pid)
            settle(&jobs[i], status);
    kill_late_ones();
}

static struct job *find_job(bool running) {
    for (size_t i = 0; i < jobs_max; i++)
        if ((jobs[i].pid != 0) == running)
            return &jobs[i];
    return NULL;
}

static bool selected(const struct plain_test *test) {
    char name[256];
    snprintf(name, sizeof name, "%s/%s", test->suite, test->name);
    return fnmatch(filter, name, FNM_EXTMATCH) == 0;
}

static int by_name(const void *a, const void *b) {
    const struct plain_test *const one = *(struct plain_test *const *)a;
    const struct plain_test *const other = *(struct plain_test *const *)b;
    const int order = strcmp(one->suite, other->suite);
    return order != 0 ? order : strcmp(one->name, other->name);
}

static void run_all(void) {
    struct plain_test **const sorted = malloc(test_count * sizeof *sorted);
    if (sorted == NULL)
        die("malloc");
    size_t count = 0;
    for (struct plain_test *test = tests; test != NULL; test = test->next)
        if (selected(test))
            sorted[count++] = test;
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        while (find_job(false) == NULL)
            wait_a_while();
        begin(find_job(false), sorted[i]);
    }
    while (find_job(true) != NULL)
        wait_a_while();
    free(sorted);
}

/* ---- The program ---- */

static void on_tick(int signal) {
    (void)signal; /* waitpid returns, that is all */
}

static void on_interrupt(int signal) {
    for (size_t i = 0; i < jobs_max; i++)
        if (jobs[i].pid != 0)
            kill(-jobs[i].pid, SIGKILL);
    _exit(128 + signal);
}

static void prepare(void) {
    const size_t size_bytes = jobs_max * sizeof(struct report);
    struct report *const reports =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED)
        die("mmap");
    for (size_t i = 0; i < jobs_max; i++)
        jobs[i].report = &reports[i];
    sigaction(SIGALRM, &(const struct sigaction){.sa_handler = on_tick}, NULL);
    sigaction(SIGINT, &(const struct sigaction){.sa_handler = on_interrupt}, NULL);
    sigaction(SIGTERM, &(const struct sigaction){.sa_handler = on_interrupt}, NULL);
    const struct itimerval tick = {.it_interval.tv_usec = 250000, .it_value.tv_usec = 250000};
    setitimer(ITIMER_REAL, &tick, NULL); /* again and again: one may come before waitpid does */
}

static void read_options(char **argv) {
    while (*++argv != NULL) {
        if (strncmp(*argv, "-j", 2) == 0 && atoi(*argv + 2) >= 0) {
            const size_t wanted = (size_t)atoi(*argv + 2);
            jobs_max = wanted < 1 ? 1 : wanted > JOBS_MAX ? JOBS_MAX : wanted;
        } else if (strcmp(*argv, "--filter") == 0 && argv[1] != NULL) {
            filter = *++argv;
        } else if (strncmp(*argv, "--output=tap:", 13) == 0) {
            tap_path = *argv + 13;
        } else {
            fprintf(stderr, "%s: unknown; there are -jN, --filter GLOB, --output=tap:FILE\n",
                    *argv);
            exit(2);
        }
    }
}

int main(int argc, char **argv) {
    (void)argc;
    read_options(argv);
    prepare();
    tap(NULL, NULL, NULL, NULL);
    run_all();
    fprintf(stderr,
            "[====] Synthesis: Tested: %zu | Passing: %zu | Failing: %zu | Crashing: %zu \n",
            tested, passing, tested - passing, crashing);
    return passing < tested;
}
