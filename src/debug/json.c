/* The listing as JSON, for programs: flat, because tasks nest without bound and parsers do not.
 *
 * {"now_ns", "tasks_alive", "grouped", "cut_short", "scopes": [...], "tasks": [...],
 *  "symbols": {address: ...}}; scopes and tasks name each other by "id" and "number". What is not
 * there or not known is null. */
#include <string.h>

#include "debug/listing.h"
#include "debug/wait.h"

/* ---- Strings ---- */

/* How many bytes from here on are one character of UTF-8; 0 if they are none. */
static size_t character_size(const unsigned char *text) {
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t more = 0; more < sizeof forms / sizeof forms[0]; more++) {
        if ((text[0] & forms[more].mask) != forms[more].lead)
            continue;
        uint32_t value = text[0] & (unsigned char)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (text[i] & 0x3fU);
        }
        const bool surrogate = value >= 0xd800 && value < 0xe000;
        return value < forms[more].least || surrogate || value > 0x10ffff ? 0 : more + 1;
    }
    return 0;
}

/* Any bytes make a valid string: those that are no UTF-8 become the character for that. */
static void put_string(FILE *out, const char *string) {
    const unsigned char *text = (const unsigned char *)string;
    (void)fputc('"', out);
    while (*text != '\0') {
        const size_t size = character_size(text);
        if (size == 0)
            (void)fputs("\\ufffd", out);
        else if (*text == '"' || *text == '\\')
            (void)fprintf(out, "\\%c", *text);
        else if (*text < ' ' || *text == 0x7f)
            (void)fprintf(out, "\\u%04x", *text);
        else
            (void)fwrite(text, 1, size, out);
        text += size > 0 ? size : 1;
    }
    (void)fputc('"', out);
}

/* ---- Members: each is given with the comma before it ---- */

static void put_key(FILE *out, const char *key) {
    (void)fprintf(out, ", \"%s\": ", key);
}

static void put_text(FILE *out, const char *key, const char *value) {
    put_key(out, key);
    if (value != NULL)
        put_string(out, value);
    else
        (void)fputs("null", out);
}

static void put_number(FILE *out, const char *key, int64_t value) {
    put_key(out, key);
    (void)fprintf(out, "%" PRId64, value);
}

static void put_flag(FILE *out, const char *key, bool value) {
    put_key(out, key);
    (void)fputs(value ? "true" : "false", out);
}

static void put_address(FILE *out, const char *key, const void *value) {
    put_key(out, key);
    if (value != NULL)
        (void)fprintf(out, "\"0x%" PRIxPTR "\"", (uintptr_t)value);
    else
        (void)fputs("null", out);
}

/* A point in time as nanoseconds from now. */
static void put_deadline(const struct coir__listing *listing, const char *key, coir_time deadline) {
    if (deadline == COIR_NEVER || deadline == COIR_CUT)
        put_text(listing->out, key, NULL);
    else
        put_number(listing->out, key, deadline - listing->now);
}

/* ---- Scopes and tasks ---- */

static void put_scope(const struct coir__listing *listing, const coir_scope *scope) {
    FILE *const out = listing->out;
    (void)fprintf(out, "{\"id\": \"0x%" PRIxPTR "\"", (uintptr_t)scope);
    put_text(out, "name", scope->coir__name);
    if (scope->coir__owner != NULL)
        put_number(out, "owner", (int64_t)coir__task_number(scope->coir__owner));
    else
        put_text(out, "owner", NULL);
    put_address(out, "outer", scope->coir__outer);
    put_number(out, "tasks", (int64_t)scope->coir__live);
    put_flag(out, "cancelled", scope->coir__cancelled);
    put_flag(out, "expired", scope->coir__expired);
    put_flag(out, "shielded", scope->coir__shield);
    put_deadline(listing, "deadline_in_ns", scope->coir__timer.deadline);
    (void)fputc('}', out);
}

static void put_wait(const struct coir__listing *listing, const coir_waiter *wait) {
    char words[COIR_WAIT_SIZE];
    FILE *const out = listing->out;
    put_text(out, "waits_for", wait != NULL ? coir__wait_text(wait, words, sizeof words) : NULL);
    put_address(out, "object", wait != NULL ? wait->object : NULL);
    if (wait != NULL && coir__wait_on_fd(wait))
        put_number(out, "fd", wait->number);
    else
        put_text(out, "fd", NULL);
    if (wait != NULL)
        put_number(out, "waited_ns", listing->now - wait->coir__since);
    else
        put_text(out, "waited_ns", NULL);
}

static void put_pc(struct coir__listing *listing, const void *pc) {
    (void)coir__name_of(&listing->names, pc); /* for the table of symbols */
    (void)fprintf(listing->out, "\"0x%" PRIxPTR "\"", (uintptr_t)pc);
}

static void put_backtrace(struct coir__listing *listing, const struct coir__task *task) {
    void *pcs[COIR_FRAMES_MAX];
    struct coir__trace trace = {.pcs = pcs, .capacity = COIR_FRAMES_MAX};
    coir__listing_trace(listing, task, &trace);
    put_key(listing->out, "backtrace");
    (void)fputc('[', listing->out);
    for (size_t i = 0; i < trace.count; i++) {
        (void)fputs(i > 0 ? ", " : "", listing->out);
        put_pc(listing, pcs[i]);
    }
    (void)fputc(']', listing->out);
}

static void put_group(const struct coir__listing *listing, const struct coir__group *group) {
    FILE *const out = listing->out;
    put_number(out, "count", (int64_t)group->count);
    put_key(out, "others");
    (void)fputc('[', out);
    for (size_t i = 0; i + 1 < group->count && i < COIR_MEMBERS_KNOWN; i++)
        (void)fprintf(out, "%s%" PRIu64, i > 0 ? ", " : "", coir__task_number(group->others[i]));
    (void)fputc(']', out);
}

static void put_task(struct coir__listing *listing, const struct coir__task *task) {
    FILE *const out = listing->out;
    char function[COIR_SYMBOL_SIZE + COIR_PATH_SIZE];
    (void)fprintf(out, "{\"number\": %" PRIu64, coir__task_number(task));
    put_text(out, "name", task->name[0] != '\0' ? task->name : NULL);
    put_text(out, "entry", coir__function_label(task->fn, function, sizeof function));
    put_address(out, "scope", task->home);
    put_text(out, "state", coir__task_state(listing, task));
    put_wait(listing, task->wait);
    put_flag(out, "cancelled", task->due == COIR_CUT);
    put_deadline(listing, "deadline_in_ns", task->due);
    put_number(out, "stack_used_bytes", (int64_t)coir__stack_used(listing->rt, task));
    put_number(out, "stack_size_bytes", (int64_t)task->shadow.size_bytes);
    if (task->origin != NULL) {
        put_key(out, "spawned_at");
        put_pc(listing, task->origin);
    } else {
        put_text(out, "spawned_at", NULL);
    }
    if (!listing->options->no_backtraces)
        put_backtrace(listing, task);
    if (listing->groups.table != NULL)
        put_group(listing, coir__group_led_by(&listing->groups, task));
    (void)fputc('}', out);
}

static void put_line(FILE *out, const struct coir__line *line) {
    put_text(out, "file", line->file);
    if (line->file != NULL)
        put_number(out, "line", line->number);
    else
        put_text(out, "line", NULL);
}

/* The function that was called, and those that were inlined there, the innermost one first. */
static void put_symbol(FILE *out, const struct coir__name *name) {
    static const struct coir__line unknown;
    const struct coir__symbol *const symbol = &name->symbol;
    const size_t inlined = name->line_count > 0 ? name->line_count - 1 : 0;
    (void)fprintf(out, "\"0x%" PRIxPTR "\": {\"offset\": %" PRIuPTR, (uintptr_t)name->pc,
                  symbol->offset);
    put_text(out, "module", symbol->module);
    put_text(out, "function", symbol->function[0] != '\0' ? symbol->function : NULL);
    put_line(out, name->line_count > 0 ? &name->lines[inlined] : &unknown);
    put_key(out, "inlined");
    (void)fputc('[', out);
    for (size_t i = 0; i < inlined; i++) {
        (void)fprintf(out, "%s{\"level\": %zu", i > 0 ? ", " : "", i);
        put_text(out, "function", name->lines[i].function);
        put_line(out, &name->lines[i]);
        (void)fputc('}', out);
    }
    (void)fputs("]}", out);
}

/* All tasks, or all scopes. */
static void put_all(struct coir__listing *listing, bool tasks) {
    const char *separator = "\n";
    struct coir__place place = coir__tree_root(listing->rt);
    listing->told = 0;
    do {
        if ((place.task != NULL) != tasks)
            continue;
        (void)fputs(separator, listing->out);
        separator = ",\n";
        if (tasks)
            put_task(listing, place.task);
        else
            put_scope(listing, place.scope);
    } while (coir__listing_next(listing, &place));
}

void coir__listing_json(struct coir__listing *listing) {
    FILE *const out = listing->out;
    const char *separator = "\n";
    (void)fprintf(out, "{\"now_ns\": %" PRId64, listing->now);
    put_number(out, "tasks_alive", (int64_t)coir__alive(listing->rt));
    put_flag(out, "grouped", listing->groups.table != NULL);
    (void)fputs(",\n\"scopes\": [", out);
    put_all(listing, false);
    (void)fputs("],\n\"tasks\": [", out);
    put_all(listing, true);
    (void)fputc(']', out);
    put_flag(out, "cut_short", listing->cut_short);
    (void)fputs(",\n\"symbols\": {", out);
    for (const struct coir__name *name = listing->names.first; name != NULL; name = name->next) {
        (void)fputs(separator, out);
        separator = ",\n";
        put_symbol(out, name);
    }
    (void)fputs("}}\n", out);
}
