/* Registers as a signal handler is given them and as unwinders take them, on x86_64: what of the
 * saved frame (frame.h) lies where in a ucontext_t. Included by src/debug only. */
#ifndef COIR_ARCH_X86_64_REGISTERS_H
#define COIR_ARCH_X86_64_REGISTERS_H

#include <signal.h>
#include <stdint.h>

#include "arch/frame.h"
#include "base/sanitizer.h"

/* Where a walk over frames begins. */
struct coir__registers {
    uintptr_t pc, sp, fp;
    uintptr_t lr; /* rcx, in which the switch, at its last instruction, has the return address; on
                     other architectures its register, as long as a function has not saved it */
};

/* Their numbers in tables of call frame information. */
enum { COIR_DWARF_LR = 2, COIR_DWARF_FP = 6, COIR_DWARF_SP = 7 };

/* Those of a suspended context, as they will be when it goes on. */
COIR_RAW_MEMORY static inline struct coir__registers
coir__registers_saved(const struct coir_frame *frame) {
    return (struct coir__registers){
        .pc = frame->rip, .sp = (uintptr_t)(frame + 1), .fp = frame->rbp};
}

/* Those that a signal interrupted; zeros on a system whose ucontext_t is not known here. */
static inline struct coir__registers coir__registers_interrupted(const ucontext_t *context) {
#if defined(__linux__)
    const greg_t *const saved = context->uc_mcontext.gregs;
    return (struct coir__registers){.pc = (uintptr_t)saved[REG_RIP],
                                    .sp = (uintptr_t)saved[REG_RSP],
                                    .fp = (uintptr_t)saved[REG_RBP],
                                    .lr = (uintptr_t)saved[REG_RCX]};
#elif defined(__APPLE__)
    return (struct coir__registers){.pc = context->uc_mcontext->__ss.__rip,
                                    .sp = context->uc_mcontext->__ss.__rsp,
                                    .fp = context->uc_mcontext->__ss.__rbp};
#elif defined(__FreeBSD__)
    return (struct coir__registers){.pc = (uintptr_t)context->uc_mcontext.mc_rip,
                                    .sp = (uintptr_t)context->uc_mcontext.mc_rsp,
                                    .fp = (uintptr_t)context->uc_mcontext.mc_rbp};
#elif defined(__NetBSD__)
    const __greg_t *const saved = context->uc_mcontext.__gregs;
    return (struct coir__registers){.pc = (uintptr_t)saved[_REG_RIP],
                                    .sp = (uintptr_t)saved[_REG_RSP],
                                    .fp = (uintptr_t)saved[_REG_RBP]};
#elif defined(__OpenBSD__)
    return (struct coir__registers){.pc = (uintptr_t)context->sc_rip,
                                    .sp = (uintptr_t)context->sc_rsp,
                                    .fp = (uintptr_t)context->sc_rbp};
#else
    (void)context;
    return (struct coir__registers){.pc = 0};
#endif
}

#ifdef __linux__
/* libunwind for programs of this architecture: the prefix of its names, and its numbers of the
 * registers. COIR_UNWIND_PC_SLOT: how far below the frame's end the return address lies, 0 if that
 * is to be asked for. */
#define COIR_UNWIND(name) "_ULx86_64_" #name
enum { COIR_UNWIND_FP = 6, COIR_UNWIND_SP = 7, COIR_UNWIND_PC = 16, COIR_UNWIND_PC_SLOT = 8 };

/* What a signal that came when the context goes on would give its handler, as far as functions keep
 * registers; `out` is zeroed. */
static inline void coir__registers_describe(const struct coir_frame *frame, ucontext_t *out) {
    greg_t *const saved = out->uc_mcontext.gregs;
    saved[REG_RIP] = (greg_t)frame->rip;
    saved[REG_RSP] = (greg_t)(uintptr_t)(frame + 1);
    saved[REG_RBP] = (greg_t)frame->rbp;
    saved[REG_RBX] = (greg_t)frame->rbx;
    saved[REG_R12] = (greg_t)frame->r12;
    saved[REG_R13] = (greg_t)frame->r13;
    saved[REG_R14] = (greg_t)frame->r14;
    saved[REG_R15] = (greg_t)frame->r15;
}
#endif

/* A return address as it is: nothing is signed here. */
static inline uintptr_t coir__return_address(uintptr_t saved) {
    return saved;
}

#endif
