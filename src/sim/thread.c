/* Threads without threads: each is a context that runs when its time has come, by an event, until
 * it waits or pauses; so their steps fall between those of the runtime as the seed has it.
 *
 * What belongs to a thread (errno, the runtime, the job) is exchanged at each switch. The runtime's
 * own thread, where it has to wait for a mutex or a thread, lets events happen until it need not.
 * A mutex that was not initialised within the world is a real one. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "coir/context.h"
#include "io/offload.h"
#include "sim/calls.h"
#include "sim/sim.h"

/* As that of a real one, of which pages are used as needed. */
#define STACK_SIZE ((size_t)8 << 20)
#define GUARD_SIZE ((size_t)64 << 10)
#define START_TIME COIR_US(100)
#define MUTEX_MAGIC UINT64_C(0x636f6972206d7578)

struct coir__sim_thread {
    struct coir__sim_object object; /* the list, whoever may join, and events hold a reference */
    struct coir__link link;         /* in the world's list, until it has ended */
    coir_context context, resumer;  /* its own while it does not run; where it was resumed from */
    void *stack;
    void *(*fn)(void *);
    void *arg, *result;
    const void *waits_for; /* a mutex or a condition, or NULL */
    int saved_errno;
    struct coir__job *job;
    bool ended;
#if COIR_ASAN
    void *fake, *resumer_fake;
    const void *resumer_low;
    size_t resumer_size;
#endif
#if COIR_TSAN
    void *fiber, *resumer_fiber;
#endif
};

/* In the memory of a pthread_mutex_t. */
struct mutex {
    uint64_t magic;
    const void *owner; /* a thread, or the world for the runtime's own */
};
_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "there is room for it");

/* ---- Switching ---- */

/* Stacks are kept for the next thread, of this world or a later one. */
static __thread void *spare_stack;

static void *take_stack(void) {
    void *const spare = spare_stack;
    if (spare != NULL) {
        memcpy(&spare_stack, (char *)spare + STACK_SIZE - sizeof spare_stack, sizeof spare_stack);
        return spare;
    }
    char *const low = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (low == MAP_FAILED || mprotect(low, GUARD_SIZE, PROT_NONE) != 0)
        coir__sim_fatal("there is no memory for the stack of a simulated thread");
    char *const stack = low + GUARD_SIZE;
    (void)sanitizer_valgrind_register(stack, stack + STACK_SIZE);
    return stack;
}

static void give_stack(void *stack) {
    sanitizer_stack_cleared(stack, STACK_SIZE);
    memcpy((char *)stack + STACK_SIZE - sizeof spare_stack, &spare_stack, sizeof spare_stack);
    spare_stack = stack;
}

static void destroy_thread(struct coir__sim_object *object) {
    struct coir__sim_thread *const thread = (struct coir__sim_thread *)object;
#if COIR_TSAN
    __tsan_destroy_fiber(thread->fiber);
#endif
    give_stack(thread->stack);
    free(thread);
}

static void arrived(struct coir__sim_thread *self) {
#if COIR_ASAN
    __sanitizer_finish_switch_fiber(self->fake, &self->resumer_low, &self->resumer_size);
#else
    (void)self;
#endif
}

/* In a thread: back to whoever resumed it. */
static void suspend(struct coir__sim_thread *self) {
#if COIR_ASAN
    __sanitizer_start_switch_fiber(self->ended ? NULL : &self->fake, self->resumer_low,
                                   self->resumer_size);
#endif
#if COIR_TSAN
    __tsan_switch_to_fiber(self->resumer_fiber, 0);
#endif
    (void)coir_context_switch(&self->context, &self->resumer, NULL);
    arrived(self);
}

static void resume(struct coir__sim_object *object, uint64_t unused) {
    struct coir__sim_thread *const thread = (struct coir__sim_thread *)object;
    struct coir__sim *const sim = coir__sim;
    (void)unused;
    if (thread->ended)
        return;
    struct coir__runtime *const rt = coir__rt;
    struct coir__job *const job = coir__current_job;
    const int saved_errno = errno;
    sim->thread = thread;
    coir__rt = NULL;
    coir__current_job = thread->job;
    errno = thread->saved_errno;
#if COIR_ASAN
    __sanitizer_start_switch_fiber(&thread->resumer_fake, thread->stack, STACK_SIZE);
#endif
#if COIR_TSAN
    thread->resumer_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(thread->fiber, 0);
#endif
    (void)coir_context_switch(&thread->resumer, &thread->context, NULL);
#if COIR_ASAN
    __sanitizer_finish_switch_fiber(thread->resumer_fake, NULL, NULL);
#endif
    thread->saved_errno = errno;
    thread->job = coir__current_job;
    sim->thread = NULL;
    coir__rt = rt;
    coir__current_job = job;
    errno = saved_errno;
}

static void resume_after(struct coir__sim_thread *thread, coir_time delay) {
    coir__sim_at(coir__sim->now + delay, resume, thread, 0);
}

void coir__sim_pause(coir_time duration) {
    struct coir__sim_thread *const self = coir__sim->thread;
    if (self == NULL)
        return;
    resume_after(self, duration);
    suspend(self);
}

/* Waits until somebody wakes those who wait for `object`. */
static void wait_for(struct coir__sim_thread *self, const void *object) {
    self->waits_for = object;
    while (self->waits_for != NULL)
        suspend(self);
}

/* Wakes the n-th of those who wait for the object, or all; false if there is none such. */
static bool wake(const void *object, uint32_t n, bool all) {
    bool any = false;
    struct coir__link *const threads = &coir__sim->threads;
    for (struct coir__link *link = threads->next; link != threads; link = link->next) {
        struct coir__sim_thread *const thread = list_entry(link, struct coir__sim_thread, link);
        if (thread->waits_for != object || (!all && n-- > 0))
            continue;
        thread->waits_for = NULL;
        resume_after(thread, coir__sim_draw_time(COIR_US(20)));
        any = true;
        if (!all)
            break;
    }
    return any;
}

static uint32_t count_waiting(const void *object) {
    uint32_t count = 0;
    struct coir__link *const threads = &coir__sim->threads;
    for (struct coir__link *link = threads->next; link != threads; link = link->next)
        count += list_entry(link, struct coir__sim_thread, link)->waits_for == object;
    return count;
}

static uint32_t count_all_waiting(void) {
    uint32_t count = 0;
    struct coir__link *const threads = &coir__sim->threads;
    for (struct coir__link *link = threads->next; link != threads; link = link->next)
        count += list_entry(link, struct coir__sim_thread, link)->waits_for != NULL;
    return count;
}

/* Lets the next event happen, for the runtime's own thread, which waits for `what`. */
static void wait_outside(const char *what) {
    if (!coir__sim_step(COIR_NEVER))
        coir__sim_fatal("the thread of the runtime waits for %s for ever", what);
}

/* ---- Threads ---- */

static void run(void *value, void *arg) {
    struct coir__sim_thread *const self = arg;
    (void)value;
#if COIR_ASAN
    __sanitizer_finish_switch_fiber(NULL, &self->resumer_low, &self->resumer_size);
#endif
    self->result = self->fn(self->arg);
    self->ended = true;
    list_take(&self->link);
    coir__sim->report.threads_left--;
    coir__sim_drop(self); /* the event that resumed it holds another reference */
    suspend(self);
    __builtin_unreachable();
}

int coir__sim_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*fn)(void *),
                             void *arg) {
    struct coir__sim *const sim = coir__sim;
    if (sim == NULL)
        return pthread_create(out, attributes, fn, arg);
    if (coir__sim_failure(COIR_SIM_NO_THREAD, COIR_SIM_ERRORS(EAGAIN)) < 0)
        return EAGAIN;
    struct coir__sim_thread *const thread = coir__sim_allocate(sizeof *thread);
    /* One reference is the list's, the other belongs to whoever joins or detaches it. */
    thread->object = (struct coir__sim_object){.references = 2, .destroy = destroy_thread};
    thread->stack = take_stack();
#if COIR_TSAN
    thread->fiber = __tsan_create_fiber(0);
#endif
    thread->fn = fn;
    thread->arg = arg;
    if (coir_context_init(&thread->context, thread->stack, STACK_SIZE, run, thread) < 0)
        coir__sim_fatal("a simulated thread cannot be set up");
    list_append(&sim->threads, &thread->link);
    sim->report.threads_left++;
    resume_after(thread, coir__sim_draw_time(START_TIME));
    *out = (pthread_t)(uintptr_t)thread;
    return 0;
}

int coir__sim_pthread_join(pthread_t handle, void **result) {
    if (coir__sim == NULL)
        return pthread_join(handle, result);
    struct coir__sim_thread *const thread = (struct coir__sim_thread *)(uintptr_t)handle;
    while (!thread->ended)
        wait_outside("the end of another");
    if (result != NULL)
        *result = thread->result;
    coir__sim_drop(thread);
    return 0;
}

int coir__sim_pthread_detach(pthread_t handle) {
    if (coir__sim == NULL)
        return pthread_detach(handle);
    coir__sim_drop((struct coir__sim_thread *)(uintptr_t)handle);
    return 0;
}

size_t coir__sim_threads_fini(void) {
    while (!list_empty(&coir__sim->threads) && coir__sim_step(COIR_NEVER))
        ;
    return coir__sim->report.threads_left;
}

size_t coir__sim_threads_busy(void) {
    return (size_t)coir__sim->report.threads_left - count_all_waiting();
}

/* ---- Mutexes ---- */

static struct mutex *simulated(pthread_mutex_t *mutex) {
    struct mutex *const it = (struct mutex *)(void *)mutex;
    return coir__sim != NULL && it->magic == MUTEX_MAGIC ? it : NULL;
}

int coir__sim_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    if (coir__sim == NULL)
        return pthread_mutex_init(mutex, attributes);
    *(struct mutex *)(void *)mutex = (struct mutex){.magic = MUTEX_MAGIC};
    return 0;
}

int coir__sim_pthread_mutex_destroy(pthread_mutex_t *mutex) {
    struct mutex *const it = simulated(mutex);
    if (it == NULL)
        return pthread_mutex_destroy(mutex);
    if (it->owner != NULL || count_waiting(it) > 0)
        coir__sim_fatal("a mutex is destroyed while it is in use");
    it->magic = 0;
    return 0;
}

int coir__sim_pthread_mutex_lock(pthread_mutex_t *mutex) {
    struct mutex *const it = simulated(mutex);
    if (it == NULL)
        return pthread_mutex_lock(mutex);
    struct coir__sim_thread *const self = coir__sim->thread;
    if (self != NULL && coir__sim_draw(4) == 0)
        coir__sim_pause(coir__sim_draw_time(COIR_US(20)));
    const void *const me = self != NULL ? (const void *)self : coir__sim;
    if (it->owner == me)
        coir__sim_fatal("a thread locks a mutex that it holds");
    while (it->owner != NULL) {
        if (self != NULL)
            wait_for(self, it);
        else
            wait_outside("a mutex");
    }
    it->owner = me;
    if (self != NULL && coir__sim_draw(4) == 0) /* others come while it is held */
        coir__sim_pause(coir__sim_draw_time(COIR_US(20)));
    return 0;
}

int coir__sim_pthread_mutex_unlock(pthread_mutex_t *mutex) {
    struct mutex *const it = simulated(mutex);
    if (it == NULL)
        return pthread_mutex_unlock(mutex);
    struct coir__sim_thread *const self = coir__sim->thread;
    if (it->owner != (self != NULL ? (const void *)self : coir__sim))
        coir__sim_fatal("a thread unlocks a mutex that it does not hold");
    it->owner = NULL;
    const uint32_t waiting = count_waiting(it);
    if (waiting > 0)
        (void)wake(it, coir__sim_draw(waiting), false);
    if (self != NULL && coir__sim_draw(4) == 0)
        coir__sim_pause(coir__sim_draw_time(COIR_US(20)));
    return 0;
}

/* ---- Conditions: nothing but their address is needed ---- */

int coir__sim_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes) {
    return coir__sim == NULL ? pthread_cond_init(cond, attributes) : 0;
}

int coir__sim_pthread_cond_destroy(pthread_cond_t *cond) {
    if (coir__sim == NULL)
        return pthread_cond_destroy(cond);
    if (count_waiting(cond) > 0)
        coir__sim_fatal("a condition is destroyed while threads wait for it");
    return 0;
}

static void wake_for_nothing(struct coir__sim_object *object, uint64_t cond) {
    struct coir__sim_thread *const thread = (struct coir__sim_thread *)object;
    if (thread->waits_for == NULL || (uint64_t)(uintptr_t)thread->waits_for != cond)
        return;
    thread->waits_for = NULL;
    resume(object, 0);
}

int coir__sim_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex) {
    if (coir__sim == NULL)
        return pthread_cond_wait(cond, mutex);
    if (coir__sim->thread == NULL)
        coir__sim_fatal("the thread of the runtime waits on a condition");
    struct coir__sim_thread *const self = coir__sim->thread;
    /* Before it unlocks, because that may be where another signals. */
    self->waits_for = cond;
    struct mutex *const it = simulated(mutex);
    it->owner = NULL;
    const uint32_t waiting = count_waiting(it);
    if (waiting > 0)
        (void)wake(it, coir__sim_draw(waiting), false);
    if (coir__sim_draw(16) == 0)
        coir__sim_at(coir__sim->now + coir__sim_draw_time(COIR_MS(1)), wake_for_nothing, self,
                     (uint64_t)(uintptr_t)cond);
    while (self->waits_for != NULL)
        suspend(self);
    return coir__sim_pthread_mutex_lock(mutex);
}

int coir__sim_pthread_cond_signal(pthread_cond_t *cond) {
    if (coir__sim == NULL)
        return pthread_cond_signal(cond);
    const uint32_t waiting = count_waiting(cond);
    if (waiting > 0)
        (void)wake(cond, coir__sim_draw(waiting), false);
    return 0;
}

int coir__sim_pthread_cond_broadcast(pthread_cond_t *cond) {
    if (coir__sim == NULL)
        return pthread_cond_broadcast(cond);
    (void)wake(cond, 0, true);
    return 0;
}
