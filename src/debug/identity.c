/* Who a task is, in words. */
#include "debug/identity.h"

#include <string.h>

#include "debug/frame_text.h"

/* Copies memory that may be gone by now; what cannot be had stays zero. */
static size_t peek(void *out, const void *from, size_t size_bytes) {
#ifdef __linux__
    const struct iovec here = {.iov_base = out, .iov_len = size_bytes};
    const struct iovec there = {.iov_base = (void *)(uintptr_t)from, .iov_len = size_bytes};
    const long got = syscall(SYS_process_vm_readv, getpid(), &here, 1UL, &there, 1UL, 0UL);
    if (got >= 0 || (errno != ENOSYS && errno != EPERM))
        return got > 0 ? (size_t)got : 0;
#endif
    memcpy(out, from, size_bytes);
    return size_bytes;
}

#define PEEK(out, object, field) ((void)peek(&(out), &(object)->field, sizeof(out)))

/* Ends in zero, as `out` is zeroed: the name may be cut short. */
static void peek_name(char out[COIR_NAME_SIZE], const char *name) {
    if (name != NULL)
        (void)peek(out, name, COIR_NAME_SIZE - 1);
}

static void note(struct coir__called *out, const struct coir__task *task) {
    PEEK(out->fn, task, fn);
    peek_name(out->name, task->name);
}

void coir__identify(struct coir__identity *out, const struct coir__task *task) {
    coir_scope *home = NULL;
    struct coir__task *owner = NULL;
    const char *name = NULL;
    memset(out, 0, sizeof *out);
    note(&out->task, task);
    PEEK(out->origin, task, origin);
    PEEK(home, task, home);
    if (home == NULL)
        return;
    out->scope_address = home;
    PEEK(name, home, coir__name);
    peek_name(out->scope, name);
    PEEK(owner, home, coir__owner);
    if (owner != NULL)
        note(&out->owner, owner);
}

static void add_quoted(struct coir__text *line, const char *text) {
    coir__text_add(line, "'");
    coir__text_add(line, text);
    coir__text_add(line, "'");
}

void coir__text_task(struct coir__text *line, struct coir__symbols *symbols,
                     const struct coir__called *task) {
    struct coir__symbol symbol = {.function = ""};
    coir__text_add(line, "task ");
    if (task->name[0] != '\0') {
        add_quoted(line, task->name);
        return;
    }
    coir__symbol_at(symbols, (const char *)(uintptr_t)task->fn + 1, &symbol);
    if (symbol.function[0] != '\0') {
        add_quoted(line, symbol.function);
    } else {
        coir__text_add(line, "(unnamed, its function at ");
        coir__text_symbol(line, symbols, (const char *)(uintptr_t)task->fn + 1);
        coir__text_add(line, ")");
    }
}

void coir__text_origin(struct coir__text *line, struct coir__symbols *symbols,
                       const struct coir__identity *identity) {
    if (identity->origin == NULL) {
        coir__text_add(line, "the main task of coir_run");
        return;
    }
    coir__text_add(line, "spawned into scope ");
    if (identity->scope[0] != '\0')
        add_quoted(line, identity->scope);
    else
        coir__text_address(line, identity->scope_address);
    if (identity->owner.fn != NULL) {
        coir__text_add(line, " of ");
        coir__text_task(line, symbols, &identity->owner);
    }
    coir__text_add(line, " by ");
    coir__text_symbol(line, symbols, identity->origin);
}
