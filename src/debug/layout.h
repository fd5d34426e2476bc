/* Where a tool outside the process, coir-ps or gdb, finds what it wants to show.
 *
 * One object in the library's writable data tells, by name, the offset of each field such a tool
 * reads, and heads the list of runtimes. It is known by its magic and its own address, so that it
 * is found without symbols and debug information, in stripped, static and shared programs alike;
 * and in a core file, which always has the pages that were written and often not the others. Names
 * may be added at any time; `version` changes when one changes its meaning or goes away. */
#ifndef COIR_DEBUG_LAYOUT_H
#define COIR_DEBUG_LAYOUT_H

#include <stdint.h>

#include "coir/scope.h" /* struct coir__link */

#define COIR_LAYOUT_MAGIC "coir: look here"
#define COIR_LAYOUT_VERSION 1
#define COIR_LAYOUT_ENTRIES 128

struct coir__layout_entry {
    char name[24]; /* "task.wait"; empty: the table ends */
    uint64_t value;
};

/* Aligned to 8 bytes, as a search for it may rely on. */
struct coir__layout {
    char magic[16];
    const void *address; /* of this object; if it lies elsewhere, this is a copy */
    uint64_t version;
    struct coir__link runtimes; /* that run now: runtime.listed */
    const void *fresh;          /* where a task that never ran will begin */
    struct coir__layout_entry entries[COIR_LAYOUT_ENTRIES];
};

#endif
