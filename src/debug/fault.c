/* A fault in the guard of a task's stack becomes a message that names the task.
 *
 * SIGSEGV and SIGBUS are handled on an alternate stack, for as long as some runtime of the process
 * runs. A fault elsewhere goes to the action that was there before. A sanitizer reports overflows
 * itself, and keeps its own handlers. */
#include <pthread.h>
#include <string.h>

#include "core/runtime.h"

#define ALTERNATE_STACK_SIZE ((size_t)64 * 1024)

static const int faults[] = {SIGSEGV, SIGBUS};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction previous[FAULTS];
static __thread stack_t previous_stack;
static __thread void *alternate_stack;

/* Without stdio and without allocation: this runs in a signal handler. */
static void print(const char *text) {
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static void print_number(uint64_t number, unsigned base) {
    char digits[24];
    char *place = digits + sizeof digits;
    *--place = '\0';
    do {
        *--place = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    print(place);
}

static void report_overflow(const struct coir__task *task) {
    print("coir: fatal: stack overflow in task ");
    if (task->name[0] != '\0') {
        print("'");
        print(task->name);
        print("'");
    } else {
        print("(unnamed, entry function at 0x");
        print_number((uint64_t)(uintptr_t)task->fn, 16);
        print(")");
    }
    print(": it used more than its ");
    print_number(task->shadow.size_bytes, 10);
    print(" bytes; give it more with coir_spawn_with(.stack_size_bytes = ...), or all tasks with "
          "coir_options\n");
}

static void chain(int number, siginfo_t *info, void *context, const struct sigaction *action) {
    if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(number, info, context);
    } else if (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN) {
        (void)sigaction(number, action, NULL); /* the instruction runs again, and dies of it */
        if (info->si_code <= 0)
            (void)raise(number); /* it was sent: there is no such instruction */
    } else {
        action->sa_handler(number);
    }
}

static void handle(int number, siginfo_t *info, void *context) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt != NULL && rt->current != &rt->loop) {
        size_t size;
        const char *const guard = coir__stack_guard(rt->current, &size);
        const char *const address = info->si_addr;
        if (address >= guard && address < guard + size) {
            report_overflow(rt->current);
            abort();
        }
    }
    for (int i = 0; i < FAULTS; i++)
        if (faults[i] == number)
            chain(number, info, context, &previous[i]);
}

/* Puts back what was there before, unless the program has put something else there since. */
static void restore(void) {
    for (int i = 0; i < FAULTS; i++) {
        struct sigaction now;
        if (sigaction(faults[i], NULL, &now) == 0 && now.sa_sigaction == handle)
            (void)sigaction(faults[i], &previous[i], NULL);
    }
}

static void use_alternate_stack(void) {
    alternate_stack = sys_allocate(ALTERNATE_STACK_SIZE);
    if (alternate_stack == NULL)
        return;
    const stack_t stack = {.ss_sp = alternate_stack, .ss_size = ALTERNATE_STACK_SIZE};
    (void)sigaltstack(&stack, &previous_stack);
}

void coir__fault_init(struct coir__runtime *rt) {
    (void)rt;
    if (COIR_ASAN || COIR_TSAN)
        return;
    use_alternate_stack();
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    (void)pthread_mutex_lock(&lock);
    if (users++ == 0)
        for (int i = 0; i < FAULTS; i++)
            (void)sigaction(faults[i], &action, &previous[i]);
    (void)pthread_mutex_unlock(&lock);
}

void coir__fault_fini(struct coir__runtime *rt) {
    (void)rt;
    if (COIR_ASAN || COIR_TSAN)
        return;
    (void)pthread_mutex_lock(&lock);
    if (--users == 0)
        restore();
    (void)pthread_mutex_unlock(&lock);
    if (alternate_stack != NULL) {
        (void)sigaltstack(&previous_stack, NULL);
        sys_free(alternate_stack);
        alternate_stack = NULL;
    }
}
