/* Random programs: trees of operations over the public calls, and what they run on.
 *
 * A program is made from a source of choices (generate.c), run by interpret.c under the eyes of
 * model.c, cut down by shrink.c and printed by print.c. Everything in it is plain data, so that the
 * same source makes the same program. */
#ifndef TESTS_SIM_PROGRAM_H
#define TESTS_SIM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coir/sim.h"

/* What operations are, as far as laws about all of them go. */
#define OP_BODY 1u     /* has operations inside */
#define OP_CHECKS 2u   /* fails at once if cancelled (law 2) */
#define OP_PARKS 4u    /* may be cut while it waits */
#define OP_CLOSES 8u   /* may end because what it waits for was closed or has died */
#define OP_FAILS 16u   /* may meet a fault of the system */
#define OP_SPECIAL 32u /* is only generated in its place: in a body of another operation */

/* clang-format off */
#define OPERATIONS(X)                                                                               \
    /* structure */                                                                                 \
    X(SCOPE,          "scope",            OP_BODY)                                                  \
    X(REPEAT,         "repeat",           OP_BODY)                                                  \
    X(SPAWN,          "spawn",            OP_BODY | OP_FAILS)                                       \
    X(START,          "start",            OP_BODY | OP_CHECKS | OP_PARKS | OP_FAILS)                \
    X(STARTED,        "started",          OP_SPECIAL)                                               \
    X(GATHER,         "gather",           OP_BODY | OP_FAILS)                                       \
    X(RACE,           "race",             OP_BODY | OP_FAILS)                                       \
    X(CALL,           "call",             OP_BODY | OP_SPECIAL)                                     \
    X(MAP,            "map",              OP_BODY | OP_FAILS)                                       \
    X(TIMEOUT,        "timeout",          OP_BODY)                                                  \
    X(FAIL,           "fail",             0)                                                        \
    /* tasks */                                                                                     \
    X(YIELD,          "yield",            OP_CHECKS)                                                \
    X(CHECK,          "check",            OP_CHECKS)                                                \
    X(SLEEP,          "sleep",            OP_CHECKS | OP_PARKS)                                     \
    X(SLEEP_UNTIL,    "sleep until",      OP_CHECKS | OP_PARKS)                                     \
    X(JOIN,           "join",             OP_PARKS)                                                 \
    X(WAIT,           "wait",             OP_CHECKS | OP_PARKS)                                     \
    X(NEXT,           "next",             OP_CHECKS | OP_PARKS)                                     \
    X(ON_DONE,        "on done",          0)                                                        \
    X(PARK,           "park",             OP_CHECKS | OP_PARKS)                                     \
    X(UNPARK,         "unpark",           0)                                                        \
    X(LOCAL,          "local",            OP_FAILS)                                                 \
    X(CANCEL_TASK,    "cancel task",      0)                                                        \
    X(CANCEL_SCOPE,   "cancel scope",     0)                                                        \
    X(SET_DEADLINE,   "set deadline",     0)                                                        \
    X(SET_SHIELD,     "set shield",       0)                                                        \
    /* synchronisation */                                                                           \
    X(LOCK,           "lock",             OP_BODY | OP_CHECKS | OP_PARKS | OP_CLOSES)               \
    X(TRY_LOCK,       "try lock",         OP_BODY)                                                  \
    X(UNLOCK,         "unlock",           0)                                                        \
    X(READ_LOCK,      "read lock",        OP_BODY | OP_CHECKS | OP_PARKS | OP_CLOSES)               \
    X(TRY_READ_LOCK,  "try read lock",    OP_BODY)                                                  \
    X(WRITE_LOCK,     "write lock",       OP_BODY | OP_CHECKS | OP_PARKS | OP_CLOSES)               \
    X(TRY_WRITE_LOCK, "try write lock",   OP_BODY)                                                  \
    X(COND_WAIT,      "condition wait",   OP_CHECKS | OP_PARKS | OP_CLOSES)                         \
    X(COND_SIGNAL,    "signal",           0)                                                        \
    X(EVENT_WAIT,     "event wait",       OP_CHECKS | OP_PARKS)                                     \
    X(EVENT_SET,      "event set",        0)                                                        \
    X(EVENT_CLEAR,    "event clear",      0)                                                        \
    X(ACQUIRE,        "acquire",          OP_BODY | OP_CHECKS | OP_PARKS)                           \
    X(TRY_ACQUIRE,    "try acquire",      OP_BODY)                                                  \
    X(RELEASE,        "release",          0)                                                        \
    X(LIMIT,          "limiter acquire",  OP_BODY | OP_CHECKS | OP_PARKS)                           \
    X(TRY_LIMIT,      "limiter try",      OP_BODY)                                                  \
    X(SET_LIMIT,      "set limit",        OP_FAILS)                                                 \
    X(BARRIER_WAIT,   "barrier wait",     OP_CHECKS | OP_PARKS | OP_CLOSES)                         \
    X(BARRIER_ABORT,  "barrier abort",    0)                                                        \
    X(BARRIER_RESET,  "barrier reset",    0)                                                        \
    X(ONCE,           "once",             OP_BODY | OP_CHECKS | OP_PARKS)                           \
    /* channels */                                                                                  \
    X(SEND,           "send",             OP_CHECKS | OP_PARKS | OP_CLOSES)                         \
    X(RECV,           "receive",          OP_CHECKS | OP_PARKS | OP_CLOSES)                         \
    X(TRY_SEND,       "try send",         0)                                                        \
    X(TRY_RECV,       "try receive",      0)                                                        \
    X(CLOSE_CHANNEL,  "close channel",    0)                                                        \
    X(CLOSE_NOW,      "close now",        0)                                                        \
    X(HOLD,           "hold",             OP_BODY)                                                  \
    X(TASK_DONE,      "task done",        0)                                                        \
    X(CHANNEL_JOIN,   "channel join",     OP_CHECKS | OP_PARKS)                                     \
    X(SELECT,         "select",           OP_CHECKS | OP_PARKS | OP_CLOSES)                         \
    X(TRY_SELECT,     "try select",       0)                                                        \
    X(CASE_SEND,      "case send",        OP_SPECIAL)                                               \
    X(CASE_RECV,      "case receive",     OP_SPECIAL)                                               \
    X(CASE_TASK,      "case task",        OP_SPECIAL)                                               \
    X(CASE_FD,        "case descriptor",  OP_SPECIAL)                                               \
    /* descriptors */                                                                               \
    X(READ,           "read",             OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(READV,          "readv",            OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(READ_EXACT,     "read exact",       OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(WRITE,          "write",            OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(WRITEV,         "writev",           OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(WRITE_ALL,      "write all",        OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(POLL,           "poll",             OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(CLOSE,          "close",            OP_FAILS)                                                 \
    X(RELEASE_FD,     "release",          OP_FAILS)                                                 \
    X(SHUTDOWN,       "shutdown",         0)                                                        \
    X(PAIR,           "pair",             OP_FAILS)                                                 \
    X(PIPE,           "pipe",             OP_FAILS)                                                 \
    X(HOST,           "host",             OP_FAILS)                                                 \
    X(LISTEN,         "listen",           OP_CHECKS | OP_FAILS)                                     \
    X(ACCEPT,         "accept",           OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(CONNECT,        "connect",          OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(SERVE,          "serve",            OP_BODY | OP_CHECKS | OP_PARKS | OP_CLOSES)               \
    X(BIND,           "bind",             OP_CHECKS | OP_FAILS)                                     \
    X(SEND_TO,        "send to",          OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(RECEIVE_FROM,   "receive from",     OP_CHECKS | OP_PARKS | OP_CLOSES | OP_FAILS)              \
    X(RESOLVE,        "resolve",          OP_CHECKS | OP_PARKS | OP_FAILS)                          \
    X(FILE_READ,      "read file",        OP_CHECKS | OP_PARKS | OP_FAILS)                          \
    X(FILE_WRITE,     "write file",       OP_CHECKS | OP_PARKS | OP_FAILS)                          \
    X(OFFLOAD,        "offload",          OP_CHECKS | OP_PARKS | OP_FAILS)
/* clang-format on */

enum op {
#define X(name, text, traits) OP_##name,
    OPERATIONS(X)
#undef X
        OPS
};

/* How a node takes an error of its own operation. */
#define NODE_PASSES 1u  /* every error ends the list it is in; otherwise only -ECANCELED does */
#define NODE_IGNORES 2u /* not even that one */

struct node {
    enum op op;
    unsigned flags;
    long a, b, c; /* what they mean is the operation's; see print.c */
    unsigned id;  /* counts up in the order of generation: what shrinking names */
    struct node *body, *next;
};

#define CHANNELS 4
#define OBJECTS 2 /* of each kind of primitive */

struct channel_plan {
    unsigned item_size, capacity, order; /* order: coir_order */
};

/* A whole run: what is run, and on what. */
struct program {
    struct node *main;
    unsigned nodes;
    coir_sim_options sim; /* seed, faults and order */
    bool descriptors;     /* some are open from the beginning */
    bool watchdog;        /* all is cut after a while; without it a deadlock is in order */
    struct channel_plan channels[CHANNELS];
    unsigned permits, bound, limit, parties;
};

/* Where choices come from: numbers from a seed, or a string of bytes (then zeros). */
struct source {
    uint64_t random;
    const uint8_t *bytes;
    size_t left;
};

/* Below n; n at least 1. */
unsigned source_pick(struct source *source, unsigned n);

/* Makes a program. All of it is in memory that the next call uses again. */
struct program *program_generate(struct source *source, uint64_t sim_seed);

/* Takes nodes out of the program: by id, with their bodies; or only the node, so that its body
 * takes its place, where `keep_body` has it. */
void program_drop(struct program *program, unsigned id, bool keep_body);
unsigned program_count(const struct program *program);

const char *op_name(enum op op);
unsigned op_traits(enum op op);

/* Prints it for people. */
void program_print(const struct program *program, FILE *out);

#endif
