/* What ELF and Mach-O assemblers spell differently, so that each switch.S is written once.
 *
 * COIR_FUNCTION(name) opens a function that the whole library sees, COIR_EXPORT(name) gives it a
 * second, exported name, COIR_END(name) closes it. Used by the arch/<isa>/switch.S files only. */
#ifndef COIR_ARCH_ASM_H
#define COIR_ARCH_ASM_H

/* It is not C: "%function" would be parted. */
/* clang-format off */

/* Between statements of one line: where `;` opens a comment it is something else. */
#if defined __APPLE__ && defined __aarch64__
#define COIR_THEN %%
#else
#define COIR_THEN ;
#endif

#ifdef __APPLE__
#define COIR_HIDDEN(name) .private_extern _##name
#define COIR_EXPORT(name) .globl _##name COIR_THEN _##name:
#define COIR_FUNCTION(name) COIR_HIDDEN(name) COIR_THEN COIR_EXPORT(name)
#define COIR_END(name)
#else
#define COIR_HIDDEN(name) .hidden name
#define COIR_EXPORT(name) .globl name COIR_THEN .type name, %function COIR_THEN name:
#define COIR_FUNCTION(name) COIR_HIDDEN(name) COIR_THEN COIR_EXPORT(name)
#define COIR_END(name) .size name, . - name
#endif

#endif
