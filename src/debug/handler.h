/* What was to be called for a signal before the library has put its own handler there: to go on to
 * that as the system would have. Safe in signal handlers. */
#ifndef COIR_DEBUG_HANDLER_H
#define COIR_DEBUG_HANDLER_H

#include <signal.h>
#include <stdbool.h>

/* A function, and not one of the two that every system knows. */
static inline bool coir__handler_exists(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static inline bool coir__handler_is(const struct sigaction *action,
                                    void (*handler)(int, siginfo_t *, void *)) {
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == handler;
}

static inline void coir__handler_mask(int number, int how) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)pthread_sigmask(how, &set, NULL);
}

/* The mask is restored when the handler that calls this one returns. */
static inline void coir__handler_call(const struct sigaction *action, int number, siginfo_t *info,
                                      void *context) {
    if (action->sa_flags & (int)SA_RESETHAND)
        (void)sigaction(number, &(const struct sigaction){.sa_handler = SIG_DFL}, NULL);
    (void)pthread_sigmask(SIG_BLOCK, &action->sa_mask, NULL);
    if (action->sa_flags & SA_NODEFER)
        coir__handler_mask(number, SIG_UNBLOCK);
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(number, info, context);
    else
        action->sa_handler(number);
}

#endif
