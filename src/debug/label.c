/* What to call tasks, scopes and functions in messages. */
#include "coir/debug.h"
#include "debug/inspector.h"
#include "debug/words.h"

/* A listing names many tasks after few functions: it keeps what was found. */
static void look_up(coir_fn fn, struct coir__symbol *out) {
    const struct coir__runtime *const rt = coir__rt;
    const void *const behind = (const char *)(uintptr_t)fn + 1;
    if (rt != NULL && rt->inspector != NULL && rt->inspector->names != NULL) {
        *out = coir__name_of(rt->inspector->names, behind)->symbol;
        return;
    }
    struct coir__symbols symbols;
    coir__symbols_open(&symbols);
    coir__symbol_at(&symbols, behind, out);
    coir__symbols_close(&symbols);
}

static void say_function(struct coir__words *text, const struct coir__symbol *symbol) {
    if (symbol->function[0] != '\0')
        coir__say(text, "%s", symbol->function);
    else /* what addr2line and gdb take */
        coir__say(text, "%s+0x%zx", symbol->module, symbol->offset);
}

const char *coir_frame_name(const void *pc, char *out, size_t size_bytes) {
    struct coir__words text = {.out = out, .size_bytes = size_bytes};
    struct coir__symbols symbols;
    struct coir__symbol symbol;
    coir__symbols_open(&symbols);
    coir__symbol_at(&symbols, pc, &symbol);
    coir__symbols_close(&symbols);
    say_function(&text, &symbol);
    return out;
}

const char *coir__function_label(coir_fn fn, char *out, size_t size_bytes) {
    struct coir__words text = {.out = out, .size_bytes = size_bytes};
    struct coir__symbol symbol;
    look_up(fn, &symbol);
    say_function(&text, &symbol);
    return out;
}

const char *coir__task_label(const struct coir__task *task, char *out, size_t size_bytes) {
    struct coir__words text = {.out = out, .size_bytes = size_bytes};
    struct coir__symbol symbol;
    if (task->name[0] != '\0') {
        coir__say(&text, "task '%s'", task->name);
        return out;
    }
    look_up(task->fn, &symbol);
    if (symbol.function[0] != '\0') {
        coir__say(&text, "task '%s'", symbol.function);
    } else {
        coir__say(&text, "task %p (unnamed, entry at ", (const void *)task);
        say_function(&text, &symbol);
        coir__say(&text, ")");
    }
    return out;
}

const char *coir__scope_label(const coir_scope *scope, char *out, size_t size_bytes) {
    struct coir__words text = {.out = out, .size_bytes = size_bytes};
    if (scope->coir__name != NULL)
        coir__say(&text, "scope '%.*s'", (int)(size_bytes - sizeof "scope ''"), scope->coir__name);
    else
        coir__say(&text, "scope %p", (const void *)scope);
    return out;
}
