/* SIGQUIT as a request for the listing, for the runtimes that asked for that.
 *
 * The listing is written by the loop, between two turns: only then is the tree of tasks whole. A
 * task that holds the loop, which is when one most wants to know, would keep it from that. So the
 * handler itself tells at once which task runs and where, with what is safe in a handler. It may be
 * called in any thread, and passes the signal on to those of the runtimes. */
#include <pthread.h>
#include <sched.h>

#include "debug/frame_text.h"
#include "debug/identity.h"

#define ASKERS_MAX 64

static struct asker {
    struct coir__runtime *_Atomic rt;
    pthread_t thread;
    atomic_bool passed_on; /* its next signal is from the handler in another thread */
} askers[ASKERS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over taking and giving back */
static unsigned users;
static struct sigaction previous;
static _Atomic int handling; /* threads that are in the handler */

/* ---- In the handler ---- */

static void tell_running(const struct coir__runtime *rt, const ucontext_t *context) {
    struct coir__text line = {.length = 0};
    struct coir__symbols symbols;
    struct coir__cfi cfi = {.symbols = &symbols};
    struct coir__frames_source frames = {.pcs = NULL};
    struct coir__identity identity;
    const struct coir__registers registers = coir__registers_interrupted(context);
    coir__symbols_open(&symbols);
    coir__identify(&identity, rt->current);
    coir__text_add(&line, "coir: SIGQUIT: ");
    coir__text_task(&line, &symbols, &identity.task);
    coir__text_add(&line, " is running:");
    coir__text_end(&line);
    coir__trail_begin(&frames.trail, rt, &registers);
    (void)coir__frames_tell(frames, &cfi);
    coir__symbols_close(&symbols);
}

static void ask(struct coir__runtime *rt) {
    atomic_fetch_or(&rt->signalled, COIR_ASKED_DUMP);
    coir__poll_wake(&rt->poller);
}

static void handle(int number, siginfo_t *info, void *context) {
    const int saved_errno = errno;
    struct coir__runtime *const mine = coir__rt;
    bool passed_on = false;
    (void)info;
    atomic_fetch_add(&handling, 1);
    for (size_t i = 0; i < ASKERS_MAX; i++) {
        struct coir__runtime *const rt = atomic_load(&askers[i].rt);
        if (rt != NULL && rt == mine) {
            passed_on = atomic_exchange(&askers[i].passed_on, false);
            if (!passed_on)
                ask(rt);
            if (rt->current != &rt->loop)
                tell_running(rt, context);
        }
    }
    for (size_t i = 0; i < ASKERS_MAX && !passed_on; i++) {
        struct coir__runtime *const rt = atomic_load(&askers[i].rt);
        if (rt != NULL && rt != mine) {
            ask(rt);
            atomic_store(&askers[i].passed_on, true);
            (void)pthread_kill(askers[i].thread, number);
        }
    }
    atomic_fetch_sub(&handling, 1);
    errno = saved_errno;
}

/* ---- Taking and giving back ---- */

static void install(void) {
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGQUIT, &action, &previous);
}

/* Puts back what was there before, unless the program has put something else there since. */
static void restore(void) {
    struct sigaction now;
    if (sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_sigaction == handle)
        (void)sigaction(SIGQUIT, &previous, NULL);
}

int coir__quit_take(struct coir__runtime *rt) {
    int rc = -EBUSY;
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ASKERS_MAX && rc != 0; i++) {
        if (atomic_load(&askers[i].rt) != NULL)
            continue;
        askers[i].thread = pthread_self();
        atomic_store(&askers[i].passed_on, false);
        atomic_store(&askers[i].rt, rt);
        if (users++ == 0)
            install();
        rc = 0;
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

void coir__quit_release(struct coir__runtime *rt) {
    bool found = false;
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ASKERS_MAX && !found; i++) {
        found = atomic_load(&askers[i].rt) == rt;
        if (found)
            atomic_store(&askers[i].rt, NULL);
    }
    if (found && --users == 0)
        restore();
    (void)pthread_mutex_unlock(&lock);
    while (found && atomic_load(&handling) > 0) /* another thread still has `rt` in hand */
        (void)sched_yield();
}

void coir__quit_forked(void) {
    if (users > 0)
        restore();
    users = 0;
    for (size_t i = 0; i < ASKERS_MAX; i++)
        atomic_store(&askers[i].rt, NULL);
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}
