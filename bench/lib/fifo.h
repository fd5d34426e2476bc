/* The least scheduler that can yield: a first-in-first-out ring of pointers over a bare switch. A
 * ring beats a linked list here: who comes next is known before the task before has been loaded. It
 * is the yield measure of every subject that has no scheduler of its own, and the floor.
 *
 * A subject defines struct context, context_make and context_switch (see context.h), includes this
 * file, and calls yield_main from main. Stacks are slots of one mapping, their tops shifted against
 * each other so that the tasks do not all fall into the same set of the cache. */
#ifndef BENCH_FIFO_H
#define BENCH_FIFO_H

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define FIFO_SLOT ((size_t)32 * 1024)
#define FIFO_COLOURS 32 /* of 64 bytes each: half a page */

struct fiber {
    struct context context;
    size_t index;
};

static struct {
    struct fiber *running;
    struct fiber **ready; /* a ring; the counters below run on, their low bits are the places */
    size_t mask;          /* places, a power of two, less one */
    size_t head, tail;
    struct fiber main;
} fifo;

BENCH_INLINE void fifo_push(struct fiber *fiber) {
    fifo.ready[fifo.tail++ & fifo.mask] = fiber;
}

/* The queue must not be empty. */
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

#include "yield.h"

static void fifo_entry(void *arg) {
    struct fiber *fiber = arg;
    (void)yield_body((void *)fiber->index);
    if (fifo.head == fifo.tail)
        fifo_push(&fifo.main);
    fifo_switch_to_next();
}

/* The fiber itself lies at the top of its stack. */
static struct fiber *fifo_make(char *slot, size_t index) {
    char *top = slot + FIFO_SLOT - 64 * (index % FIFO_COLOURS);
    struct fiber *fiber = (struct fiber *)(void *)(top - 128);
    _Static_assert(sizeof *fiber <= 128, "the fiber must fit above its stack");
    fiber->index = index;
    context_make(&fiber->context, slot, (size_t)((char *)fiber - slot), fifo_entry, fiber);
    return fiber;
}

static void fifo_allocate(size_t places) {
    fifo.mask = 1;
    while (fifo.mask < places)
        fifo.mask = fifo.mask * 2 + 1;
    fifo.ready = calloc(fifo.mask + 1, sizeof(struct fiber *));
    if (fifo.ready == NULL)
        bench_die("calloc", errno);
    fifo.head = fifo.tail = 0;
}

static void subject_run(size_t tasks) {
    if (tasks == 0)
        return;
    const size_t size = tasks * FIFO_SLOT;
    char *stacks = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        bench_die("mmap", errno);
    (void)madvise(stacks, size, MADV_NOHUGEPAGE);
    fifo_allocate(tasks + 1);
    for (size_t i = 0; i < tasks; ++i)
        fifo_push(fifo_make(stacks + i * FIFO_SLOT, i));
    fifo.running = &fifo.main;
    fifo_switch_to_next();
    munmap(stacks, size);
    free(fifo.ready);
}

#endif
