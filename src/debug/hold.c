/* Having a thread keep still, by a signal whose handler waits, while the watchdog follows its
 * stack.
 *
 * The signal is SIGURG: nobody else sends it but the kernel, to those few who have asked to be told
 * of urgent data, and it is ignored by default; debuggers pass it on, and no library uses it. (Go
 * has chosen it for its preemption, for the same reasons.) A handler of the program is called for
 * all that do not come from here. A thread that sleeps in a system call is never sent one: many
 * calls are not restarted then, whatever SA_RESTART says. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "debug/handler.h"
#include "debug/watchdog.h"

#define HELD_MS_MAX 100 /* the thread goes on then in any case */
#define ASKED_MS_MAX 100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction previous;

static bool turn(struct coir__watchdog *watchdog, int from, int to) {
    return atomic_compare_exchange_strong(&watchdog->hold, &from, to);
}

static void keep_still(struct coir__watchdog *watchdog, const ucontext_t *context) {
    watchdog->registers = coir__registers_interrupted(context);
    if (!turn(watchdog, COIR_HOLD_ASKED, COIR_HOLD_HELD))
        return;
    for (int ms = 0; ms < HELD_MS_MAX && atomic_load(&watchdog->hold) == COIR_HOLD_HELD; ms++)
        (void)poll(NULL, 0, 1);
    (void)turn(watchdog, COIR_HOLD_HELD, COIR_HOLD_NOT);
}

static void handle(int number, siginfo_t *info, void *context) {
    const int saved_errno = errno;
    struct coir__watchdog *const watchdog = coir__rt != NULL ? coir__rt->watchdog : NULL;
    const struct sigaction action = previous;
    if (sys_sent_to_thread(info) && watchdog != NULL &&
        atomic_exchange(&watchdog->signalled, false))
        keep_still(watchdog, context);
    else if (coir__handler_exists(&action))
        coir__handler_call(&action, number, info, context);
    errno = saved_errno;
}

bool coir__hold_begin(struct coir__watchdog *watchdog) {
    atomic_store(&watchdog->hold, COIR_HOLD_ASKED);
    atomic_store(&watchdog->signalled, true);
    if (pthread_kill(watchdog->watched, SIGURG) == 0)
        for (int ms = 0; ms < ASKED_MS_MAX; ms++) {
            if (atomic_load(&watchdog->hold) == COIR_HOLD_HELD)
                return true;
            (void)poll(NULL, 0, 1);
        }
    return !turn(watchdog, COIR_HOLD_ASKED, COIR_HOLD_NOT);
}

void coir__hold_end(struct coir__watchdog *watchdog) {
    atomic_store(&watchdog->hold, COIR_HOLD_NOT);
}

void coir__hold_install(void) {
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    struct sigaction now;
    (void)sigemptyset(&action.sa_mask);
    (void)pthread_mutex_lock(&lock);
    if (users++ == 0 && sigaction(SIGURG, NULL, &now) == 0 && !coir__handler_is(&now, handle)) {
        previous = now;
        (void)sigaction(SIGURG, &action, NULL);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* Puts back what was there before, unless the program has put something else there since. */
void coir__hold_restore(void) {
    struct sigaction now;
    (void)pthread_mutex_lock(&lock);
    if (--users == 0 && sigaction(SIGURG, NULL, &now) == 0 && coir__handler_is(&now, handle))
        (void)sigaction(SIGURG, &previous, NULL);
    (void)pthread_mutex_unlock(&lock);
}

/* Another thread may have been at it. A handler that is left there finds no watchdog. */
void coir__hold_forked(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    users = 0;
}
