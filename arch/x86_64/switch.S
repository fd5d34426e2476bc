/* The context switch on x86_64, and the base frame of every stack. The reference for other ports:
 * arch/README.md states the contract, frame.h draws the saved frame.
 *
 * CFI is exact at every instruction: both stacks have the same layout where the stack pointer
 * changes, so that one rule serves both sides, and a debugger, profiler or unwinder may stop anywhere. */
#include "arch/asm.h"

        .text

/* void *coir_context_switch(coir_context *from, const coir_context *to, void *value)
 *
 * In:   rdi = from, rsi = to, rdx = value; return address on the stack (psABI 3.2.3).
 * Out:  on the stack of `to`: rax = value; rbx, rbp, r12 to r15 and rsp as they were when it was
 *       suspended. All else is clobbered, as by any call; MXCSR and the x87 control word are left
 *       alone, they belong to the thread.
 *
 * It ends in a jump, not in `ret`: the return addresses of other stacks are never what the return
 * predictor expects, while the indirect predictor learns them. When a C function ends in a tail call
 * to this one, the jump goes straight to the user's call site. `notrack`: that site has no endbr64. */
        .p2align 5
COIR_EXPORT(coir_context_switch)
COIR_FUNCTION(coir__switch)
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0

        movq    %rsp, (%rdi)            /* from->sp */
        movq    (%rsi), %rsp            /* to->sp: same layout, the rules above hold on */
1:
        movq    %rdx, %rax

        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        notrack jmp *%rcx
        .cfi_endproc
COIR_END(coir__switch)
COIR_END(coir_context_switch)

/* void coir__leave(coir_context *from, const coir_context *to, long value)
 *
 * The same from a context that is never resumed: nothing of it is saved. */
        .p2align 4
COIR_FUNCTION(coir__leave)
        .cfi_startproc
        movq    (%rsi), %rsp
        .cfi_def_cfa_offset 56          /* as the switch left it: rip, and six registers below */
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        jmp     1b
        .cfi_endproc
COIR_END(coir__leave)

/* The base frame. The first switch to a fresh stack arrives behind the landing pad of coir__entry
 * with the registers that coir__frame_init put into the frame:
 *
 * In:   rax = value, rbx = fn, r12 = arg, rbp = 0, rsp 16-byte aligned, and still rsi = to.
 *
 * Calls fn(value, arg, to), which must not return: by a jump, because what a call would leave with the
 * return predictor is never taken off. The undefined return address ends every unwind here. Behind
 * the pad, because unwinders and symbol look-ups use pc - 1. */
        .p2align 4
COIR_FUNCTION(coir__entry)
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        movq    %rax, %rdi
        movq    %rsi, %rdx
        movq    %r12, %rsi
        leaq    1f(%rip), %rcx
        pushq   %rcx
        jmp     *%rbx
1:
        ud2
        .cfi_endproc
COIR_END(coir__entry)

#include "debug/gdb.S"

#ifdef __ELF__
        .section .note.GNU-stack, "", %progbits

/* Property note by hand: indirect branch tracking holds here; shadow stacks would need a switch of
 * their own, so that bit is not claimed, as <cet.h> would. */
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4                       /* name size */
        .long   16                      /* descriptor size */
        .long   5                       /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002              /* GNU_PROPERTY_X86_FEATURE_1_AND */
        .long   4
        .long   1                       /* IBT */
        .long   0
#endif
