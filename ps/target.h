/* What is looked into: the memory and registers of a process, or of a core file.
 *
 * Whatever leaves nothing to show ends the program, with a message that says what is wrong and what
 * to do. A process that is held then goes on: the kernel sees to that. */
#ifndef PS_TARGET_H
#define PS_TARGET_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Registers by their DWARF numbers, and the program counter behind them. */
enum { REGISTERS = 33, PC = REGISTERS };
struct registers {
    uint64_t value[REGISTERS + 1];
    uint64_t known; /* a bit for each */
};

struct target;
struct piece;

/* Called for a range of memory; whether that was all that was wanted. */
typedef bool target_visit(const struct target *target, uint64_t low, uint64_t high, void *context);

/* What the two kinds of targets do differently. */
struct target_kind {
    /* Whether all of it could be read. */
    bool (*read)(const struct target *target, uint64_t address, void *out, size_t size_bytes);
    /* Reads many ranges to where their bytes shall be; of one that cannot be read, that is NULL. */
    void (*read_all)(const struct target *target, struct piece *pieces, size_t count);
    /* Visits the memory that holds variables of program files. */
    void (*search)(const struct target *target, target_visit *visit, void *context);
    /* Stops one more thread, known by the number that it has for itself. */
    void (*hold)(struct target *target, long thread);
    /* The registers of a thread that is held. Whether there is such a thread. */
    bool (*registers)(const struct target *target, long thread, struct registers *out);
    /* Lets all threads go on. */
    void (*release)(struct target *target);
    /* Finds its program files, for `dwfl`. */
    void (*report)(struct target *target);
    void (*close)(struct target *target);
};

struct target {
    const struct target_kind *kind;
    void *own;        /* the kind's */
    char name[512];   /* "process 71", "core file /tmp/core" */
    pid_t pid;        /* 0: a core file */
    const char *path; /* of the core file */
    bool cut_short;   /* the core file lacks its end */
    unsigned machine; /* EM_X86_64 or EM_AARCH64 */
    Dwfl *dwfl;
};

void target_open_process(struct target *target, pid_t pid);
/* `program`: the file of its program; NULL: where the core file says that it was. */
void target_open_core(struct target *target, const char *core, const char *program);
void target_close(struct target *target);

/* Reads a text, which may end where the memory does; cut to fit. Whether there is any. */
bool target_read_text(const struct target *target, uint64_t address, char *out, size_t size_bytes);

/* ---- For the two kinds ---- */

/* Notes the machine that an ELF header is for, unless that is one to complain about. */
void target_check_header(struct target *target, const unsigned char *header, size_t size_bytes);
/* From where the kernel saves those of a thread: struct user_regs_struct. */
void target_registers(const struct target *target, const uint64_t *saved, struct registers *out);

/* ---- For all ---- */

/* Says "coir-ps: ..." */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and ends the program. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Memory that is zeroed, and never NULL. */
void *allocate(size_t size_bytes);
void *enlarge(void *memory, size_t size_bytes);

#endif
