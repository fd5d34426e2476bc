/* The context switch on aarch64, and the base frame of every stack. Said here is only what differs
 * from arch/x86_64/switch.S; arch/README.md states the contract, frame.h draws the saved frame. */
#include "arch/asm.h"

        .text

/* void *coir_context_switch(coir_context *from, const coir_context *to, void *value)
 *
 * In:   x0 = from, x1 = to, x2 = value; x30 = return address (AAPCS64 6.1.1).
 * Out:  on the stack of `to`: x0 = value; x19 to x30, sp, and d8 to d15 (the low halves of v8 to
 *       v15, 6.1.2) as they were when it was suspended. FPCR is the thread's, x18 the platform's.
 *
 * x29 and x30 lie lowest, so that a saved sp is also a frame record ("The Frame Pointer"), and x29
 * carries the stack pointers, as loads and stores can not: frame-pointer walkers lose no frame.
 *
 * It ends in `ret`, not in `br`: under BTI the latter may only land on a pad, which the caller's
 * call site has not. x30 is not signed: who unwinds a suspended context takes it as it is. */
        .p2align 5
COIR_EXPORT(coir_context_switch)
COIR_FUNCTION(coir__switch)
COIR_FUNCTION(coir__leave)              /* to save what nobody resumes costs little here */
        .cfi_startproc
        .cfi_remember_state
        hint    #34                     /* bti c: a no-op before Armv8.5 */
        stp     x29, x30, [sp, #-160]!
        .cfi_def_cfa_offset 160
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        mov     x29, sp
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        stp     d8, d9, [sp, #96]
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        stp     d10, d11, [sp, #112]
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        stp     d12, d13, [sp, #128]
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        stp     d14, d15, [sp, #144]
        .cfi_offset d14, -16
        .cfi_offset d15, -8

        str     x29, [x0]               /* from->sp */
        ldr     x29, [x1]               /* to->sp */
        mov     sp, x29
        mov     x0, x2

        ldp     x19, x20, [sp, #16]     /* the slots stay valid until sp moves: no rule changes */
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #160
        .cfi_restore_state              /* as at the entry, all at once, and the CFA again for */
        .cfi_def_cfa_offset 0           /* the readers that do not count it to the state */
        ret
        .cfi_endproc
COIR_END(coir__leave)
COIR_END(coir__switch)
COIR_END(coir_context_switch)

/* The base frame:
 *
 * In:   x0 = value, x19 = fn, x20 = arg, x29 = 0, sp 16-byte aligned, and still x1 = to.
 *
 * The first switch arrives behind the landing pad: unwinders and symbol look-ups take pc - 1, which
 * has to lie in this function, and `ret` needs no pad. */
        .p2align 4
COIR_FUNCTION(coir__entry)
        .cfi_startproc
        .cfi_undefined x30
        hint    #34
        mov     x2, x1
        mov     x1, x20
        blr     x19
        brk     #1
        .cfi_endproc
COIR_END(coir__entry)

#include "debug/gdb.S"

#ifdef __ELF__
        .section .note.GNU-stack, "", %progbits

/* BTI holds here. Return addresses are not signed (PAC) and there is no switch of shadow stacks
 * (GCS), so these bits are not claimed. */
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4
        .long   16
        .long   5                       /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000000              /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
        .long   4
        .long   1                       /* BTI */
        .long   0
#endif
