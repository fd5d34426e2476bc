/* Who a task is, in words. */
#include "debug/identity.h"

#include <string.h>

#include "debug/frame_text.h"

/* Names are the program's memory and may be of any length. */
static void copy_name(char out[COIR_NAME_SIZE], const char *name) {
    const size_t length = name != NULL ? strnlen(name, COIR_NAME_SIZE - 1) : 0;
    if (length > 0)
        memcpy(out, name, length);
    out[length] = '\0';
}

static void note(struct coir__called *out, const struct coir__task *task) {
    out->fn = task->fn;
    copy_name(out->name, task->name);
}

void coir__identify(struct coir__identity *out, const struct coir__task *task) {
    const coir_scope *const home = task->home;
    memset(out, 0, sizeof *out);
    note(&out->task, task);
    if (home == NULL)
        return;
    if (home->coir__owner != NULL)
        note(&out->owner, home->coir__owner);
    copy_name(out->scope, home->coir__name);
    out->scope_address = home;
    out->origin = task->origin;
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
