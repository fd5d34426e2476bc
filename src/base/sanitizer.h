/* What sanitizers and Valgrind must be told about stacks, and the one place that asks for them.
 *
 * A tool that tracks the stack pointer takes a context switch for corruption unless told. Builds
 * without such a tool get empty inline functions. The names of the interfaces are those of
 * compiler-rt's common_interface_defs.h and tsan_interface.h. */
#ifndef COIR_BASE_SANITIZER_H
#define COIR_BASE_SANITIZER_H

#include <stddef.h>

#include "arch/frame.h"
#include "coir/context.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define COIR_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define COIR_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define COIR_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define COIR_TSAN 0
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#define COIR_VALGRIND 1
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef COIR_VALGRIND
#define COIR_VALGRIND 0
#endif

/* ThreadSanitizer keeps a list of the calls that are under way on each stack. What is called at the
 * end of a task never returns, so it would stay there: listed in the reports of the next task on
 * that stack, and too much for the list after some 20,000 of them. Functions marked so enter
 * nothing. */
#ifndef __has_attribute
#define __has_attribute(x) 0
#endif
#if !COIR_TSAN
#define COIR_UNLISTED
#elif __has_attribute(disable_sanitizer_instrumentation)
#define COIR_UNLISTED __attribute__((disable_sanitizer_instrumentation))
#else
#define COIR_UNLISTED __attribute__((no_sanitize("thread")))
#endif

/* A stack as the tools see it. */
struct coir__shadow {
    const void *low;   /* lowest usable byte */
    size_t size_bytes; /* from there to the top */
#if COIR_ASAN
    void *fake; /* AddressSanitizer's frames for use-after-return, while suspended */
#endif
#if COIR_TSAN
    void *fiber;
#endif
};

#if COIR_ASAN || COIR_TSAN
/* Switches and tells the tools. `dying`: `from` will never be resumed. */
COIR_UNLISTED __attribute__((noinline, unused)) static int
sanitizer_told(coir_context *from, struct coir__shadow *from_shadow, const coir_context *to,
               struct coir__shadow *to_shadow, long value, int dying) {
#if COIR_ASAN
    __sanitizer_start_switch_fiber(dying ? NULL : &from_shadow->fake, to_shadow->low,
                                   to_shadow->size_bytes);
#else
    (void)dying;
#endif
#if COIR_TSAN
    (void)from_shadow;
    __tsan_switch_to_fiber(to_shadow->fiber, 0);
#endif
    const int result = coir__switch(from, to, value);
#if COIR_ASAN
    __sanitizer_finish_switch_fiber(from_shadow->fake, NULL, NULL);
#endif
    return result;
}

#define sanitizer_switch(...) sanitizer_told(__VA_ARGS__, 0)
#define sanitizer_switch_inside(...) sanitizer_told(__VA_ARGS__, 0)
#define sanitizer_leave(...) ((void)sanitizer_told(__VA_ARGS__, 1))
#else
/* The switch as the last thing that a function does, inside one, and from a context that is never
 * resumed. */
#define sanitizer_switch(from, from_shadow, to, to_shadow, value) coir__switch(from, to, value)
#define sanitizer_switch_inside(from, from_shadow, to, to_shadow, value)                           \
    coir__switch_inside(from, to, value)
#define sanitizer_leave(from, from_shadow, to, to_shadow, value) coir__leave(from, to, value)
#endif

/* First act on a fresh stack. */
static inline void sanitizer_entered(void) {
#if COIR_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

/* A stack has come into existence (again), is to be used by a new task, has ceased to exist. */
static inline void sanitizer_stack_created(struct coir__shadow *shadow) {
#if COIR_TSAN
    shadow->fiber = __tsan_create_fiber(0);
#else
    (void)shadow;
#endif
}

/* The frames that were abandoned on a stack are forgotten. */
static inline void sanitizer_stack_cleared(const void *low, size_t size_bytes) {
#if COIR_ASAN
    __asan_unpoison_memory_region(low, size_bytes);
#else
    (void)low, (void)size_bytes;
#endif
}

static inline void sanitizer_stack_reused(struct coir__shadow *shadow) {
#if COIR_ASAN
    shadow->fake = NULL;
#endif
    sanitizer_stack_cleared(shadow->low, shadow->size_bytes);
}

static inline void sanitizer_stack_destroyed(struct coir__shadow *shadow) {
    sanitizer_stack_cleared(shadow->low, shadow->size_bytes);
#if COIR_TSAN
    __tsan_destroy_fiber(shadow->fiber);
#endif
    (void)shadow;
}

/* The stack of the thread itself, described by the caller. */
static inline void sanitizer_thread(struct coir__shadow *shadow) {
#if COIR_TSAN
    shadow->fiber = __tsan_get_current_fiber();
#else
    (void)shadow;
#endif
}

/* Valgrind: registers a range as a stack. */
static inline unsigned sanitizer_valgrind_register(const void *low, const void *high) {
#if COIR_VALGRIND
    return (unsigned)VALGRIND_STACK_REGISTER(low, high);
#else
    (void)low, (void)high;
    return 0;
#endif
}

static inline void sanitizer_valgrind_deregister(unsigned id) {
#if COIR_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#else
    (void)id;
#endif
}

/* For functions that look at a stack's memory whatever the tools think of it. Within them:
 * sanitizer_look_away, then sanitizer_look_again. */
#define COIR_RAW_MEMORY __attribute__((no_sanitize("address"), no_sanitize("thread")))

static inline void sanitizer_look_away(void) {
#if COIR_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static inline void sanitizer_look_again(void) {
#if COIR_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

static inline int sanitizer_on_valgrind(void) {
#if COIR_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

#endif
