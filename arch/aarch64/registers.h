/* Registers as a signal handler is given them and as unwinders take them, on aarch64; said here is
 * only what differs from arch/x86_64/registers.h. Included by src/debug only. */
#ifndef COIR_ARCH_AARCH64_REGISTERS_H
#define COIR_ARCH_AARCH64_REGISTERS_H

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "arch/frame.h"
#include "base/sanitizer.h"

struct coir__registers {
    uintptr_t pc, sp, fp;
};

COIR_RAW_MEMORY static inline struct coir__registers
coir__registers_saved(const struct coir_frame *frame) {
    return (struct coir__registers){
        .pc = frame->x30, .sp = (uintptr_t)(frame + 1), .fp = frame->x29};
}

static inline struct coir__registers coir__registers_interrupted(const ucontext_t *context) {
#if defined(__linux__)
    return (struct coir__registers){.pc = context->uc_mcontext.pc,
                                    .sp = context->uc_mcontext.sp,
                                    .fp = context->uc_mcontext.regs[29]};
#elif defined(__APPLE__)
    return (struct coir__registers){.pc = context->uc_mcontext->__ss.__pc,
                                    .sp = context->uc_mcontext->__ss.__sp,
                                    .fp = context->uc_mcontext->__ss.__fp};
#elif defined(__FreeBSD__)
    return (struct coir__registers){.pc = (uintptr_t)context->uc_mcontext.mc_gpregs.gp_elr,
                                    .sp = (uintptr_t)context->uc_mcontext.mc_gpregs.gp_sp,
                                    .fp = (uintptr_t)context->uc_mcontext.mc_gpregs.gp_x[29]};
#else
    (void)context;
    return (struct coir__registers){.pc = 0};
#endif
}

/* Without the signature that code with pointer authentication puts into it: xpaclri, which works on
 * x30 and is a no-op before Armv8.3. */
static inline uintptr_t coir__return_address(uintptr_t saved) {
    register uintptr_t x30 __asm__("x30") = saved;
    __asm__("hint #7" : "+r"(x30));
    return x30;
}

#endif
