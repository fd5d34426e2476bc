/* Registers as a signal handler is given them and as unwinders take them, on aarch64; said here is
 * only what differs from arch/x86_64/registers.h. Included by src/debug only. */
#ifndef COIR_ARCH_AARCH64_REGISTERS_H
#define COIR_ARCH_AARCH64_REGISTERS_H

#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "arch/frame.h"
#include "base/sanitizer.h"

struct coir__registers {
    uintptr_t pc, sp, fp, lr;
};

enum { COIR_DWARF_LR = 30, COIR_DWARF_FP = 29, COIR_DWARF_SP = 31 };

COIR_RAW_MEMORY static inline struct coir__registers
coir__registers_saved(const struct coir_frame *frame) {
    return (struct coir__registers){
        .pc = frame->x30, .sp = (uintptr_t)(frame + 1), .fp = frame->x29};
}

static inline struct coir__registers coir__registers_interrupted(const ucontext_t *context) {
#if defined(__linux__)
    return (struct coir__registers){.pc = context->uc_mcontext.pc,
                                    .sp = context->uc_mcontext.sp,
                                    .fp = context->uc_mcontext.regs[29],
                                    .lr = context->uc_mcontext.regs[30]};
#elif defined(__APPLE__)
    return (struct coir__registers){.pc = context->uc_mcontext->__ss.__pc,
                                    .sp = context->uc_mcontext->__ss.__sp,
                                    .fp = context->uc_mcontext->__ss.__fp};
#elif defined(__FreeBSD__)
    return (struct coir__registers){.pc = (uintptr_t)context->uc_mcontext.mc_gpregs.gp_elr,
                                    .sp = (uintptr_t)context->uc_mcontext.mc_gpregs.gp_sp,
                                    .fp = (uintptr_t)context->uc_mcontext.mc_gpregs.gp_x[29]};
#elif defined(__NetBSD__)
    const __greg_t *const saved = context->uc_mcontext.__gregs;
    return (struct coir__registers){.pc = (uintptr_t)saved[_REG_PC],
                                    .sp = (uintptr_t)saved[_REG_SP],
                                    .fp = (uintptr_t)saved[_REG_FP]};
#elif defined(__OpenBSD__)
    return (struct coir__registers){
        .pc = context->sc_elr, .sp = context->sc_sp, .fp = context->sc_x[29]};
#else
    (void)context;
    return (struct coir__registers){.pc = 0};
#endif
}

#ifdef __linux__
/* libunwind for programs of this architecture: the prefix of its names, and its numbers of the
 * registers. COIR_UNWIND_PC_SLOT: how far below the frame's end the return address lies, 0 if that
 * is to be asked for. */
#define COIR_UNWIND(name) "_ULaarch64_" #name
enum { COIR_UNWIND_FP = 29, COIR_UNWIND_SP = 31, COIR_UNWIND_PC = 30, COIR_UNWIND_PC_SLOT = 0 };

/* What a signal that came when the context goes on would give its handler, as far as functions keep
 * registers; `out` is zeroed. */
static inline void coir__registers_describe(const struct coir_frame *frame, ucontext_t *out) {
    memcpy(&out->uc_mcontext.regs[19], &frame->x19, 10 * sizeof frame->x19);
    out->uc_mcontext.regs[29] = frame->x29;
    out->uc_mcontext.regs[30] = frame->x30;
    out->uc_mcontext.pc = frame->x30;
    out->uc_mcontext.sp = (uintptr_t)(frame + 1);
}
#endif

/* Without the signature that code with pointer authentication puts into it: xpaclri, which works on
 * x30 and is a no-op before Armv8.3. */
static inline uintptr_t coir__return_address(uintptr_t saved) {
    register uintptr_t x30 __asm__("x30") = saved;
    __asm__("hint #7" : "+r"(x30));
    return x30;
}

#endif
