/* Loading libraries. */
#include "debug/load.h"

#include <dlfcn.h>
#include <string.h>

#ifdef __linux__
#include <sys/auxv.h>

/* Weak: a program that is linked statically shall not get these two because of us. */
#pragma weak dlopen
#pragma weak dlsym

/* If it has got them, what it loads comes with a C library of its own, which does not know it. */
static bool may_load(void) {
    const bool by_dynamic_linker = getauxval(AT_BASE) != 0;
    return by_dynamic_linker && dlopen != NULL && dlsym != NULL;
}
#else
static bool may_load(void) {
    return true;
}
#endif

bool coir__load(const char *library, const struct coir__import *imports, size_t count) {
    void *const handle = may_load() ? dlopen(library, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (handle == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        void *const found = dlsym(handle, imports[i].name);
        if (found == NULL)
            return false;
        memcpy(imports[i].place, &found, sizeof found);
    }
    return true;
}
