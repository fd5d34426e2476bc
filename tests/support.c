/* What all tests share; support.h says what each function is for. */
#include "support.h"

#include "base/sys.h"
#include "poll/poll.h"
#if COIR_ASAN
#include <sanitizer/lsan_interface.h>
#endif

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef TESTS_UNWIND /* 0: built without libunwind (make LIBUNWIND=no) */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#define TESTS_UNWIND 1
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define DESCRIPTORS_LOOKED_AT 4096
#define CHILD_SECONDS_MAX 300

static char label[48];

static const char *(*describe_run)(void);

const char *run_label(void) {
    return describe_run != NULL ? describe_run() : label;
}

void run_label_from(const char *(*describe)(void)) {
    describe_run = describe;
}

const char *rc_text(long rc) {
    static char texts[8][80];
    static unsigned next;
    char *const text = texts[next++ % COUNT_OF(texts)];
    if (rc >= 0)
        snprintf(text, sizeof texts[0], "%ld", rc);
    else
        snprintf(text, sizeof texts[0], "-%s", coir_strerror((int)rc));
    return text;
}

/* ---- Running a body ---- */

struct run {
    coir_fn body;
    void *arg;
    bool began;
    int stats_rc;
    coir_stats left; /* when the body had returned */
};

static int run_body(void *arg) {
    struct run *const run = arg;
    run->began = true;
    const int rc = run->body(run->arg);
    run->stats_rc = coir_stats_get(&run->left);
    return rc;
}

static void check_nothing_left(const struct run *run) {
    check_rc(run->stats_rc, 0);
    const coir_stats left = run->left;
    check_int(left.tasks_alive, 1); /* the main task itself */
    check_int(left.timers_armed, 0);
    check_int(left.io_waiting, 0);
    check_int(left.descriptors, 0);
    check_int(left.offload_jobs, 0);
}

static void note_descriptors(bool open[DESCRIPTORS_LOOKED_AT]) {
    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
        open[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void check_descriptors(const bool before[DESCRIPTORS_LOOKED_AT]) {
    bool after[DESCRIPTORS_LOOKED_AT];
    note_descriptors(after);
    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
        cr_assert(after[fd] == before[fd], "descriptor %d was %s by the run%s", fd,
                  after[fd] ? "left open" : "closed", run_label());
}

/* libunwind, which the library loads for backtraces, keeps a pipe from its first use on. */
static void let_libunwind_begin(void) {
#if TESTS_UNWIND
    unw_context_t context;
    unw_cursor_t cursor;
    (void)unw_getcontext(&context);
    (void)unw_init_local(&cursor, &context);
#endif
}

/* libkqueue too keeps descriptors of its own, from the first queue on. */
static void let_libkqueue_begin(void) {
    struct coir__poller first;
    if (!over_libkqueue())
        return;
    cr_assert(coir__poll_init(&first) == 0);
    coir__poll_fini(&first);
}

int run_task_with(coir_fn body, void *arg, const run_options *options) {
    let_libunwind_begin();
    let_libkqueue_begin();
    coir_options runtime = options->runtime;
    runtime.virtual_clock = !options->real_clock;
    if (runtime.slow_task == 0)
        runtime.slow_task = COIR_NEVER; /* the machine may be */
    if (runtime.seed != 0)
        snprintf(label, sizeof label, " (seed %" PRIu64 ")", runtime.seed);
    bool open_before[DESCRIPTORS_LOOKED_AT];
    note_descriptors(open_before);

    struct run run = {.body = body, .arg = arg};
    const int rc = coir_run_with(run_body, &run, &runtime);

    if (run.began && !options->leaves_work)
        check_nothing_left(&run);
    if (!options->leaves_descriptors)
        check_descriptors(open_before);
    label[0] = '\0';
    return rc;
}

int run_task(coir_fn body, void *arg) {
    return run_task_with(body, arg, &(const run_options){.real_clock = false});
}

int run_task_real(coir_fn body, void *arg) {
    return run_task_with(body, arg, &(const run_options){.real_clock = true});
}

void run_task_seeds(coir_fn body, void *arg) {
    for (uint64_t seed = 0; seed <= SEEDS; seed++) {
        trace_clear();
        const int rc = run_task_with(body, arg, &(const run_options){.runtime.seed = seed});
        cr_assert(rc == 0, "with seed %" PRIu64 " the body returned %s", seed, rc_text(rc));
    }
}

int sleep_for_ever(UNUSED void *unused) {
    return coir_sleep(COIR_NEVER);
}

int return_int(void *arg) {
    return *(const int *)arg;
}

int do_job(void *arg) {
    struct job *const job = arg;
    job->began = true;
    const int rc = coir_sleep(COIR_MS(job->ms));
    job->cut = rc < 0;
    job->ended = coir_now();
    return rc < 0 ? rc : job->result;
}

/* ---- Trace ---- */

static char trace_text[16384];
static size_t trace_length;

void trace(const char *format, ...) {
    va_list args;
    va_start(args, format);
    const size_t room = sizeof trace_text - trace_length;
    const char *const gap = trace_length > 0 ? " " : "";
    const int gap_length = snprintf(trace_text + trace_length, room, "%s", gap);
    const int length =
        vsnprintf(trace_text + trace_length + gap_length, room - (size_t)gap_length, format, args);
    va_end(args);
    cr_assert((size_t)(gap_length + length) < room, "the trace is full");
    trace_length += (size_t)(gap_length + length);
}

const char *traced(void) {
    return trace_text;
}

void trace_clear(void) {
    trace_text[0] = '\0';
    trace_length = 0;
}

/* ---- Standard error, time, size ---- */

/* Reads a temporary file from its beginning into text, as far as it fits. */
static void read_back(FILE *file, char *text, size_t size_bytes) {
    rewind(file);
    const size_t length = fread(text, 1, size_bytes - 1, file);
    text[length] = '\0';
    fclose(file);
}

static FILE *temporary(void) {
    FILE *const file = tmpfile();
    cr_assert(file != NULL, "no temporary file: %s", strerror(errno));
    return file;
}

static FILE *capture_file;
static int stderr_saved;

void capture_stderr(void) {
    fflush(stderr);
    capture_file = temporary();
    stderr_saved = dup(STDERR_FILENO);
    cr_assert(stderr_saved >= 0);
    cr_assert(dup2(fileno(capture_file), STDERR_FILENO) >= 0);
}

const char *captured_stderr(void) {
    static char text[65536];
    fflush(stderr);
    dup2(stderr_saved, STDERR_FILENO);
    close(stderr_saved);
    read_back(capture_file, text, sizeof text);
    return text;
}

size_t occurrences(const char *text, const char *part) {
    const char *const end = text + strlen(text), *at = text; /* strstr may look for it each time */
    const size_t length = strlen(part);
    size_t count = 0;
    while ((at = memmem(at, (size_t)(end - at), part, length)) != NULL) {
        at += length;
        count++;
    }
    return count;
}

coir_time real_now(void) {
    return sys_clock();
}

/* ---- Taking the address space away ---- */

#define TAKEN_MAX ((size_t)64 << 30)     /* an emulator may have no end of it, and takes its time */
#define SMALLEST_PIECE ((size_t)1 << 20) /* what is left it needs for itself: it dies of none */

static struct {
    void *at;
    size_t size_bytes;
} taken[1024];
static size_t taken_count, taken_bytes;

static void *reserve(size_t size_bytes) {
    void *const at =
        mmap(NULL, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at != MAP_FAILED ? at : NULL;
}

/* Takes one more piece of that size. False: there is none, or no end. */
static bool take_piece(size_t size_bytes) {
    if (taken_count == COUNT_OF(taken) || taken_bytes > TAKEN_MAX)
        return false;
    void *const at = reserve(size_bytes);
    if (at == NULL)
        return false;
    taken[taken_count].at = at;
    taken[taken_count++].size_bytes = size_bytes;
    taken_bytes += size_bytes;
    return true;
}

bool take_address_space(size_t left_bytes) {
    void *const left = reserve(left_bytes);
    for (size_t size = (size_t)1 << 30; size >= SMALLEST_PIECE; size /= 2)
        while (take_piece(size))
            ;
    if (left != NULL)
        munmap(left, left_bytes);
    return taken_count < COUNT_OF(taken) && taken_bytes <= TAKEN_MAX;
}

static void give_address_space_back(void) {
    taken_bytes = 0;
    while (taken_count > 0) {
        taken_count--;
        munmap(taken[taken_count].at, taken[taken_count].size_bytes);
    }
}

int without_memory(coir_fn fn, void *arg) {
    struct rlimit before;
    cr_assert(getrlimit(RLIMIT_AS, &before) == 0);
    cr_assert(setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, before.rlim_max}) == 0);
    const bool gone = take_address_space(4 << 20);
    const int rc = gone ? fn(arg) : 0;
    give_address_space_back();
    cr_assert(setrlimit(RLIMIT_AS, &before) == 0);
    cr_assert(gone, "RLIMIT_AS does nothing here; under qemu-user say `ulimit -v 32000000` before");
    return rc;
}

bool on_valgrind(void) {
    return RUNNING_ON_VALGRIND;
}

void skip_test(const char *reason) {
#if COIR_ASAN
    __lsan_disable(); /* Criterion keeps what it allocates for this, and the process ends with it */
#endif
    cr_skip("%s", reason);
}

bool over_libkqueue(void) {
#ifdef COIR_LIBKQUEUE
    return true;
#else
    return false;
#endif
}

void skip_over_libkqueue(enum libkqueue_limit limit) {
    static const char *const reasons[] = {
        [LIBKQUEUE_TAKES_ERRORS] = "libkqueue takes the errors of sockets for itself",
        [LIBKQUEUE_LOSES_EVENTS] = "libkqueue loses events when very many come at once",
        [LIBKQUEUE_KEEPS_CLOSED] = "libkqueue keeps what was closed without its knowing",
        [LIBKQUEUE_HAS_A_THREAD] = "libkqueue has a thread of its own",
    };
    if (over_libkqueue())
        skip_test(reasons[limit]);
}

bool with_sanitizer(void) {
    return SANITIZED;
}

bool emulated(void) {
    return getenv("COIR_EMULATED") != NULL;
}

void need_frames_of_libc(void) {
    Dl_info where;
    if (dladdr((const void *)(uintptr_t)&coir_run, &where) == 0)
        skip_test("the C library is part of the program, without what unwinding it takes");
}

size_t scaled(size_t n) {
    return on_valgrind() || with_sanitizer() ? (n + 49) / 50 : n;
}

/* ---- Other processes ---- */

static int status_of(pid_t child) {
    int status = -1;
    pid_t ended;
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    cr_assert(ended == child, "waitpid: %s", strerror(errno));
    return status;
}

/* A child inherits what Criterion set for this process: no core files of deaths that are wanted,
 * and a bound on its time. */
static void begin_child(void) {
    setrlimit(RLIMIT_CORE, &(const struct rlimit){0, 0});
    alarm(CHILD_SECONDS_MAX);
}

int run_forked(int (*fn)(void *arg), void *arg) {
    fflush(NULL);
    const pid_t child = fork();
    cr_assert(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        begin_child();
        _exit(fn(arg));
    }
    return status_of(child);
}

const program_result *run_program(const char *const argv[]) {
    static program_result result;
    char path[4096];
    if (argv[0][0] == '/')
        snprintf(path, sizeof path, "%s", argv[0]);
    else
        snprintf(path, sizeof path, "%s/%s", COIR_BUILD_DIR, argv[0]);
    FILE *const out = temporary(), *const err = temporary();

    fflush(NULL);
    const pid_t child = fork();
    cr_assert(child >= 0, "fork: %s", strerror(errno));
    if (child == 0) {
        begin_child();
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        execv(path, (char *const *)(uintptr_t)argv);
        dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
        _exit(127);
    }
    result.status = status_of(child);
    read_back(out, result.out, sizeof result.out);
    read_back(err, result.err, sizeof result.err);
    return &result;
}

/* Such a death is wanted here: the sanitizer is not to take it for a bug of its own to report. */
static void leave_signals_to_the_program(void) {
    setenv("ASAN_OPTIONS", "handle_segv=0:handle_sigbus=0:handle_abort=0:detect_leaks=0", 1);
    setenv("UBSAN_OPTIONS", "handle_segv=0:handle_sigbus=0:handle_abort=0", 1);
}

void check_fatal_texts(const char *name, const char *argument, int death,
                       const char *const texts[]) {
    char path[256];
    snprintf(path, sizeof path, "tests/fatal/%s", name);
    leave_signals_to_the_program();
    const program_result *const result = run_program((const char *const[]){path, argument, NULL});

    cr_assert(WIFSIGNALED(result->status) && WTERMSIG(result->status) == death,
              "%s: wait status 0x%x, not death of signal %d; it wrote:\n%s", name,
              (unsigned)result->status, death, result->err);
    for (size_t i = 0; texts[i] != NULL; i++)
        check_contains(result->err, texts[i]);
}
