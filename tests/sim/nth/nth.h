/* Each fault in its turn: a scenario is a small straight program over one public primitive, and is
 * run again and again on the simulated system, with the first, the second, ... of its system calls
 * and allocations failing, once and for ever, in every way that call may fail.
 *
 * What has to hold: an error comes out of the call that met the fault, and is one that this call is
 * documented to give; a call that met none gives what it gives without faults, or tells that
 * another has failed before; a bystander notices nothing; when the fault is over the same scenario
 * succeeds in the same runtime; at the end nothing is left. */
#ifndef TESTS_SIM_NTH_H
#define TESTS_SIM_NTH_H

#include <coir.h>
#include <errno.h>

#include "coir/sim.h"

struct scenario {
    const char *name;
    /* What is run: 0, or the error of the call that failed. */
    int (*run)(void);
    /* Waits and tries again while the fault lasts, as it is documented to. */
    bool patient;
    /* With how many stacks left it is tried, from none on; 0: only with none. */
    unsigned rooms;
    /* May break a connection for a fault, and tell nobody. */
    bool lossy;
    /* Is all that the run does, from its beginning on, once. NULL: no options. */
    const coir_options *options;
};

/* One array a file; ends with a name that is NULL. */
extern const struct scenario task_scenarios[], sync_scenarios[], channel_scenarios[],
    descriptor_scenarios[], network_scenarios[], file_scenarios[], whole_scenarios[];

/* In a list of errors: whatever the system call has said. */
#define SYSTEM 9999

/* What is known at the beginning of a call. */
struct before {
    uint64_t met; /* faults, by this task or those below it */
};
struct before call_begins(void);
/* Holds the result against what is allowed (what is expected, errors, 0), and returns it. */
long call_ends(const struct before *before, const char *call, long rc, const long *allowed);

/* CALL(coir_spawn(&s, fn, NULL), 0, ENOMEM): the call comes to 0; or, if it meets a fault, it may
 * come to -ENOMEM. ANY: to any number that is no error. */
#define CALL(expression, ...)                                                                      \
    __extension__({                                                                                \
        const struct before before_ = call_begins();                                               \
        const long rc_ = (long)(expression);                                                       \
        call_ends(&before_, #expression, rc_, (const long[]){__VA_ARGS__, 0});                     \
    })
#define ANY (-10000L)

/* The same, and ends the function with the error if there is one. */
#define TRY(expression, ...)                                                                       \
    do {                                                                                           \
        const long came_to_ = CALL(expression, __VA_ARGS__);                                       \
        if (came_to_ < 0)                                                                          \
            return (int)came_to_;                                                                  \
    } while (0)

/* Something else that must hold. */
#define must(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            violated(__VA_ARGS__);                                                                 \
    } while (0)
_Noreturn void violated(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Closes a scope whose body came to rc: that, an error that a task in it has returned, or 0. */
int close_scope(coir_scope *scope, int rc);
/* Two descriptors from elsewhere (coir_sim_pipe or _pair), adopted. */
int open_ends(int (*make)(int fds[2]), int fds[2]);
/* Closes a descriptor: it is gone in any case. */
void close_fd(int fd);
static inline void close_ends(const int fds[2]) {
    close_fd(fds[0]);
    close_fd(fds[1]);
}

#endif
