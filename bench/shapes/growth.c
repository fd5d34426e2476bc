/* What the same thing costs the more tasks there are.
 *
 * A case is a number of tasks, N. Figures, the first of each task, the others of one operation:
 *
 *   N start        to start a task and have it park, on memory that the kernel has yet to give
 *   N resident     bytes that it takes up, parked
 *   N page tables  and those of the page tables for them
 *   N wake         one of N parked tasks is woken, runs and parks again; all in turn
 *   N yield        one yield of one of N tasks
 *   N spawn        one more task is started, runs and is waited for, while N are parked
 *   N timer        a deadline is armed and disarmed, while N tasks sleep
 *   N switch       one bare switch around a ring of N contexts
 *
 * Instructions are the same whatever N is (make check-perf counts them); what grows are misses of
 * the caches and of the TLB, which the floor has as well. */
#include SUBJECT

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef SUBJECT_PARK
int main(void) {
    fprintf(stderr, "its tasks cannot park and be woken one by one\n");
    return BENCH_CANNOT;
}
#else
#define BYTES_NEEDED 12000 /* per task, before it is tried */

static enum { PARKED, YIELDING, ASLEEP } mode;
static size_t expected, arrived;
static subject_waiter **waiting;

static void report(const char *what, const char *unit, double value) {
    char name[64];
    snprintf(name, sizeof name, "%zu %s", expected, what);
    bench_report(name, unit, value);
}

static void follow(size_t index) {
    subject_waiter waiter;
    waiting[index] = &waiter;
    for (;;) {
        ++arrived;
        subject_park(&waiter);
        while (mode == YIELDING)
            subject_yield();
        if (mode == ASLEEP)
            subject_sleep((uint64_t)(3600 + index % 3600) * 1000000000);
    }
}

/* ---- What the last task does, when all others are parked ---- */

static void wake_all(uint64_t rounds, void *arg) {
    (void)arg;
    for (; rounds != 0; --rounds) {
        arrived = 0;
        for (size_t i = 0; i < expected; ++i)
            subject_wake(waiting[i]);
        while (arrived < expected && mode == PARKED)
            subject_yield();
    }
}

static void yield_all(uint64_t rounds, void *arg) {
    (void)arg;
    for (; rounds != 0; --rounds)
        subject_yield();
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static void spawn_one(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count)
        subject_all(1, nothing);
}

static void measure_tasks(void) {
    const double count = (double)expected;
    report("wake", "ns", bench_ns(wake_all, NULL) / count);
    report("spawn", "ns", bench_ns(spawn_one, NULL));
    mode = YIELDING;
    wake_all(1, NULL);
    report("yield", "ns", bench_ns(yield_all, NULL) / (count + 1));
    mode = PARKED;
    subject_yield();
#ifdef SUBJECT_DEADLINE
    mode = ASLEEP;
    wake_all(1, NULL);
    subject_yield();
    report("timer", "ns", bench_ns(subject_deadline, NULL));
#endif
}

/* ---- The ring of contexts ---- */

#define RING_SLOT ((size_t)16 * 1024)
#define RING_COLOURS 32

struct ring_place {
    struct context context;
    struct ring_place *next;
};

static void ring_body(void *arg) {
    struct ring_place *const self = arg;
    for (;;)
        context_switch(&self->context, &self->next->context);
}

static struct ring_place *ring_add(char *slot, size_t index, struct ring_place *next) {
    char *const top = slot + RING_SLOT - 64 * (index % RING_COLOURS);
    struct ring_place *const place =
        (struct ring_place *)(void *)(top - sizeof *place / 64 * 64 - 64);
    place->next = next;
    context_make(&place->context, slot, (size_t)((char *)place - slot), ring_body, place);
    return place;
}

static void ring_turns(uint64_t rounds, void *arg) {
    struct ring_place *const self = arg;
    for (; rounds != 0; --rounds)
        context_switch(&self->context, &self->next->context);
}

static void measure_ring(void) {
    struct ring_place self, *first = &self;
    const size_t size = expected * RING_SLOT;
    char *const stacks = mmap(NULL, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        bench_die("mmap", errno);
    (void)madvise(stacks, size, MADV_NOHUGEPAGE);
    for (size_t i = expected; i-- > 0;)
        first = ring_add(stacks + i * RING_SLOT, i, first);
    self.next = first;
    report("switch", "ns", bench_ns(ring_turns, &self) / ((double)expected + 1));
    munmap(stacks, size);
}

/* ---- All of it ---- */

static struct bench_memory before;
static uint64_t begin;

static int take_part(void *arg) {
    const size_t index = (size_t)arg;
    if (index < expected)
        follow(index);
    struct bench_memory during;
    report("start", "ns", (double)(bench_clock() - begin) / (double)expected);
    bench_memory_read(&during);
    report("resident", "bytes", (during.resident - before.resident) / (double)expected);
    report("page tables", "bytes", (during.page_tables - before.page_tables) / (double)expected);
    measure_tasks();
    _exit(0);
}

static void measure(void *arg) {
    (void)arg;
    bench_memory_read(&before);
    begin = bench_clock();
    subject_all(expected + 1, take_part);
}

int main(int argc, char **argv) {
    if (argc != 2)
        bench_die("usage: growth-SUBJECT TASKS", 0);
    bench_pin("BENCH_CPU");
    expected = bench_number(argv[1], NULL);
    if (bench_memory_available() < (double)BYTES_NEEDED * (double)expected) {
        fprintf(stderr, "%s tasks need %.1f GB of free memory\n", argv[1],
                BYTES_NEEDED * (double)expected / 1e9);
        return BENCH_CANNOT;
    }
    waiting = calloc(expected, sizeof *waiting);
    if (expected == 0 || waiting == NULL)
        bench_die("calloc", errno);
    memset(waiting, 1, expected * sizeof *waiting); /* so that it does not count as the tasks' */
    measure_ring();
    subject_enter(measure, NULL);
    return 0;
}
#endif
