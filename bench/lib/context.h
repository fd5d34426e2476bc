/* The contract between a subject that brings nothing but a switch and what is made of it (switch.h,
 * fifo.h). A subject's adapter defines:
 *
 *   struct context { ... };
 *       a suspended flow of control
 *   BENCH_SOME void context_make(struct context *context, void *stack, size_t size_bytes,
 *                                context_fn fn, void *arg);
 *       the first switch to it calls fn(arg), which never returns
 *   BENCH_INLINE void context_switch(struct context *from, struct context *to);
 *       suspends the caller into `from`, resumes `to`
 *   CONTEXT_KEEPS_FP
 *       if that keeps the floating-point environment of each */
#ifndef BENCH_CONTEXT_H
#define BENCH_CONTEXT_H

typedef void (*context_fn)(void *arg);

#endif
