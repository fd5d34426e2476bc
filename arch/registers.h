/* A suspended or interrupted task in the system's terms: chooses the architecture. */
#ifndef COIR_ARCH_REGISTERS_H
#define COIR_ARCH_REGISTERS_H

#if defined(__x86_64__)
#include "arch/x86_64/registers.h" /* IWYU pragma: export */
#elif defined(__aarch64__)
#include "arch/aarch64/registers.h" /* IWYU pragma: export */
#endif

#endif
