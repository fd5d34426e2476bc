/* What runs on the pool of threads: regular files, and a program's own jobs. And whole runs, from
 * the runtime's beginning to its end, with the options that need something of the system. */
#include <signal.h>
#include <string.h>

#include "sim/calls.h"
#include "sim/nth/nth.h"
#include "sim/sim.h"

#define POOL_ERRORS EAGAIN, ENOMEM, SYSTEM

static int file_in(int fd) {
    static const char text[] = "what is written";
    char back[sizeof text] = "";
    TRY(coir_pwrite(fd, text, sizeof text, 100), sizeof text, POOL_ERRORS);
    TRY(coir_pread(fd, back, sizeof back, 100), sizeof back, POOL_ERRORS);
    must(strcmp(back, text) == 0, "a file says '%s'", back);
    TRY(coir_pread(fd, back, sizeof back, 50), sizeof back, POOL_ERRORS);
    must(back[0] == '\0' && back[sizeof back - 1] == '\0', "a hole in a file is not empty");
    TRY(coir_write_all(fd, text, sizeof text, NULL), 0, POOL_ERRORS);
    TRY(coir_poll(fd, COIR_READABLE), COIR_READABLE);
    return 0;
}

static int file(void) {
    const int fd = (int)CALL(coir_sim_file("/nth"), ANY, EMFILE, ENFILE);
    if (fd < 0)
        return fd;
    const long rc = CALL(coir_adopt(fd), 0, ENOMEM);
    if (rc < 0) {
        (void)coir__sim_close(fd);
        return (int)rc;
    }
    const int came_to = file_in(fd);
    close_fd(fd);
    return came_to;
}

static int read_end(void *arg) {
    char text[16];
    const long rc = CALL(coir_pread(*(const int *)arg, text, sizeof text, 0), 0, POOL_ERRORS);
    return (int)rc;
}

/* Several at a time, of an empty file. */
static int file_shared(void) {
    int fd = (int)CALL(coir_sim_file("/empty"), ANY, EMFILE, ENFILE);
    if (fd < 0)
        return fd;
    long rc = CALL(coir_adopt(fd), 0, ENOMEM);
    if (rc < 0) {
        (void)coir__sim_close(fd);
        return (int)rc;
    }
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = CALL(coir_spawn(&s, read_end, &fd), 0, ENOMEM);
    rc = close_scope(&s, (int)rc);
    close_fd(fd);
    return (int)rc;
}

static int job(void *arg) {
    coir__sim_pause(COIR_MS(1));
    ++*(int *)arg;
    return 3;
}

static int have_it_done(void *arg) {
    const long rc = CALL(coir_offload(job, arg), 3, EAGAIN, ENOMEM);
    return rc < 0 ? (int)rc : 0;
}

static int offload(void) {
    int done = 0;
    long rc = 0;
    int begun = 0;
    COIR_SCOPE(s, .policy = COIR_SUPERVISE);
    for (; begun < 6 && rc == 0; begun++)
        rc = CALL(coir_spawn(&s, have_it_done, &done), 0, ENOMEM);
    rc = close_scope(&s, (int)rc);
    must(rc < 0 || done == 6, "%d of 6 jobs were done", done);
    return (int)rc;
}

const struct scenario file_scenarios[] = {{.name = "file", .run = file},
                                          {.name = "file_shared", .run = file_shared},
                                          {.name = "offload", .run = offload},
                                          {.name = NULL}};

/* ---- Whole runs ---- */

static int quiet(void) {
    return 0;
}

static int work(void *arg) {
    (void)arg;
    return (int)CALL(coir_sleep(COIR_MS(1)), 0);
}

static int busy(void) {
    int done = 0;
    TRY(coir_spawn(coir_main_scope(), work, NULL), 0, ENOMEM);
    TRY(coir_sleep(COIR_MS(2)), 0);
    return have_it_done(&done);
}

static int signalled(void) {
    (void)raise(SIGINT);
    (void)CALL(coir_sleep(COIR_SEC(1)), -ECANCELED);
    return 0;
}

static const coir_options defaults = {.seed = 0};
static const coir_options cancels = {.cancel_on_signals = true};
static const coir_options dumps = {.dump_on_sigquit = true};
static const coir_options large_stacks = {.stack_size_bytes = (size_t)4 << 20, .stack_cache = 1};

const struct scenario whole_scenarios[] = {
    {.name = "run", .run = quiet, .options = &defaults},
    {.name = "run_busy", .run = busy, .options = &defaults},
    {.name = "run_large_stacks", .run = busy, .options = &large_stacks},
    {.name = "run_cancelled_by_signal", .run = signalled, .options = &cancels},
    {.name = "run_that_dumps", .run = busy, .options = &dumps},
    {.name = NULL}};
