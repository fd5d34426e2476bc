/* The least switch there is: three words stored, three loaded, a jump. All other registers are
 * given up by the compiler around it, which costs nothing where it holds nothing in them. Nothing
 * can unwind it, and it works only where the compiler sees both sides: a floor, no switch to use.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stddef.h>

#include "../lib/bench.h"
#include "../lib/context.h"

#ifndef __x86_64__
#error "the floor is written for x86_64"
#endif

#ifdef __AVX512F__
#define FLOOR_CLOBBERS_AVX512                                                                      \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",  \
        "k7"
#else
#define FLOOR_CLOBBERS_AVX512
#endif

struct context {
    void *sp, *bp; /* at offsets 0 and 8, as the assembly below has them */
    void (*pc)(struct context *from, const struct context *self); /* at offset 16 */
    context_fn fn;
    void *arg;
};

BENCH_INLINE void context_switch(struct context *from, struct context *to) {
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "movq %%rax, 16(%0)\n\t"
                     "movq 0(%1), %%rsp\n\t"
                     "movq 8(%1), %%rbp\n\t"
                     "jmpq *16(%1)\n"
                     "1:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15" FLOOR_CLOBBERS_AVX512, "memory", "cc");
}

/* Entered by the jump above, with its operands still in the argument registers. */
static __attribute__((used)) void context_entry(struct context *from, const struct context *self) {
    (void)from;
    self->fn(self->arg);
}

BENCH_SOME void context_make(struct context *context, void *stack, size_t size_bytes, context_fn fn,
                             void *arg) {
    const size_t top = ((size_t)stack + size_bytes) & ~(size_t)15;
    context->sp =
        (void *)(top - 8); /* as after a call: the ABI's alignment at a function's entry */
    context->bp = NULL;
    context->pc = context_entry;
    context->fn = fn;
    context->arg = arg;
}

#endif
