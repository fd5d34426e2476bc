/* The contract between a library of tasks (of green threads, fibers, threads) and the measures in
 * shapes/, each of which is compiled once with every adapter. An adapter defines:
 *
 *   BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg);
 *       calls fn as the first task of a runtime; returns when all has ended
 *   BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg));
 *       starts `count` tasks that run fn((void *)i), i from 0, and waits for all of them
 *   BENCH_INLINE void subject_yield(void);
 *   BENCH_SOME void subject_sleep(uint64_t ns);
 *   SUBJECT_STACK
 *       the stack it gives a task where that has to be chosen, in bytes
 *
 * and, if it has a mutex, SUBJECT_MUTEX and
 *
 *   BENCH_INLINE void subject_lock(void);
 *   BENCH_INLINE void subject_unlock(void);
 *       for one mutex
 *
 * and, if tasks can be cancelled, SUBJECT_CANCEL and
 *
 *   BENCH_SOME void subject_cancel(void);
 *       ends the sleep, or all of it, of each task that the last subject_all started but the caller
 *
 * and, if a task can wait for another one to wake it, SUBJECT_PARK and
 *
 *   subject_waiter
 *       what is kept of such a wait, in the task's frame
 *   BENCH_INLINE void subject_park(subject_waiter *waiter);
 *   BENCH_INLINE void subject_wake(subject_waiter *waiter);
 *
 * with struct context, context_make and context_switch of its bare switch (see context.h); and, if
 * it has deadlines, SUBJECT_DEADLINE and
 *
 *   BENCH_SOME void subject_deadline(uint64_t count, void *arg);
 *       arms and disarms one so many times
 *
 * A program is compiled as C or, for adapters in C++, as C++. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include "bench.h"

#endif
