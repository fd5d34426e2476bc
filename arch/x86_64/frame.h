/* The saved frame of a suspended context on x86_64: what switch.S pushes, lowest address first.
 *
 *      higher addresses
 *      | caller's frame ...   |  <- stack pointer after resuming
 *      | rip  return address  |
 *      | rbp                  |
 *      | rbx                  |
 *      | r12                  |
 *      | r13                  |
 *      | r14                  |
 *      | r15                  |  <- context->sp
 *
 * The six registers are those that the System V ABI (x86-64 psABI, section 3.2.1) has a callee
 * keep. Included by C (to build the first frame, to read a suspended one, and to switch in the
 * middle of a function) and by nothing else. */
#ifndef COIR_ARCH_X86_64_FRAME_H
#define COIR_ARCH_X86_64_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct coir_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t rip;
};

_Static_assert(sizeof(struct coir_frame) == 56, "switch.S pushes six registers below rip");
_Static_assert(offsetof(struct coir_frame, rip) == 48, "and returns through the word above them");

/* X(name) of each word, for tools that restore the registers. */
#define COIR_FRAME_REGISTERS(X) X(r15) X(r14) X(r13) X(r12) X(rbx) X(rbp) X(rip)

/* Every frame but the entry's lies between two 16-byte boundaries of the ABI. */
#define COIR_STACK_ALIGNMENT 16
#define COIR_GUARD_SIZE ((size_t)16 * 1024) /* more than the largest step of a probed frame */
#define COIR_CACHE_LINE 64

void coir__entry(void);
#define COIR_ENTRY_PAD 4   /* bytes of the landing pad, behind which a fresh stack starts */
#define COIR_ENTRY_SIZE 32 /* of all of it, at most */

/* Writes the first frame below `top`, such that resuming it calls fn(value, arg, context) from the
 * base frame, and returns the stack pointer to resume. Two words of zero above it are an end to
 * unwinders that know of no other. */
static inline void *coir__frame_init(void *top, void (*fn)(void *, void *), void *arg) {
    uint64_t *const end = (uint64_t *)((uintptr_t)top & ~(uintptr_t)(COIR_STACK_ALIGNMENT - 1)) - 2;
    struct coir_frame *frame = (struct coir_frame *)(void *)end - 1;
    end[0] = end[1] = 0;
    *frame = (struct coir_frame){
        .rbx = (uint64_t)(uintptr_t)fn,
        .r12 = (uint64_t)(uintptr_t)arg,
        .rip = (uint64_t)(uintptr_t)&coir__entry + COIR_ENTRY_PAD,
    };
    return frame;
}

/* The same on a `top` that is aligned, and has those words above it, quickly: `arg`, which fn does
 * not look at, and registers that mean nothing yet are what happens to lie there. */
static inline void *coir__frame_renew(void *top, void (*fn)(void *, void *, coir_context *)) {
    struct coir_frame *frame = (struct coir_frame *)top - 1;
    frame->rbx = (uint64_t)(uintptr_t)fn;
    frame->rbp = 0;
    frame->rip = (uint64_t)(uintptr_t)&coir__entry + COIR_ENTRY_PAD;
    return frame;
}

#ifdef __AVX512F__
#define COIR_CLOBBERED_AVX512                                                                      \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5",  \
        "k6", "k7"
#else
#define COIR_CLOBBERED_AVX512
#endif
#define COIR_TEXT_OF(macro) COIR_TEXT(macro)
#define COIR_TEXT(name) #name

/* The switch where it is not the last thing that a function does. It gets there by a jump, because
 * a call would leave an address with the return predictor that no `ret` takes off: each return from
 * here outwards would then be predicted wrongly. The clobbers are what a call may change.
 *
 * The push needs memory below the stack pointer, hence -mno-red-zone; and unwind tables that do not
 * go by the stack pointer, hence the frame address, which makes them go by rbp. */
__attribute__((always_inline)) static inline int
coir__switch_inside(coir_context *from, const coir_context *to, long value) {
    long result;
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                     "pushq %%rcx\n\t"
                     "jmp " COIR_TEXT_OF(__USER_LABEL_PREFIX__) "coir__switch\n"
                                                                "1:"
                     : "=a"(result), "+D"(from), "+S"(to), "+d"(value)
                     : "X"(__builtin_frame_address(0))
                     : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
                       "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                       "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
                       "st(7)", "memory", "cc" COIR_CLOBBERED_AVX512);
    return (int)result;
}

/* The floating-point control words: MXCSR and the x87 control word, status bits left out. */
struct coir_fp {
    uint32_t mxcsr;
    uint16_t x87;
};

static inline struct coir_fp coir__fp_get(void) {
    struct coir_fp fp;
    __asm__ volatile("stmxcsr %0" : "=m"(fp.mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(fp.x87));
    fp.mxcsr &= ~(uint32_t)0x3f; /* the sticky exception flags are results, not control */
    return fp;
}

/* Leaves the sticky exception flags as they are: they are results. */
static inline void coir__fp_set(struct coir_fp fp) {
    uint32_t now;
    __asm__ volatile("stmxcsr %0" : "=m"(now));
    fp.mxcsr |= now & 0x3f;
    __asm__ volatile("ldmxcsr %0" : : "m"(fp.mxcsr));
    __asm__ volatile("fldcw %0" : : "m"(fp.x87));
}

static inline int coir__fp_equal(struct coir_fp a, struct coir_fp b) {
    return a.mxcsr == b.mxcsr && a.x87 == b.x87;
}

#endif
