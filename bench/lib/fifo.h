/* The least library of tasks that a bare switch needs on top to be one: a ring of those that are
 * ready, stacks that are used again, a list of sleepers for each millisecond, a mutex. It makes
 * tasks of every subject that brings no more than a switch, and over the floor's it is the floor.
 *
 * A ring beats a linked list here: who comes next is known before the task before has been loaded.
 * A stack that is used again need not be prepared again: it waits at the end of the loop that its
 * first task began. Stacks are slots of large mappings, their tops shifted against each other so
 * that the tasks do not all fall into the same set of the cache. No guards, no checks, no names,
 * nobody can be waited for alone.
 *
 * A subject defines struct context, context_make and context_switch (see context.h), and includes
 * this file; tasks.h says what it is given. */
#ifndef BENCH_FIFO_H
#define BENCH_FIFO_H

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "context.h"
#include "tasks.h"

#define SUBJECT_STACK ((size_t)128 * 1024)
#define SUBJECT_MUTEX
#define SUBJECT_CANCEL
#define SUBJECT_PARK
#define FIFO_COLOURS 32   /* of 64 bytes each: half a page */
#define FIFO_ARENA 64     /* stacks that are mapped at once */
#define FIFO_NAPS 4096    /* milliseconds ahead; what is due after them never is */
#define FIFO_TICK 1000000 /* nanoseconds */

struct fifo_group {
    size_t alive;
    struct fiber *waiting;
};

/* Lies at the top of its stack. */
struct fiber {
    struct context context;
    struct fiber *next; /* in the list of stacks that are free, of sleepers, or of the mutex */
    int (*fn)(void *arg);
    void *arg;
    struct fifo_group *group;
};

static struct {
    struct fiber *running;
    struct fiber **ready; /* a ring; the counters below run on, their low bits are the places */
    size_t mask;          /* places, a power of two, less one */
    size_t head, tail;
    struct fiber *free;
    size_t stacks; /* that there are */
    uint64_t tick; /* all before it have been woken; 0: nobody has slept */
    size_t asleep;
    struct fiber *naps[FIFO_NAPS];       /* by the tick that they are due at */
    struct fiber *owner, *first, **last; /* of the mutex: who has it, who waits */
    struct fiber main;
} fifo;

/* ---- Ready tasks ---- */

BENCH_INLINE void fifo_push(struct fiber *fiber) {
    fifo.ready[fifo.tail++ & fifo.mask] = fiber;
}

/* The ring must not be empty. */
BENCH_INLINE void fifo_switch_to_next(void) {
    struct fiber *from = fifo.running;
    struct fiber *to = fifo.ready[fifo.head++ & fifo.mask];
    fifo.running = to;
    context_switch(&from->context, &to->context);
}

BENCH_INLINE void subject_yield(void) {
    fifo_push(fifo.running);
    fifo_switch_to_next();
}

/* ---- Sleepers ---- */

/* Makes the sleepers of the next tick that has some ready, once it is over. */
static BENCH_KEEP void fifo_wait_for_time(void) {
    if (fifo.asleep == 0)
        bench_die("fifo: all wait, and nothing can wake them", 0);
    while (fifo.naps[fifo.tick % FIFO_NAPS] == NULL)
        ++fifo.tick;
    ++fifo.tick;
    const uint64_t due = fifo.tick * FIFO_TICK;
    struct timespec until = {(time_t)(due / 1000000000), (long)(due % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    struct fiber **list = &fifo.naps[(fifo.tick - 1) % FIFO_NAPS];
    for (struct fiber *fiber = *list; fiber != NULL; fiber = fiber->next, --fifo.asleep)
        fifo_push(fiber);
    *list = NULL;
}

/* Waits for somebody to push the caller. */
BENCH_INLINE void fifo_park(void) {
    if (__builtin_expect(fifo.head == fifo.tail, 0))
        fifo_wait_for_time();
    fifo_switch_to_next();
}

typedef struct fiber *subject_waiter;

BENCH_INLINE void subject_park(subject_waiter *waiter) {
    *waiter = fifo.running;
    fifo_park();
}

BENCH_INLINE void subject_wake(subject_waiter *waiter) {
    fifo_push(*waiter);
}

/* What is due after the last tick there is waits in that of the moment, and comes by too early: no
 * measure wakes such a task but by subject_cancel. */
BENCH_SOME void subject_sleep(uint64_t ns) {
    const uint64_t now = bench_clock() / FIFO_TICK, ticks = ns / FIFO_TICK;
    if (fifo.tick == 0)
        fifo.tick = now;
    const uint64_t due = now + (ticks < FIFO_NAPS - 1 ? ticks : FIFO_NAPS - 1);
    struct fiber **list = &fifo.naps[due % FIFO_NAPS];
    fifo.running->next = *list;
    *list = fifo.running;
    ++fifo.asleep;
    fifo_park();
}

/* Ends all sleeps; those who slept go on. */
BENCH_SOME void subject_cancel(void) {
    for (size_t i = 0; i < FIFO_NAPS; ++i) {
        for (struct fiber *fiber = fifo.naps[i]; fiber != NULL; fiber = fiber->next)
            fifo_push(fiber);
        fifo.naps[i] = NULL;
    }
    fifo.asleep = 0;
}

/* ---- Birth and end ---- */

BENCH_INLINE void fifo_end(struct fiber *self) {
    self->next = fifo.free;
    fifo.free = self;
    if (--self->group->alive == 0 && self->group->waiting != NULL)
        fifo_push(self->group->waiting);
    fifo_park();
}

static void fifo_entry(void *arg) {
    struct fiber *const self = (struct fiber *)arg;
    for (;;) {
        (void)self->fn(self->arg);
        fifo_end(self);
    }
}

static void fifo_make(char *slot, size_t index) {
    char *top = slot + SUBJECT_STACK - 64 * (index % FIFO_COLOURS);
    struct fiber *fiber = (struct fiber *)(void *)(top - (sizeof *fiber + 63) / 64 * 64);
    context_make(&fiber->context, slot, (size_t)((char *)fiber - slot), fifo_entry, fiber);
    fiber->next = fifo.free;
    fifo.free = fiber;
}

/* So that all tasks and the main one may be ready at once. */
static void fifo_widen(size_t places) {
    struct fiber **const old = fifo.ready;
    const size_t old_mask = fifo.mask, count = fifo.tail - fifo.head;
    while (fifo.mask < places)
        fifo.mask = fifo.mask * 2 + 1;
    fifo.ready = (struct fiber **)calloc(fifo.mask + 1, sizeof *fifo.ready);
    if (fifo.ready == NULL)
        bench_die("calloc", errno);
    for (size_t i = 0; i < count; ++i)
        fifo.ready[i] = old[(fifo.head + i) & old_mask];
    fifo.head = 0;
    fifo.tail = count;
    free(old);
}

static BENCH_KEEP void fifo_make_stacks(void) {
    const size_t size = FIFO_ARENA * SUBJECT_STACK;
    char *stacks = (char *)mmap(NULL, size, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        bench_die("mmap", errno);
    (void)madvise(stacks, size, MADV_NOHUGEPAGE);
    for (size_t i = FIFO_ARENA; i-- > 0;)
        fifo_make(stacks + i * SUBJECT_STACK, i);
    fifo.stacks += FIFO_ARENA;
    if (fifo.stacks >= fifo.mask)
        fifo_widen(fifo.stacks + 1);
}

BENCH_INLINE struct fiber *fifo_start(struct fifo_group *group, int (*fn)(void *arg), void *arg) {
    if (__builtin_expect(fifo.free == NULL, 0))
        fifo_make_stacks();
    struct fiber *const fiber = fifo.free;
    fifo.free = fiber->next;
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->group = group;
    fifo_push(fiber);
    return fiber;
}

BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg) {
    fifo.running = &fifo.main;
    fn(arg);
}

BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg)) {
    struct fifo_group group = {count, NULL};
    for (size_t i = 0; i < count; ++i)
        (void)fifo_start(&group, fn, (void *)i);
    group.waiting = fifo.running;
    if (count != 0)
        fifo_park();
}

/* ---- The mutex: handed over, first come first served ---- */

BENCH_INLINE void subject_lock(void) {
    if (fifo.owner == NULL) {
        fifo.owner = fifo.running;
        return;
    }
    if (fifo.first == NULL)
        fifo.last = &fifo.first;
    fifo.running->next = NULL;
    *fifo.last = fifo.running;
    fifo.last = &fifo.running->next;
    fifo_park();
}

BENCH_INLINE void subject_unlock(void) {
    fifo.owner = fifo.first;
    if (fifo.first != NULL) {
        fifo.first = fifo.first->next;
        fifo_push(fifo.owner);
    }
}

#endif
