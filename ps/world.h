/* The runtimes of a target with their scopes and tasks, as they were at one moment: all that is
 * shown is copied while the target is held, so that it is held no longer than that takes.
 *
 * What the target's memory says is believed only as far as it fits together: each task is in the
 * scope that lists it, each scope in the task that opened it. Where it does not, or memory is
 * missing, a place of its own says so. */
#ifndef PS_WORLD_H
#define PS_WORLD_H

#include "copy.h"
#include "table.h"

#define FOREVER INT64_MAX /* a deadline that is none */
#define NAME_SIZE 64

enum state { RUNNING, READY, NEW, WAITING };

enum wait_kind {
    WAIT_PLAIN, /* nothing is known but its words */
    WAIT_LOCK,
    WAIT_ONCE,
    WAIT_CONDITION,
    WAIT_JOIN,
    WAIT_SCOPE,
    WAIT_SLEEP,
    WAIT_CHANNEL,
    WAIT_ITEMS,
    WAIT_LIMITER,
    WAIT_BARRIER,
    WAIT_SEVERAL,
    WAIT_FUNCTION,
    WAIT_LOOKUP
};

struct wait {
    enum wait_kind kind;
    uint64_t address;
    uint64_t what; /* where the text of its words lies */
    uint64_t object;
    int64_t number;
    bool numbered;
    int64_t since;
    uint64_t task; /* who holds the lock, runs the function, is joined; 0: nobody, or not known */
    uint64_t lock; /* of a condition */
    uint64_t counts[2];
    const char *text; /* the name of the scope, or what is looked up; NULL */
};

struct scope {
    const char *name; /* NULL if it has none */
    uint64_t live, owner, outer;
    bool expired, shielded;
};

struct task {
    uint64_t number, home, fn, origin;
    char name[NAME_SIZE]; /* empty if it has none */
    enum state state;
    struct wait *wait; /* NULL if it does not */
    uint64_t sp;       /* where its stack ends now; 0: not known */
    uint64_t stack, stack_size;
    struct registers *registers; /* where it is; NULL: not known */
    struct piece pieces[2];      /* of its stack, and where it is if that is elsewhere */
    uint64_t *frames;            /* filled in later (frames.h), to be looked up at one less */
    size_t frame_count;
};

enum place_kind { SCOPE, TASK, MISSING };

/* A scope or task in the tree, which is stored in the order in which it is printed: outer ones
 * before those inside them. */
struct place {
    enum place_kind kind;
    unsigned depth;
    size_t parent; /* index of the one it is in; of the first: itself */
    uint64_t address;
    bool cancelled;
    int64_t deadline; /* FOREVER: none */
    union {
        struct scope scope;
        struct task task;
    };
};

struct runtime {
    const struct table *table;
    uint64_t address;
    long thread;
    uint64_t current;
    int64_t now;
    struct place *places;
    size_t count, room;
    size_t tasks;
};

struct world {
    struct target *target;
    struct table tables[8];
    struct runtime *runtimes;
    size_t count;
    int64_t held_ns; /* how long its threads stood still */
    bool with_stacks;
    bool practice; /* to find out what is where: what is copied is not to be kept */
};

/* Ends the program if there is nothing to see. */
void world_copy(struct world *world, struct target *target, bool with_stacks);
void world_free(struct world *world);

#endif
