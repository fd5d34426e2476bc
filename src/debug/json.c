/* The listing as JSON, for programs: flat, because tasks nest without bound and parsers do not.
 *
 * {"now_ns", "tasks_alive", "grouped", "cut_short", "scopes": [...], "tasks": [...],
 *  "symbols": {address: ...}}; scopes and tasks name each other by "id" and "number". What is not
 * there or not known is null. */
#include <string.h>

#include "debug/listing.h"
#include "debug/members.h"
#include "debug/wait.h"

/* A point in time as nanoseconds from now. */
static void put_deadline(const struct coir__listing *listing, const char *key, coir_time deadline) {
    if (deadline == COIR_NEVER || deadline == COIR_CUT)
        coir__put_text(listing->out, key, NULL);
    else
        coir__put_number(listing->out, key, deadline - listing->now);
}

/* ---- Scopes and tasks ---- */

static void put_scope(const struct coir__listing *listing, const coir_scope *scope) {
    FILE *const out = listing->out;
    (void)fprintf(out, "{\"id\": \"0x%" PRIxPTR "\"", (uintptr_t)scope);
    coir__put_text(out, "name", scope->coir__name);
    if (scope->coir__owner != NULL)
        coir__put_number(out, "owner", (int64_t)coir__task_number(scope->coir__owner));
    else
        coir__put_text(out, "owner", NULL);
    coir__put_address(out, "outer", (uintptr_t)scope->coir__outer);
    coir__put_number(out, "tasks", (int64_t)scope->coir__live);
    coir__put_flag(out, "cancelled", scope->coir__cancelled);
    coir__put_flag(out, "expired", scope->coir__expired);
    coir__put_flag(out, "shielded", scope->coir__shield);
    put_deadline(listing, "deadline_in_ns", scope->coir__timer.deadline);
    (void)fputc('}', out);
}

static void put_wait(const struct coir__listing *listing, const coir_waiter *wait) {
    char words[COIR_WAIT_SIZE];
    FILE *const out = listing->out;
    coir__put_text(out, "waits_for",
                   wait != NULL ? coir__wait_text(wait, words, sizeof words) : NULL);
    coir__put_address(out, "object", (uintptr_t)(wait != NULL ? wait->object : NULL));
    if (wait != NULL && coir__wait_on_fd(wait))
        coir__put_number(out, "fd", wait->number);
    else
        coir__put_text(out, "fd", NULL);
    if (wait != NULL)
        coir__put_number(out, "waited_ns", listing->now - wait->coir__since);
    else
        coir__put_text(out, "waited_ns", NULL);
}

static void put_pc(struct coir__listing *listing, const void *pc) {
    (void)coir__name_of(&listing->names, pc); /* for the table of symbols */
    (void)fprintf(listing->out, "\"0x%" PRIxPTR "\"", (uintptr_t)pc);
}

static void put_backtrace(struct coir__listing *listing, const struct coir__task *task) {
    void *pcs[COIR_FRAMES_MAX];
    struct coir__trace trace = {.pcs = pcs, .capacity = COIR_FRAMES_MAX};
    coir__listing_trace(listing, task, &trace);
    coir__put_key(listing->out, "backtrace");
    (void)fputc('[', listing->out);
    for (size_t i = 0; i < trace.count; i++) {
        (void)fputs(i > 0 ? ", " : "", listing->out);
        put_pc(listing, pcs[i]);
    }
    (void)fputc(']', listing->out);
}

static void put_group(const struct coir__listing *listing, const struct coir__group *group) {
    FILE *const out = listing->out;
    coir__put_number(out, "count", (int64_t)group->count);
    coir__put_key(out, "others");
    (void)fputc('[', out);
    for (size_t i = 0; i + 1 < group->count && i < COIR_MEMBERS_KNOWN; i++)
        (void)fprintf(out, "%s%" PRIu64, i > 0 ? ", " : "", coir__task_number(group->others[i]));
    (void)fputc(']', out);
}

static void put_task(struct coir__listing *listing, const struct coir__task *task) {
    FILE *const out = listing->out;
    char function[COIR_SYMBOL_SIZE + COIR_PATH_SIZE];
    (void)fprintf(out, "{\"number\": %" PRIu64, coir__task_number(task));
    coir__put_text(out, "name", task->name[0] != '\0' ? task->name : NULL);
    coir__put_text(out, "entry", coir__function_label(task->fn, function, sizeof function));
    coir__put_address(out, "scope", (uintptr_t)task->home);
    coir__put_text(out, "state", coir__task_state(listing, task));
    put_wait(listing, task->wait);
    coir__put_flag(out, "cancelled", task->due == COIR_CUT);
    put_deadline(listing, "deadline_in_ns", task->due);
    coir__put_number(out, "stack_used_bytes", (int64_t)coir__stack_used(listing->rt, task));
    coir__put_number(out, "stack_size_bytes", (int64_t)task->shadow.size_bytes);
    if (task->origin != NULL) {
        coir__put_key(out, "spawned_at");
        put_pc(listing, task->origin);
    } else {
        coir__put_text(out, "spawned_at", NULL);
    }
    if (!listing->options->no_backtraces)
        put_backtrace(listing, task);
    if (listing->groups.table != NULL)
        put_group(listing, coir__group_led_by(&listing->groups, task));
    (void)fputc('}', out);
}

static void put_line(FILE *out, const struct coir__line *line) {
    coir__put_text(out, "file", line->file);
    if (line->file != NULL)
        coir__put_number(out, "line", line->number);
    else
        coir__put_text(out, "line", NULL);
}

/* The function that was called, and those that were inlined there, the innermost one first. */
static void put_symbol(FILE *out, const struct coir__name *name) {
    static const struct coir__line unknown;
    const struct coir__symbol *const symbol = &name->symbol;
    const size_t inlined = name->line_count > 0 ? name->line_count - 1 : 0;
    (void)fprintf(out, "\"0x%" PRIxPTR "\": {\"offset\": %" PRIuPTR, (uintptr_t)name->pc,
                  symbol->offset);
    coir__put_text(out, "module", symbol->module);
    coir__put_text(out, "function", symbol->function[0] != '\0' ? symbol->function : NULL);
    put_line(out, name->line_count > 0 ? &name->lines[inlined] : &unknown);
    coir__put_key(out, "inlined");
    (void)fputc('[', out);
    for (size_t i = 0; i < inlined; i++) {
        (void)fprintf(out, "%s{\"level\": %zu", i > 0 ? ", " : "", i);
        coir__put_text(out, "function", name->lines[i].function);
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
    coir__put_number(out, "tasks_alive", (int64_t)coir__alive(listing->rt));
    coir__put_flag(out, "grouped", listing->groups.table != NULL);
    (void)fputs(",\n\"scopes\": [", out);
    put_all(listing, false);
    (void)fputs("],\n\"tasks\": [", out);
    put_all(listing, true);
    (void)fputc(']', out);
    coir__put_flag(out, "cut_short", listing->cut_short);
    (void)fputs(",\n\"symbols\": {", out);
    for (const struct coir__name *name = listing->names.first; name != NULL; name = name->next) {
        (void)fputs(separator, out);
        separator = ",\n";
        put_symbol(out, name);
    }
    (void)fputs("}}\n", out);
}
