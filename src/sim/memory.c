/* Memory and the clock. Memory is the real one, counted, and refused by fault; time is the world's.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "sim/calls.h"
#include "sim/sim.h"

/* What reading the clock takes at most. */
#define CLOCK_TIME 64

int coir__sim_clock_gettime(clockid_t clock, struct timespec *out) {
    struct coir__sim *const sim = coir__sim;
    if (sim == NULL)
        return clock_gettime(clock, out);
    sim->now += coir__sim_draw_time(CLOCK_TIME);
    sim->told = sim->now;
    *out = (struct timespec){.tv_sec = (time_t)(sim->now / COIR_SEC(1)),
                             .tv_nsec = (long)(sim->now % COIR_SEC(1))};
    return 0;
}

/* ---- The heap ---- */

/* Whether there is memory. */
static bool granted(void) {
    return coir__sim == NULL || coir__sim_failure(COIR_SIM_NO_MEMORY, COIR_SIM_ERRORS(ENOMEM)) == 0;
}

static void *count(void *memory) {
    if (coir__sim != NULL && memory != NULL)
        coir__sim->report.allocations_left++;
    return memory;
}

void *coir__sim_calloc(size_t number, size_t size) {
    return granted() ? count(calloc(number, size)) : NULL;
}

void *coir__sim_realloc(void *memory, size_t size) {
    if (!granted())
        return NULL;
    void *const moved = realloc(memory, size);
    return memory == NULL ? count(moved) : moved;
}

int coir__sim_posix_memalign(void **out, size_t alignment, size_t size) {
    if (!granted())
        return ENOMEM;
    const int rc = posix_memalign(out, alignment, size);
    if (rc == 0)
        (void)count(*out);
    return rc;
}

void coir__sim_free(void *memory) {
    if (coir__sim != NULL && memory != NULL)
        coir__sim->report.allocations_left--;
    free(memory);
}

/* ---- Mappings ---- */

static bool refused(const int *errors) {
    const int rc = coir__sim == NULL ? 0 : coir__sim_failure(COIR_SIM_NO_MAPPING, errors);
    if (rc < 0)
        errno = -rc;
    return rc < 0;
}

void *coir__sim_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (refused(COIR_SIM_ERRORS(ENOMEM, EAGAIN)))
        return MAP_FAILED;
    void *const memory = mmap(address, size, protection, flags, fd, offset);
    if (coir__sim != NULL && memory != MAP_FAILED)
        coir__sim->report.mappings_left += size;
    return memory;
}

int coir__sim_munmap(void *memory, size_t size) {
    if (coir__sim != NULL)
        coir__sim->report.mappings_left -= size;
    return munmap(memory, size);
}

int coir__sim_mprotect(void *memory, size_t size, int protection) {
    return refused(COIR_SIM_ERRORS(ENOMEM, EACCES)) ? -1 : mprotect(memory, size, protection);
}

/* The simulated machine has light guards, so that a run is the same on each real one. Where that
 * has none (Linux before 6.13, an emulator), protection has the same effect and costs more
 * mappings. */
static int install_guard(void *memory, size_t size) {
    static __thread enum { UNKNOWN, LIGHT, PROTECT } kind;
    if (kind == UNKNOWN)
        kind =
            madvise(memory, size, MADV_GUARD_INSTALL) == 0 && sys_faults(memory) ? LIGHT : PROTECT;
    return kind == LIGHT ? madvise(memory, size, MADV_GUARD_INSTALL)
                         : mprotect(memory, size, PROT_NONE);
}

int coir__sim_advise(void *memory, size_t size, int advice) {
    return coir__sim != NULL && advice == MADV_GUARD_INSTALL ? install_guard(memory, size)
                                                             : madvise(memory, size, advice);
}

int coir__sim_madvise(void *memory, size_t size, int advice) {
    return refused(COIR_SIM_ERRORS(ENOMEM, EAGAIN)) ? -1 : coir__sim_advise(memory, size, advice);
}

/* ---- Files of the C library ---- */

/* /proc, which the simulated machine does not have: it is the same on each real one. */
FILE *coir__sim_fopen(const char *path, const char *mode) {
    if (coir__sim == NULL)
        return fopen(path, mode);
    errno = ENOENT;
    return NULL;
}

static ssize_t pass_message(void *cookie, const char *text, size_t size) {
    const struct coir__sim *const sim = cookie;
    sim->hooks.on_message(sim->hooks.context, text, size);
    return (ssize_t)size;
}

FILE *coir__sim_stderr(void) {
    struct coir__sim *const sim = coir__sim;
    if (sim == NULL || sim->hooks.on_message == NULL)
        return stderr;
    if (sim->messages == NULL) {
        sim->messages = fopencookie(sim, "w", (cookie_io_functions_t){.write = pass_message});
        if (sim->messages == NULL)
            coir__sim_fatal("there is no memory for the simulation itself");
    }
    return sim->messages;
}
