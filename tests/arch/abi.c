/* Registers filled and looked at; abi.h says what each function is for. Each architecture has
 * one half of this file, in the order of the header. */
#include "arch/abi.h"

#include <stdio.h>

/* registers_changed leaves these two lowest in its frame, the stack pointer just so. */
struct lowest {
    uint64_t pattern, sp;
};

/* It is not C: the layout says more than clang-format could. */
/* clang-format off */
#define TEXT__(x) #x
#define TEXT(x) TEXT__(x)
#define SYMBOL(name) TEXT(__USER_LABEL_PREFIX__) name
#define FUNCTION(name) \
    ".text\n .p2align 4\n .globl " SYMBOL(name) "\n" SYMBOL(name) ":\n .cfi_startproc\n"
#define END ".cfi_endproc\n"

#if defined(__x86_64__)

/* In: rdi = pattern, rsi = fn, rdx, rcx, r8 = a, b, c. */
static const char *const names[] = {"rbx", "rbp", "r12", "r13", "r14", "r15", "rsp",
                                    "the direction flag"};
#define PUSH(name) "pushq %" name "\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset %" name ", 0\n"
#define POP(name) "popq %" name "\n .cfi_adjust_cfa_offset -8\n .cfi_restore %" name "\n"
#define FILL(n, name) "leaq " #n "(%r11), %" name "\n"
#define NOTE(n) "je 1f\n orl $(1 << " #n "), %eax\n 1:\n"
#define COMPARE(n, name) "leaq " #n "(%r11), %rcx\n cmpq %rcx, %" name "\n" NOTE(n)
#define EACH(what) what(0, "rbx") what(1, "rbp") what(2, "r12") what(3, "r13") what(4, "r14") \
                   what(5, "r15")

__asm__(FUNCTION("registers_changed")
    PUSH("rbp") PUSH("rbx") PUSH("r12") PUSH("r13") PUSH("r14") PUSH("r15")
    "subq $24, %rsp\n .cfi_adjust_cfa_offset 24\n"
    "movq %rdi, (%rsp)\n"
    "movq %rsp, 8(%rsp)\n"
    "movq %rdi, %r11\n movq %rsi, %rax\n movq %rdx, %rdi\n movq %rcx, %rsi\n movq %r8, %rdx\n"
    EACH(FILL)
    "call *%rax\n"
    "movq (%rsp), %r11\n xorl %eax, %eax\n"
    EACH(COMPARE)
    "cmpq %rsp, 8(%rsp)\n" NOTE(6)
    "pushfq\n .cfi_adjust_cfa_offset 8\n popq %rcx\n .cfi_adjust_cfa_offset -8\n"
    "testl $0x400, %ecx\n" NOTE(7)
    "cld\n"
    "addq $24, %rsp\n .cfi_adjust_cfa_offset -24\n"
    POP("r15") POP("r14") POP("r13") POP("r12") POP("rbx") POP("rbp")
    "ret\n" END);

#define ARRIVE(arrival) \
    "leaq 8(%rsp), %rax\n movq %rax, (%" arrival ")\n movq %rbp, 8(%" arrival ")\n" \
    "pushfq\n .cfi_adjust_cfa_offset 8\n popq %rax\n .cfi_adjust_cfa_offset -8\n" \
    "andl $0x400, %eax\n movq %rax, 16(%" arrival ")\n"
__asm__(FUNCTION("arrive") ARRIVE("rsi") "jmp *24(%rsi)\n" END);
__asm__(FUNCTION("arrive_as_task") ARRIVE("rdi") "xorl %eax, %eax\n ret\n" END);

struct coir_fp unusual_words(unsigned n) {
    const uint32_t rounding = n % 3 + 1, flush = n % 2 == 0 ? 0x8040 : 0; /* FTZ and DAZ */
    const uint32_t other = (n + n / 3 + 1) % 3 + 1, precision = n % 2 << 9;
    struct coir_fp words = {.mxcsr = 0x1f80 | rounding << 13 | flush,
                            .x87 = (uint16_t)(0x007f | other << 10 | precision)};
    if (on_valgrind()) /* which knows but how to round */
        words = (struct coir_fp){.mxcsr = 0x1f80 | rounding << 13,
                                 .x87 = (uint16_t)(0x037f | other << 10)};
    if (n == 4) /* unusual in the other unit only */
        words.mxcsr = 0x1f80;
    if (n == 5)
        words.x87 = 0x037f;
    return words;
}

int kept_number(unsigned n) {
    static const int numbers[] = {3, 6, 12, 13, 14, 15}; /* psABI, figure 3.36 */
    return n < COUNT_OF(numbers) ? numbers[n] : -1;
}

uintptr_t resumes_at(const coir_context *context) {
    return (uintptr_t)((const struct coir_frame *)context->sp)->rip;
}

static const unsigned char landing_pad[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */
static const unsigned char last_jump[] = {0x3e, 0xff, 0xe1};         /* notrack jmp *%rcx */

#elif defined(__aarch64__)

/* In: x0 = pattern, x1 = fn, x2, x3, x4 = a, b, c. */
static const char *const names[] = {"x19", "x20", "x21", "x22", "x23", "x24", "x25",
                                    "x26", "x27", "x28", "x29", "d8",  "d9",  "d10",
                                    "d11", "d12", "d13", "d14", "d15", "sp"};
#define SAVE(a, b, at) "stp " a ", " b ", [sp, #" #at "]\n" \
    ".cfi_rel_offset " a ", " #at "\n .cfi_rel_offset " b ", " #at " + 8\n"
#define RELOAD(a, b, at) "ldp " a ", " b ", [sp, #" #at "]\n"
#define EACH_PAIR(what) what("x19", "x20", 32) what("x21", "x22", 48) what("x23", "x24", 64) \
    what("x25", "x26", 80) what("x27", "x28", 96) what("d8", "d9", 112) what("d10", "d11", 128) \
    what("d12", "d13", 144) what("d14", "d15", 160) what("x29", "x30", 16)
#define FILL(n, name) "add " name ", x10, #" #n "\n"
#define FILL_VECTOR(n, name) "add x11, x10, #" #n "\n fmov " name ", x11\n"
#define NOTE(n) "b.eq 1f\n orr x0, x0, #(1 << " #n ")\n 1:\n"
#define COMPARE(n, name) "add x11, x10, #" #n "\n cmp x11, " name "\n" NOTE(n)
#define COMPARE_VECTOR(n, name) "fmov x12, " name "\n" COMPARE(n, "x12")
#define EACH(what) what(0, "x19") what(1, "x20") what(2, "x21") what(3, "x22") what(4, "x23") \
    what(5, "x24") what(6, "x25") what(7, "x26") what(8, "x27") what(9, "x28") what(10, "x29")
#define EACH_VECTOR(what) what(11, "d8") what(12, "d9") what(13, "d10") what(14, "d11") \
    what(15, "d12") what(16, "d13") what(17, "d14") what(18, "d15")

__asm__(FUNCTION("registers_changed")
    "sub sp, sp, #176\n .cfi_def_cfa_offset 176\n"
    EACH_PAIR(SAVE)
    "mov x10, sp\n stp x0, x10, [sp]\n"
    "mov x10, x0\n mov x9, x1\n mov x0, x2\n mov x1, x3\n mov x2, x4\n"
    EACH(FILL) EACH_VECTOR(FILL_VECTOR)
    "blr x9\n"
    "ldr x10, [sp]\n mov x0, #0\n"
    EACH(COMPARE) EACH_VECTOR(COMPARE_VECTOR)
    "ldr x10, [sp, #8]\n mov x11, sp\n cmp x10, x11\n" NOTE(19)
    EACH_PAIR(RELOAD)
    "add sp, sp, #176\n .cfi_def_cfa_offset 0\n"
    "ret\n" END);

#define ARRIVE(arrival) "mov x9, sp\n stp x9, x29, [" arrival "]\n str xzr, [" arrival ", #16]\n"
__asm__(FUNCTION("arrive") ARRIVE("x1") "ldr x16, [x1, #24]\n br x16\n" END);
__asm__(FUNCTION("arrive_as_task") ARRIVE("x0") "mov w0, #0\n ret\n" END);

struct coir_fp unusual_words(unsigned n) {
    const uint64_t rounding = n % 3 + 1, flush = n % 2 == 0;
    return (struct coir_fp){.fpcr = rounding << 22 | flush << 24 | (uint64_t)(n == 3) << 25};
}

int kept_number(unsigned n) {
    return n <= 10 ? 19 + (int)n : -1; /* "DWARF for the Arm 64-bit Architecture", table 4.1 */
}

uintptr_t resumes_at(const coir_context *context) {
    return (uintptr_t)((const struct coir_frame *)context->sp)->x30;
}

static const unsigned char landing_pad[] = {0x5f, 0x24, 0x03, 0xd5}; /* bti c */
static const unsigned char last_jump[] = {0xc0, 0x03, 0x5f, 0xd6};   /* ret */

#else
#error "The registers of this architecture are not known here: see arch/README.md."
#endif
/* clang-format on */

bool in_registers_changed(uintptr_t sp, unsigned long *pattern) {
    const struct lowest *const lowest = (const struct lowest *)sp;
    *pattern = lowest->pattern;
    return lowest->sp == sp;
}

bool begins_with_landing_pad(const void *code) {
    return memcmp(code, landing_pad, sizeof landing_pad) == 0;
}

bool ends_with_jump_to_anywhere(const void *function) {
    enum { MORE_THAN_THE_SWITCH = 256 };
    return memmem(function, MORE_THAN_THE_SWITCH, last_jump, sizeof last_jump) != NULL;
}

const char *registers_named(unsigned long changed) {
    static char text[256];
    size_t length = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (changed >> i & 1)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                       length > 0 ? ", " : "", names[i]);
    return text;
}

unsigned long next_pattern(void) {
    static uint64_t pattern = UINT64_C(0x123456789abcdef);
    return pattern += UINT64_C(0x9e3779b97f4a7c15);
}
