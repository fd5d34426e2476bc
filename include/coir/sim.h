/* A simulated system to test programs in: link with libcoir-sim.a instead of libcoir.a (`pkg-config
 * coir-sim`; Linux only). docs/testing.md leads through it.
 *
 * coir_sim_run is coir_run on a system that exists in memory only: its clock, descriptors, network,
 * files, threads and memory. Time passes when everybody waits, so that an hour takes no time. All
 * that could happen one way or another is drawn from one seed: who runs next, how long a packet
 * takes, which call fails. The same program with the same seed does the same again; so a seed that
 * shows a bug is the bug's address. Outside coir_sim_run this library does what libcoir does.
 *
 * What a program does without Coir is not simulated, and can make two runs of a seed differ: its
 * own system calls, threads, clocks and random numbers; what it keeps from one run to the next; and
 * addresses of memory, where something depends on their order. Jobs of coir_offload run one at a
 * time, on stacks of 8 MiB. */
#ifndef COIR_SIM_H
#define COIR_SIM_H

#include <stdio.h>

#include "base.h"
#include "runtime.h"

COIR_BEGIN_DECLS

/* What may go wrong. */
typedef enum coir_sim_fault {
    /* System calls */
    COIR_SIM_EINTR,       /* is interrupted by a signal */
    COIR_SIM_EAGAIN,      /* would wait, though it need not; readiness is told again later */
    COIR_SIM_SHORT_READ,  /* gives less than there is */
    COIR_SIM_SHORT_WRITE, /* takes less than there is room for */
    COIR_SIM_EMFILE,      /* no descriptor left in the process */
    COIR_SIM_ENFILE,      /* none left in the system */
    COIR_SIM_ENOBUFS,     /* the kernel has no memory */
    COIR_SIM_EIO,         /* the disk fails */
    COIR_SIM_SLOW_CALL,   /* takes up to 100 ms */
    COIR_SIM_UNCACHED,    /* a file's pages have to be fetched from the disk */
    COIR_SIM_NO_MEMORY,   /* an allocation fails */
    COIR_SIM_NO_MAPPING,  /* a mapping, a guard or the like fails */
    COIR_SIM_NO_THREAD,   /* a thread cannot be started */
    COIR_SIM_NO_ANSWER,   /* the name server does not answer */
    /* The network */
    COIR_SIM_RESET,       /* a connection breaks */
    COIR_SIM_ABORTED,     /* one breaks before it is accepted */
    COIR_SIM_REFUSED,     /* one is refused though somebody listens */
    COIR_SIM_UNREACHABLE, /* there is no way to the other machine, or no answer from it */
    COIR_SIM_SLOW_LINK,   /* what was sent comes in pieces, late */
    COIR_SIM_LOSS,        /* a datagram is lost */
    COIR_SIM_DUPLICATE,   /* comes twice */
    COIR_SIM_REORDER,     /* overtakes another */
    COIR_SIM_PARTITION,   /* two machines do not reach each other for a while */
    /* Events and time */
    COIR_SIM_LATE_EVENT,     /* is told late */
    COIR_SIM_MERGED_EVENT,   /* is held back and told together with others */
    COIR_SIM_SPURIOUS_EVENT, /* is told though nothing has happened */
    COIR_SIM_EARLY_WAKE,     /* the poller returns before the time is up */
    COIR_SIM_CLOCK_JUMP,     /* the machine slept for seconds or minutes */
    COIR_SIM_SIGNAL,         /* SIGINT comes, once (if the options of the runtime ask for it) */
    COIR_SIM_FAULTS
} coir_sim_fault;

/* The order in which ready tasks run. */
typedef enum coir_sim_order {
    COIR_SIM_ANY,  /* drawn from the seed; the default */
    COIR_SIM_FIFO, /* as outside of the simulation */
    COIR_SIM_LIFO, /* the one made ready last is the next */
    COIR_SIM_MIXED /* spells of each */
} coir_sim_order;

/* A zero in any field means the default. */
typedef struct coir_sim_options {
    uint64_t seed;                   /* any number; 0 is one like the others */
    uint16_t rates[COIR_SIM_FAULTS]; /* of each fault, in 65,536 chances; default: never */
    coir_options runtime;            /* but for seed and virtual_clock, which must be left 0 */
    coir_sim_order order;
    unsigned look_rate;       /* how often, in 65,536 picks of the next task, the loop looks for
                                 timers and events before its turn is over */
    coir_time call_time;      /* most that a system call takes, up to a day; default 1 us */
    coir_time latency;        /* most that a packet takes, up to a day; default 1 ms */
    size_t socket_room_bytes; /* of each direction of a stream, a pipe; default 64 KiB */
    unsigned descriptors_max; /* default and most: 1,024 */
    /* Not by chance but for certain: the n-th of all calls that can fail does, counted from 1; and
     * all after it, if `for_ever`. What a report counts as `calls`. */
    uint64_t fail_nth;
    bool fail_for_ever;
    FILE *trace; /* where to write each call and event; default: nowhere */
} coir_sim_options;

/* What a run has done and left behind. */
typedef struct coir_sim_report {
    uint64_t occurred[COIR_SIM_FAULTS]; /* how often each fault really did */
    uint64_t calls;                     /* that could have failed */
    uint64_t failed;                    /* of those, how many fail_nth made fail */
    uint64_t digest;                    /* of all calls, when they were and what they returned: the
                                           same for two runs of a seed with the same program */
    coir_time ended;                    /* the time then; it begins at one hour */
    size_t descriptors_left;            /* open at the end */
    size_t allocations_left;            /* blocks of memory not freed */
    size_t mappings_left;               /* bytes mapped */
    size_t threads_left;
} coir_sim_report;

/* Runs fn(arg) as the main task of a runtime on a simulated system that `options` (NULL: no faults)
 * describe, and returns what coir_run_with says; *report (may be NULL) is filled in, unless the
 * simulation could not begin. Waiting for descriptors is a deadlock here as well (-EDEADLK, with
 * the listing) when nothing is left that could make one ready. Errors further: -EPERM within a
 * simulation or a runtime; -EINVAL an option out of its range; -ENOMEM. */
COIR_MUST_CHECK int coir_sim_run(coir_fn fn, void *arg, const coir_sim_options *options,
                                 coir_sim_report *report);

/* The name of a fault, as in "ENOBUFS". */
const char *coir_sim_fault_name(coir_sim_fault fault);

/* ---- Within a simulation: none of these parks ---- */

/* Whether this thread is in a simulation. */
bool coir_sim_active(void);

/* A number below `count` from the run's seed; 0 outside. */
uint32_t coir_sim_draw(uint32_t count);

/* Changes the rate of a fault from now on. Ignored outside. (A run in the order COIR_SIM_FIFO looks
 * for COIR_SIM_SIGNAL only if it began with a rate for it, or a look_rate.) */
void coir_sim_set_rate(coir_sim_fault fault, uint16_t rate);

/* The machine that the calling task, and those it spawns from now on, run on: its sockets have that
 * address, a number such as "10.0.0.7"; 127.0.0.1 is each machine itself. Tasks that are on none
 * share one without a number, where any address can be listened at. Files and Unix sockets are the
 * same on all. Errors: -EINVAL no such number; -ENOMEM; -EPERM outside, and in a job of
 * coir_offload. */
COIR_MUST_CHECK int coir_sim_host(const char *address);

/* Cuts the network between two machines, or mends it with the same two. What is sent meanwhile
 * arrives afterwards; connections give up after a quarter of an hour, new ones after two minutes.
 * "*" is any machine: a cut of "10.0.0.7" from "*" is one from all others. Errors: -EINVAL no
 * machine's number; -EPERM outside; -ENOSPC 64 at a time. */
int coir_sim_partition(const char *a, const char *b, bool cut);

/* Kills what runs on a machine, as `kill -9` does, as far as the network can see: its sockets are
 * closed, the other ends read the end of the stream or a reset, connecting is refused, and nothing
 * that those tasks still do reaches anybody: their calls fail with -ENETDOWN, on a stream once, and
 * then as on one that has ended (0 to read, -EPIPE to write). (Cut it off before, and mend that
 * when it is up again: then it has lost its power.) The tasks themselves are functions of this
 * program: cancel the scope they are in, and close it. To start again, call coir_sim_host in a new
 * task. Files stay as they were written. Errors: -EINVAL no machine's number; -EPERM outside. */
int coir_sim_kill(const char *address);

/* Makes a name known that coir_resolve and coir_connect can look up; again with the same name: one
 * more address of it. Errors: -EINVAL; -ENOSPC; -EPERM outside. */
int coir_sim_name(const char *name, const char *address);

/* Descriptors of the simulated system, for coir_adopt: a connected pair of Unix stream sockets; a
 * pipe, whose first end is to be read; a regular file, empty when it is first opened. Errors:
 * -EMFILE; -ENFILE; -ENOMEM; -EINVAL; -EPERM outside. */
COIR_MUST_CHECK int coir_sim_pair(int fds[2]);
COIR_MUST_CHECK int coir_sim_pipe(int fds[2]);
COIR_MUST_CHECK int coir_sim_file(const char *path);

/* Writes a line to the trace, if there is one. */
void coir_sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

COIR_END_DECLS

#endif
