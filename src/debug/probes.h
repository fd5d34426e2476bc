/* USDT probes of the provider `coir`, where <sys/sdt.h> (SystemTap's) is installed; else nothing.
 * One counter says whether any of them is wanted. Included by hooks.c alone.
 *
 * A system header to the compiler, because the macros it uses are made of GNU extensions. */
#ifndef COIR_DEBUG_PROBES_H
#define COIR_DEBUG_PROBES_H

#pragma GCC system_header

#if defined(__linux__) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#endif
#endif

#ifdef STAP_PROBE1
#define COIR_PROBE_COUNTER __attribute__((section(".probes")))
#define COIR_PROBE(name)                                                                           \
    extern volatile unsigned short coir_##name##_semaphore                                         \
        __attribute__((alias("coir__probes_wanted"), visibility("hidden")))
COIR_PROBE(spawn);
COIR_PROBE(start);
COIR_PROBE(park);
COIR_PROBE(ready);
COIR_PROBE(run);
COIR_PROBE(exit);
COIR_PROBE(scope_cancelled);
#else
#define COIR_PROBE_COUNTER
#define STAP_PROBE1(provider, name, a) (void)(a)
#define STAP_PROBE2(provider, name, a, b) (void)(a), (void)(b)
#define STAP_PROBE3(provider, name, a, b, c) (void)(a), (void)(b), (void)(c)
#endif

/* Tasks are named by the address of their block; 0 is the loop. */
static inline void coir__probe_spawn(const void *task, coir_fn fn, const void *by) {
    STAP_PROBE3(coir, spawn, task, fn, by);
}

static inline void coir__probe_start(const void *task, coir_fn fn) {
    STAP_PROBE2(coir, start, task, fn);
}

static inline void coir__probe_park(const void *task, const char *what, const void *object) {
    STAP_PROBE3(coir, park, task, what, object);
}

static inline void coir__probe_ready(const void *task, const void *by) {
    STAP_PROBE2(coir, ready, task, by);
}

static inline void coir__probe_run(const void *task) {
    STAP_PROBE1(coir, run, task);
}

static inline void coir__probe_exit(const void *task, int rc) {
    STAP_PROBE2(coir, exit, task, rc);
}

static inline void coir__probe_scope_cancelled(const void *scope, const char *name) {
    STAP_PROBE2(coir, scope_cancelled, scope, name);
}

#endif
