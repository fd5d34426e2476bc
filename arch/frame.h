/* Chooses the architecture. The one place that does. */
#ifndef COIR_ARCH_FRAME_H
#define COIR_ARCH_FRAME_H

#include "coir/context.h"

/* coir_context_switch under the type that tasks use: the value is an int. A call that comes last in
 * a function ends in a jump; elsewhere coir__switch_inside is better. */
int coir__switch(coir_context *from, const coir_context *to, long value);

/* The same from a context that is never resumed. */
void coir__leave(coir_context *from, const coir_context *to, long value);

#if defined(__x86_64__)
#include "arch/x86_64/frame.h" /* IWYU pragma: export */
#elif defined(__aarch64__)
#include "arch/aarch64/frame.h" /* IWYU pragma: export */
#else
#error "Coir has no context switch for this architecture; arch/README.md says what a port needs."
#endif

#endif
