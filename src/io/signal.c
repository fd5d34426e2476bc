/* SIGINT and SIGTERM as a cancel of the main scope.
 *
 * The handler only leaves a note and wakes the poller; the loop does the rest. It may run in any
 * thread: jobs keep their signals, because a process they start inherits what they block. The
 * second signal finds the action that was there before the run. One runtime in a process at a time.
 */
#include <sched.h>

#include "core/runtime.h"

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static struct coir__runtime *_Atomic holder;
static _Atomic int handling; /* threads that are in the handler */
static struct sigaction previous[SIGNALS];

static void handle(int number);

/* Puts back what was there before, unless the program has put something else there since. */
static void restore(void) {
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == handle)
            (void)sigaction(signals[i], &previous[i], NULL);
    }
}

static void handle(int number) {
    (void)number;
    restore();
    atomic_fetch_add(&handling, 1);
    struct coir__runtime *const rt = atomic_load(&holder);
    if (rt != NULL) {
        atomic_fetch_or(&rt->signalled, COIR_ASKED_CANCEL);
        coir__poll_wake(&rt->poller);
    }
    atomic_fetch_sub(&handling, 1);
}

int coir__signals_take(struct coir__runtime *rt) {
    struct coir__runtime *nobody = NULL;
    if (!atomic_compare_exchange_strong(&holder, &nobody, rt))
        return -EBUSY;
    rt->holds_signals = true;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], NULL, &previous[i]);
        if (previous[i].sa_handler != SIG_IGN) /* as for a program put into the background */
            (void)sigaction(signals[i], &action, NULL);
    }
    return 0;
}

void coir__signals_forked(void) {
    if (atomic_load(&holder) == NULL)
        return;
    atomic_store(&holder, NULL);
    restore();
}

void coir__signals_release(struct coir__runtime *rt) {
    if (!rt->holds_signals)
        return;
    atomic_store(&holder, NULL);
    restore();
    while (atomic_load(&handling) > 0) /* another thread still has `rt` in hand */
        (void)sched_yield();
    rt->holds_signals = false;
}
