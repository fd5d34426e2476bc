/* The contract between a subject that brings nothing but a switch and the measures that need no
 * more (switch.h, fifo.h). A subject's adapter defines:
 *
 *   struct context { ... };
 *       a suspended flow of control
 *   static void context_make(struct context *context, void *stack, size_t size_bytes,
 *                            context_fn fn, void *arg);
 *       the first switch to it calls fn(arg), which never returns
 *   BENCH_INLINE void context_switch(struct context *from, struct context *to);
 *       suspends the caller into `from`, resumes `to` */
#ifndef BENCH_CONTEXT_H
#define BENCH_CONTEXT_H

typedef void (*context_fn)(void *arg);

#endif
