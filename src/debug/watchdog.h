/* The thread that names tasks which hold their runtime's thread for too long: one a runtime that
 * asks for it. */
#ifndef COIR_DEBUG_WATCHDOG_H
#define COIR_DEBUG_WATCHDOG_H

#include "arch/registers.h"
#include "core/runtime.h"

/* What the runtime changes whenever a task gives up the thread. None of it is written for the
 * watchdog, so it is read as it happens to be: that all of it is as before is what counts. */
struct coir__glimpse {
    const struct coir__task *current;
    size_t head, turn_end, careful_left;
    uint64_t turns;
};

/* How the watched thread is had to keep still while its stack is looked at. */
enum coir__hold {
    COIR_HOLD_NOT,
    COIR_HOLD_ASKED, /* a signal is on its way */
    COIR_HOLD_HELD,  /* it is in the handler, and has left its registers */
};

struct coir__watchdog {
    struct coir__runtime *rt;
    coir_time limit;
    pthread_t thread, watched;
    pthread_mutex_t lock;
    pthread_cond_t end; /* `ending` was set */
    bool ending;

    struct coir__glimpse last;
    coir_time since;     /* when that was first seen */
    coir_time cpu_since; /* the thread's processor time then */
    unsigned sightings;  /* how often it was seen since */
    bool told;           /* this stretch */

    _Atomic int hold;
    atomic_bool signalled; /* a signal is on its way, perhaps a late one */
    struct coir__registers registers;
    _Atomic uint64_t stretches; /* too long ones, so far */
    coir_time quiet_until;      /* not to flood whoever reads it */
    uint64_t untold;            /* stretches since the last report */
};

/* SIGURG of the watched threads (debug/hold.c). */
void coir__hold_install(void);
void coir__hold_restore(void);
/* Has the watched thread keep still in a handler, if it does so soon. */
bool coir__hold_begin(struct coir__watchdog *watchdog);
void coir__hold_end(struct coir__watchdog *watchdog);

#endif
