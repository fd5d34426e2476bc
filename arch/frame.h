/* Chooses the architecture. The one place that does. */
#ifndef COIR_ARCH_FRAME_H
#define COIR_ARCH_FRAME_H

#if defined(__x86_64__)
#include "arch/x86_64/frame.h" /* IWYU pragma: export */
#elif defined(__aarch64__)
#include "arch/aarch64/frame.h" /* IWYU pragma: export */
#else
#error "Coir has no context switch for this architecture; arch/README.md says what a port needs."
#endif

#endif
