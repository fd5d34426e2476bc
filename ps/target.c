/* What processes and core files have in common; and messages, and memory of this program's own. */
#include "target.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Messages and memory ---- */

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments) {
    (void)fputs("coir-ps: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
}

void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void *allocate(size_t size_bytes) {
    void *const memory = calloc(1, size_bytes);
    if (memory == NULL)
        die("there is no memory left for %zu bytes", size_bytes);
    return memory;
}

void *enlarge(void *memory, size_t size_bytes) {
    void *const larger = realloc(memory, size_bytes);
    if (larger == NULL)
        die("there is no memory left for %zu bytes", size_bytes);
    return larger;
}

/* ---- Targets ---- */

void target_close(struct target *target) {
    dwfl_end(target->dwfl);
    target->kind->close(target);
}

bool target_read_text(const struct target *target, uint64_t address, char *out, size_t size_bytes) {
    const size_t page = 4096; /* no smaller on any machine */
    size_t size = 0;
    while (size + 1 < size_bytes) {
        size_t piece = page - (address + size) % page;
        if (piece > size_bytes - 1 - size)
            piece = size_bytes - 1 - size;
        if (!target->kind->read(target, address + size, out + size, piece))
            break;
        size += piece;
        if (memchr(out + size - piece, '\0', piece) != NULL)
            return true;
    }
    out[size] = '\0';
    return size > 0;
}

void target_check_header(struct target *target, const unsigned char *header, size_t size_bytes) {
    Elf64_Ehdr head;
    if (size_bytes < sizeof head || memcmp(header, ELFMAG, SELFMAG) != 0)
        die("%s has no program in the ELF format", target->name);
    if (header[EI_CLASS] != ELFCLASS64)
        die("%s is a 32-bit program: there is no Coir for such machines", target->name);
    memcpy(&head, header, sizeof head);
    if (head.e_machine != EM_X86_64 && head.e_machine != EM_AARCH64)
        die("%s is for another kind of machine (ELF number %u) than Coir is there for",
            target->name, head.e_machine);
    target->machine = head.e_machine;
}

void target_registers(const struct target *target, const uint64_t *saved, struct registers *out) {
    /* r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp */
    static const signed char x86_64[] = {15, 14, 13, 12, 6, 3,  11, 10, 9,  8,
                                         0,  2,  1,  4,  5, -1, PC, -1, -1, 7};
    *out = (struct registers){.known = 0};
    if (target->machine == EM_AARCH64) { /* x0 to x30, sp, pc */
        memcpy(out->value, saved, 32 * sizeof *saved);
        out->value[PC] = saved[32];
        out->known = (UINT64_C(1) << PC) | UINT32_MAX;
        return;
    }
    for (size_t i = 0; i < sizeof x86_64; i++) {
        if (x86_64[i] < 0)
            continue;
        out->value[x86_64[i]] = saved[i];
        out->known |= UINT64_C(1) << x86_64[i];
    }
}
