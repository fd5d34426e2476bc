/* What a callee must keep, seen from outside: functions in assembly that fill those registers, make
 * a call, and look at what is left of them. A compiler would use them itself.
 *
 * abi.c and steps.c are the places of the tests that know an architecture. */
#ifndef TESTS_ARCH_ABI_H
#define TESTS_ARCH_ABI_H

#include "arch/frame.h"
#include "support.h"

/* ---- A call that has to keep the registers ---- */

/* Fills the integer and vector registers that the ABI has a callee keep, the frame pointer among
 * them, with pattern, pattern + 1, ..., calls fn(a, b, c), and returns a bit for each that holds
 * something else afterwards, and for a stack pointer or a direction flag that is not as it was. */
unsigned long registers_changed(unsigned long pattern, void (*fn)(void), const void *a,
                                const void *b, const void *c);

/* "r12 d8": the names of the bits. Good until the next call. */
const char *registers_named(unsigned long changed);

/* That a call of fn, which may have any type, with up to three arguments that fit into a register
 * each, keeps them. Each has a pattern of its own. */
#define check_kept(fn, a, b, c)                                                                    \
    do {                                                                                           \
        const unsigned long check__changed =                                                       \
            registers_changed(next_pattern(), (void (*)(void))(fn), (const void *)(uintptr_t)(a),  \
                              (const void *)(uintptr_t)(b), (const void *)(uintptr_t)(c));         \
        cr_assert(check__changed == 0, "%s changed %s%s", #fn, registers_named(check__changed),    \
                  run_label());                                                                    \
    } while (0)

/* A new one, in which all bytes of a register count. */
unsigned long next_pattern(void);

/* ---- A function's arrival ---- */

struct arrival {
    uintptr_t sp; /* before the call of the function: what the ABI wants aligned */
    uintptr_t fp;
    uintptr_t backwards; /* the direction flag: not 0 if string instructions go down */
    void (*then)(void *value, void *arg);
};

/* The first function of a context: notes in *arg, a struct arrival, how it was entered, and goes on
 * as its `then`. */
void arrive(void *value, void *arg);
/* The same as the body of a task: notes and returns 0. */
int arrive_as_task(void *arg);

/* ---- Floating-point control words ---- */

enum { UNUSUAL_WORDS = 6 };
/* Words that differ from one another and from those a program begins with: in rounding, in what
 * becomes of subnormal numbers, on x86_64 in both of the two units and in each alone. */
struct coir_fp unusual_words(unsigned n);

/* ---- Indirect branches ---- */

/* Whether the code begins with what a processor wants to find where an indirect branch lands, once
 * it has been told to look; and whether the function ends with one that may land anywhere, as at
 * the call of a function. */
bool begins_with_landing_pad(const void *code);
bool ends_with_jump_to_anywhere(const void *function);

/* ---- For unwinders ---- */

/* Where a suspended context goes on. */
uintptr_t resumes_at(const coir_context *context);

/* The integer registers that registers_changed fills: the n-th one's number in DWARF, and in
 * libunwind, which holds pattern + n; -1 beyond the last. */
int kept_number(unsigned n);
/* Whether sp is that of a call of registers_changed while its fn runs, and the pattern. */
bool in_registers_changed(uintptr_t sp, unsigned long *pattern);

#endif
