/* The saved frame of a suspended context on aarch64: what switch.S stores, lowest address first.
 *
 *      higher addresses
 *      | caller's frame ...   |  <- stack pointer after resuming
 *      | d8 to d15            |
 *      | x19 to x28           |
 *      | x30  return address  |
 *      | x29  frame pointer   |  <- context->sp, a frame record
 *
 * These are the registers that AAPCS64 (sections 6.1.1 and 6.1.2) has a callee keep.
 * Included by C (to build the first frame, to read a suspended one, and to switch in the middle of
 * a function) and by nothing else. */
#ifndef COIR_ARCH_AARCH64_FRAME_H
#define COIR_ARCH_AARCH64_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct coir_frame {
    uint64_t x29, x30;
    uint64_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28;
    uint64_t d8, d9, d10, d11, d12, d13, d14, d15;
};

_Static_assert(sizeof(struct coir_frame) == 160, "switch.S moves sp by 160, a multiple of 16");
_Static_assert(offsetof(struct coir_frame, x29) == 0, "the frame record is lowest");
_Static_assert(offsetof(struct coir_frame, x30) == 8, "x30 completes the frame record");
_Static_assert(offsetof(struct coir_frame, x19) == 16, "x19 to x28 follow");
_Static_assert(offsetof(struct coir_frame, x28) == 88, "in the order of their numbers");
_Static_assert(offsetof(struct coir_frame, d8) == 96, "d8 to d15 lie above them");
_Static_assert(offsetof(struct coir_frame, d15) == 152, "up to the end of the frame");

/* X(name) of each word, for tools that restore the registers. */
/* clang-format off */
#define COIR_FRAME_REGISTERS(X)                                                                    \
    X(x29) X(x30) X(x19) X(x20) X(x21) X(x22) X(x23) X(x24) X(x25) X(x26) X(x27) X(x28)            \
    X(d8) X(d9) X(d10) X(d11) X(d12) X(d13) X(d14) X(d15)
/* clang-format on */

#define COIR_STACK_ALIGNMENT 16
#define COIR_GUARD_SIZE ((size_t)64 * 1024) /* the probe interval, and the largest page */
#define COIR_CACHE_LINE 64

void coir__entry(void);
#define COIR_ENTRY_PAD 4   /* bytes of its landing pad, behind which a fresh stack starts */
#define COIR_ENTRY_SIZE 32 /* of all of it, at most */

/* Writes the first frame below `top`, such that resuming it calls fn(value, arg, context) from the
 * base frame, and returns the stack pointer to resume. */
static inline void *coir__frame_init(void *top, void (*fn)(void *, void *), void *arg) {
    const uintptr_t base = (uintptr_t)top & ~(uintptr_t)(COIR_STACK_ALIGNMENT - 1);
    struct coir_frame *frame = (struct coir_frame *)(base - sizeof *frame);
    *frame = (struct coir_frame){
        .x19 = (uint64_t)(uintptr_t)fn,
        .x20 = (uint64_t)(uintptr_t)arg,
        .x30 = (uint64_t)(uintptr_t)&coir__entry + COIR_ENTRY_PAD,
    };
    return frame;
}

/* The same on a `top` that is aligned, quickly: `arg`, which fn does not look at, and registers
 * that mean nothing yet are what happens to lie there. */
static inline void *coir__frame_renew(void *top, void (*fn)(void *, void *, coir_context *)) {
    struct coir_frame *frame = (struct coir_frame *)top - 1;
    frame->x19 = (uint64_t)(uintptr_t)fn;
    frame->x29 = 0;
    frame->x30 = (uint64_t)(uintptr_t)&coir__entry + COIR_ENTRY_PAD;
    return frame;
}

/* The switch where it is not the last thing that a function does. It ends in `ret`, which takes off
 * the return predictor what the call put there. */
__attribute__((always_inline)) static inline int
coir__switch_inside(coir_context *from, const coir_context *to, long value) {
    return coir__switch(from, to, value);
}

/* The floating-point control word: FPCR. The status flags are a register of their own, FPSR. */
struct coir_fp {
    uint64_t fpcr;
};

static inline struct coir_fp coir__fp_get(void) {
    struct coir_fp fp;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fp.fpcr));
    return fp;
}

static inline void coir__fp_set(struct coir_fp fp) {
    __asm__ volatile("msr fpcr, %0" : : "r"(fp.fpcr));
}

static inline int coir__fp_equal(struct coir_fp a, struct coir_fp b) {
    return a.fpcr == b.fpcr;
}

#endif
