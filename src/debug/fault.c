/* Signals that end a program become messages that name the task: overflows of stacks, crashes,
 * abort.
 *
 * They are handled on an alternate stack, for as long as some runtime of the process runs that does
 * not leave the signals alone. What the program has installed before is called afterwards, as if it
 * had got the signal itself, and the default action is left to the system, so that exit status and
 * core file are what they would have been. What it installs later takes our place. Sanitizers have
 * handlers of their own, which report more. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include "debug/crash.h"
#include "debug/handler.h"

#define ALTERNATE_STACK_SIZE ((size_t)64 * 1024)
#define TURN_MS 1000                   /* how long a report waits for that of another thread */
#define STEP_MAX ((uintptr_t)64 << 20) /* the largest frame that is recognised below the guard */
#define BELOW_SP 256 /* what functions use there: x86_64's red zone, a call's pushes */

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction previous[FAULTS];
static __thread stack_t previous_stack;
static __thread void *alternate_stack;

/* ---- Reports ---- */

static atomic_bool reporting;           /* in some thread */
static atomic_bool told_before_handler; /* once, in case the program handles such faults for good */
static __thread bool overflowed;        /* and has said so */
static __thread sigjmp_buf *escape;     /* where a fault within a report goes */

struct event {
    int number;
    siginfo_t *info;
    void *context;
    struct sigaction action; /* of the program */
    bool overflow;
};

/* Whether it is nobody's crash: sent by somebody else, or ignored. */
static bool is_no_crash(const struct event *event) {
    const bool sent = event->info->si_code <= 0;
    if (sent && !coir__handler_exists(&event->action) && event->action.sa_handler == SIG_IGN)
        return true;
    return sent && (event->number != SIGABRT || event->info->si_pid != getpid());
}

/* Whether a frame larger than the guard has stepped over it, as those may that are compiled without
 * -fstack-clash-protection: the stack pointer is below the stack, and the address between them. */
static bool is_step_over(uintptr_t stack, const struct event *event) {
    const uintptr_t sp = coir__registers_interrupted(event->context).sp;
    const uintptr_t from = sp - BELOW_SP;
    return sp < stack && stack - sp < STEP_MAX &&
           (uintptr_t)event->info->si_addr - from < stack - from;
}

static bool is_overflow(const struct coir__runtime *rt, const struct event *event) {
    size_t size;
    if (rt->current == &rt->loop || (event->number != SIGSEGV && event->number != SIGBUS))
        return false;
    const uintptr_t guard = (uintptr_t)coir__stack_guard(rt->current, &size);
    return (uintptr_t)event->info->si_addr - guard < size || is_step_over(guard + size, event);
}

static void tell(const struct coir__runtime *rt, struct event *event) {
    event->overflow = is_overflow(rt, event);
    if (coir__fatal_place != NULL)
        coir__crash_tell_place(rt, event->context);
    else if (event->overflow)
        coir__crash_tell_overflow(rt, event->context);
    else
        coir__crash_tell(rt, event->info, event->context, coir__handler_exists(&event->action));
}

/* Survives a fault of its own. */
static void tell_safely(const struct coir__runtime *rt, struct event *event) {
    sigjmp_buf here;
    coir__handler_mask(event->number, SIG_UNBLOCK);
    if (sigsetjmp(here, 1) == 0) {
        escape = &here;
        tell(rt, event);
    } else {
        coir__crash_tell_least(event->info, event->context);
    }
    escape = NULL;
    coir__handler_mask(event->number, SIG_BLOCK);
}

static void report(const struct coir__runtime *rt, struct event *event) {
    if (overflowed || is_no_crash(event))
        return;
    if (coir__handler_exists(&event->action) && atomic_exchange(&told_before_handler, true))
        return;
    for (int ms = 0; atomic_exchange(&reporting, true) && ms < TURN_MS; ms++)
        (void)poll(NULL, 0, 1);
    tell_safely(rt, event);
    atomic_store(&reporting, false);
}

/* ---- Handling ---- */

static void chain(const struct event *event) {
    const bool sent = event->info->si_code <= 0;
    if (coir__handler_exists(&event->action)) {
        coir__handler_call(&event->action, event->number, event->info, event->context);
    } else if (!sent) {
        (void)sigaction(event->number, &event->action, NULL); /* the instruction runs again */
    } else if (event->action.sa_handler == SIG_DFL) {
        (void)sigaction(event->number, &event->action, NULL);
        (void)raise(event->number); /* there is no such instruction */
    }
}

static void handle(int number, siginfo_t *info, void *context) {
    const struct coir__runtime *const rt = coir__rt;
    const int saved_errno = errno;
    struct event event = {.number = number, .info = info, .context = context};
    for (int i = 0; i < FAULTS; i++)
        if (faults[i] == number)
            event.action = previous[i];
    if (rt != NULL && !rt->leaves_signals) {
        if (escape != NULL && number != SIGABRT)
            siglongjmp(*escape, 1);
        report(rt, &event);
        if (event.overflow) {
            overflowed = true;
            abort();
        }
    }
    chain(&event);
    errno = saved_errno;
}

/* ---- Installing ---- */

/* Those that are ours already, because somebody has put them back, keep what was before them. */
static void install(void) {
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < FAULTS; i++) {
        struct sigaction now;
        if (sigaction(faults[i], NULL, &now) == 0 && !coir__handler_is(&now, handle)) {
            previous[i] = now;
            (void)sigaction(faults[i], &action, NULL);
        }
    }
}

/* Puts back what was there before, unless the program has put something else there since. */
static void restore(void) {
    for (int i = 0; i < FAULTS; i++) {
        struct sigaction now;
        if (sigaction(faults[i], NULL, &now) == 0 && coir__handler_is(&now, handle))
            (void)sigaction(faults[i], &previous[i], NULL);
    }
}

static void use_alternate_stack(void) {
    const size_t size = ALTERNATE_STACK_SIZE + sys_signal_frame_size();
    alternate_stack = sys_allocate(size);
    if (alternate_stack == NULL)
        return;
    const stack_t stack = {.ss_sp = alternate_stack, .ss_size = size};
    (void)sigaltstack(&stack, &previous_stack);
}

static bool is_handled(const struct coir__runtime *rt) {
    return !rt->leaves_signals && !COIR_ASAN && !COIR_TSAN;
}

void coir__fault_init(struct coir__runtime *rt) {
    if (rt->leaves_signals)
        return;
    use_alternate_stack(); /* which serves the handlers of other signals too */
    if (!is_handled(rt))
        return;
    (void)pthread_mutex_lock(&lock);
    if (users++ == 0)
        install();
    (void)pthread_mutex_unlock(&lock);
}

void coir__fault_fini(struct coir__runtime *rt) {
    if (is_handled(rt)) {
        (void)pthread_mutex_lock(&lock);
        if (--users == 0)
            restore();
        (void)pthread_mutex_unlock(&lock);
    }
    if (alternate_stack != NULL) {
        (void)sigaltstack(&previous_stack, NULL);
        sys_free(alternate_stack);
        alternate_stack = NULL;
    }
}

/* Another thread may have been at it. The handlers stay, for nobody but what was there before. */
void coir__fault_forked(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    users = 0;
}
