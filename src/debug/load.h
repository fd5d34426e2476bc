/* Libraries that are used where the system has them: looked for at run time, so that nobody needs
 * them, neither to build nor to link nor to run. */
#ifndef COIR_DEBUG_LOAD_H
#define COIR_DEBUG_LOAD_H

#include <stdbool.h>
#include <stddef.h>

/* A function of a library, and where to put its address: in a pointer to such a function. */
struct coir__import {
    const char *name;
    void *place;
};

/* Loads a library, for good, and fills in all of the imports. False if that is not to be had. */
bool coir__load(const char *library, const struct coir__import *imports, size_t count);

#endif
