/* The objects that programs work on, each with a shadow: what it must be like, going by the calls
 * that have returned. */
#ifndef TESTS_SIM_OBJECTS_H
#define TESTS_SIM_OBJECTS_H

#include "sim/model.h"

#define ITEMS_MAX 4096
#define ITEM_SIZE_MAX 24
#define PLACES 4 /* for park */
#define DONES 256

struct mutex_shadow {
    coir_mutex own;
    const struct task *owner;
    bool dead;
};

struct rwlock_shadow {
    coir_rwlock own;
    const struct task *writer;
    unsigned readers;
    bool dead;
};

struct cond_shadow {
    coir_cond own;
    struct mutex_shadow mutex;
    long credits; /* signals that woke somebody who has yet to return */
    bool unsure;  /* the mutex has died: who was woken and who was not cannot be told */
};

struct event_shadow {
    coir_event own;
    bool set;
    uint64_t set_at; /* by the clock of calls; 0: never */
};

struct semaphore_shadow {
    coir_semaphore own;
    long free; /* permits that nobody has, as far as calls have returned */
    long added;
};

struct limiter_shadow {
    coir_limiter own;
    size_t limit, held;
    bool holds[TASKS_MAX];
};

struct barrier_shadow {
    coir_barrier own;
    unsigned places[64]; /* how often each was given */
    bool broken;
    uint64_t turned_away_at;
};

struct once_shadow {
    coir_once own;
    const struct task *runner;
    bool done;
    int value;
};

enum item_state { ITEM_NONE, ITEM_OFFERED, ITEM_SENT, ITEM_FAILED, ITEM_RECEIVED, ITEM_DROPPED };

struct item {
    enum item_state state;
    bool sent; /* the send has returned 0 */
    unsigned channel, priority;
    uint64_t send_begin, send_end, recv_begin, recv_end;
};

struct channel_shadow {
    coir_channel *own;
    const struct channel_plan *plan;
    bool closed;
    uint64_t finished; /* task_done was called so often */
    unsigned holds;
};

struct place_shadow {
    coir_waiter wait;
    struct task *task; /* that waits there; NULL: nobody */
    int value;         /* it will be woken with */
};

struct objects {
    struct mutex_shadow mutexes[OBJECTS];
    struct rwlock_shadow rwlocks[OBJECTS];
    struct cond_shadow conds[OBJECTS];
    struct event_shadow events[OBJECTS];
    struct semaphore_shadow semaphores[OBJECTS];
    struct limiter_shadow limiters[OBJECTS];
    struct barrier_shadow barriers[OBJECTS];
    struct once_shadow onces[OBJECTS];
    struct channel_shadow channels[CHANNELS];
    struct place_shadow places[PLACES];
    coir_done dones[DONES];
    unsigned done_count;
    struct item items[ITEMS_MAX];
    unsigned item_count;
};

extern struct objects objects;

/* Within the runtime, before the program and after it. */
void objects_begin(const struct program *program);
void objects_end(void);
/* A task ends: what it holds dies with it. */
void objects_task_ended(const struct task *task);

/* Whether the tasks that the call waits for are too few for it to end. */
bool may_wait_for_tasks(const struct call *call);
/* Whether a task with a handle lives in the scope. */
bool scope_awaits_ends(const struct scope *scope);
/* How many items have been sent and not received; and which is the first of them, or NULL. */
size_t channel_items(const struct channel_shadow *channel);

#endif
