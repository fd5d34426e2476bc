/* From a frame to its caller's by the tables that compilers emit for exceptions (.eh_frame): for
 * code without frame pointers, and at every instruction. The library's own reading of them, because
 * it has to work in handlers of signals: no lock, no allocation, no library that must be there.
 *
 * Only the registers that lead outwards are followed: program counter, stack pointer, frame
 * pointer, link register. */
#ifndef COIR_DEBUG_CFI_H
#define COIR_DEBUG_CFI_H

#include "arch/registers.h"
#include "core/runtime.h"
#include "debug/symbol.h"

/* Where a register of the caller is. */
enum coir__cfi_where {
    COIR_CFI_SAME,        /* in the register itself */
    COIR_CFI_SAVED,       /* in memory, counted from the frame's end */
    COIR_CFI_SAVED_AT_FP, /* in memory, counted from the frame pointer */
    COIR_CFI_NOWHERE,     /* for the program counter: this frame is the outermost */
};

/* What the frame's end is counted from. */
enum coir__cfi_base { COIR_CFI_NONE, COIR_CFI_SP, COIR_CFI_FP, COIR_CFI_AT_FP };

struct coir__cfi_rule {
    enum coir__cfi_where where;
    int32_t offset;
};

/* The rules at one place in the code. */
struct coir__cfi_row {
    uintptr_t pc;
    uintptr_t begin, end; /* of the function */
    enum coir__cfi_base base;
    int32_t offset;               /* of the frame's end, from the base */
    struct coir__cfi_rule fp, ra; /* frame pointer, return address */
};

#define COIR_CFI_ROWS 32

/* Rows found lately: functions that call themselves need few. Zeroed: none. */
struct coir__cfi {
    struct coir__symbols *symbols;
    struct coir__cfi_row rows[COIR_CFI_ROWS];
};

/* The row for an address as a walk yields it (looked up one byte before); NULL if there is none. */
const struct coir__cfi_row *coir__cfi_row(struct coir__cfi *cfi, uintptr_t pc);

#endif
