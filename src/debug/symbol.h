/* From an address to the function it lies in, and to where addr2line would look it up.
 *
 * Asks the system where its files are mapped and reads their symbol tables, those for the linker
 * that `strip` removes (static functions are in no other), or else those for the dynamic linker.
 * Nothing but system calls that may be made anywhere: no allocation, no lock, so that handlers of
 * fatal signals can name what they print. */
#ifndef COIR_DEBUG_SYMBOL_H
#define COIR_DEBUG_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COIR_SYMBOL_SIZE 128
#define COIR_PATH_SIZE 256
#define COIR_MODULES 8

/* What is known of an address. */
struct coir__symbol {
    char function[COIR_SYMBOL_SIZE]; /* empty if it has no name; cut to fit */
    char module[COIR_PATH_SIZE];     /* the file, "?" if there is none */
    uintptr_t offset;                /* in the module: what addr2line -e module takes */
};

/* A mapped file, open for reading. */
struct coir__module {
    uintptr_t start, end; /* of the mapping */
    uintptr_t file_offset;
    const char *image; /* all of the file, or NULL */
    size_t size_bytes;
    char path[COIR_PATH_SIZE];
};

/* Files kept open from one look-up to the next. */
struct coir__symbols {
    unsigned count, next;
    struct coir__module modules[COIR_MODULES];
};

void coir__symbols_open(struct coir__symbols *symbols);
void coir__symbols_close(struct coir__symbols *symbols);
/* Looks up what a walk over frames yields: `pc` less one. */
void coir__symbol_at(struct coir__symbols *symbols, const void *pc, struct coir__symbol *out);

#ifdef __linux__
/* The file mapped at an address, and where the linker has put what is there; NULL if there is none,
 * or it cannot be read. */
const struct coir__module *coir__module_at(struct coir__symbols *symbols, uintptr_t address,
                                           uintptr_t *linked);
/* Where the linker has put the first segment of a type, PT_*. False if there is none. */
bool coir__module_segment(const struct coir__module *module, unsigned type, uintptr_t *linked);
/* What lies there, and how much follows in the same segment; NULL if it is not in the file. */
const unsigned char *coir__module_contents(const struct coir__module *module, uintptr_t linked,
                                           size_t *size_bytes);
#endif

#endif
