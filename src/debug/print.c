/* The listing as text, for people: a tree, indented, with the backtrace of each task below it. */
#include "debug/listing.h"
#include "debug/wait.h"
#include "debug/words.h"

#include <string.h>

#define LINE_SIZE 1024

static void print(const struct coir__listing *listing, int depth, const struct coir__words *line) {
    (void)fprintf(listing->out, "%*s%s\n", 2 * depth, "", line->out);
}

/* ", deadline in 1.2 s" */
static void say_deadline(struct coir__words *line, coir_time deadline, coir_time now) {
    if (deadline == COIR_NEVER)
        return;
    coir__say(line, ", deadline ");
    if (deadline > now) {
        coir__say(line, "in ");
        coir__say_duration(line, deadline - now);
    } else {
        coir__say_duration(line, now - deadline);
        coir__say(line, " ago");
    }
}

static void print_scope(const struct coir__listing *listing, const coir_scope *scope, int depth) {
    char buffer[LINE_SIZE], label[128];
    struct coir__words line = COIR_WORDS(buffer);
    coir__say(&line, "%s: ", coir__scope_label(scope, label, sizeof label));
    coir__say_count(&line, scope->coir__live);
    coir__say(&line, scope->coir__live == 1 ? " task" : " tasks");
    if (scope->coir__cancelled)
        coir__say(&line, scope->coir__expired ? ", cancelled by its deadline" : ", cancelled");
    if (scope->coir__shield)
        coir__say(&line, ", shielded");
    say_deadline(&line, scope->coir__timer.deadline, listing->now);
    print(listing, depth, &line);
}

/* "1.2 of 110 KiB" */
static void say_stack(struct coir__words *line, const struct coir__listing *listing,
                      const struct coir__task *task) {
    const size_t tenths = coir__stack_used(listing->rt, task) * 10 / 1024;
    coir__say(line, "; stack %zu.%zu of %zu KiB", tenths / 10, tenths % 10,
              task->shadow.size_bytes / 1024);
}

static void say_state(struct coir__words *line, const struct coir__listing *listing,
                      const struct coir__task *task) {
    char words[COIR_WAIT_SIZE];
    if (task->wait == NULL) {
        const char *const state = coir__task_state(listing, task);
        coir__say(line, "%s", strcmp(state, "new") == 0 ? "ready, not begun" : state);
        return;
    }
    (void)coir__wait_text(task->wait, words, sizeof words);
    if (task->wait->what == coir__what_sleep)
        coir__say(line, "sleeps%s", words + strlen("sleep"));
    else
        coir__say(line, "waits for %s", words);
    const coir_time waited = listing->now - task->wait->coir__since;
    coir__say(line, ", for ");
    coir__say_duration(line, waited > 0 ? waited : 0);
}

static void say_name(struct coir__words *line, const struct coir__task *task) {
    char label[128];
    (void)coir__task_label(task, label, sizeof label);
    coir__say(line, "%" PRIu64 "%s", coir__task_number(task), label + strlen("task"));
}

static void say_place(struct coir__words *line, const struct coir__name *name) {
    const struct coir__line *const line_of_call =
        name->line_count > 0 ? &name->lines[name->line_count - 1] : NULL;
    const char *const slash = strrchr(name->symbol.module, '/');
    const char *const module = slash != NULL ? slash + 1 : name->symbol.module;
    coir__say(line, "%s", name->symbol.function[0] != '\0' ? name->symbol.function : "?");
    if (line_of_call != NULL && line_of_call->file != NULL)
        coir__say(line, " at %s:%d", line_of_call->file, line_of_call->number);
    else
        coir__say(line, " in %s+0x%zx", module, name->symbol.offset);
}

static void print_place(struct coir__listing *listing, const char *before, const void *pc,
                        int depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    coir__say(&line, "%s", before);
    say_place(&line, coir__name_of(&listing->names, pc));
    print(listing, depth, &line);
}

static void print_backtrace(struct coir__listing *listing, const struct coir__task *task,
                            int depth) {
    void *pcs[COIR_FRAMES_MAX];
    struct coir__trace trace = {.pcs = pcs, .capacity = COIR_FRAMES_MAX};
    coir__listing_trace(listing, task, &trace);
    const bool whole = trace.count > 1 && coir__is_base((uintptr_t)pcs[trace.count - 1]);
    if (whole) /* the base, and the function that calls the entry function, say nothing new */
        trace.count -= trace.count > 2 && coir__has_begun(task) ? 2 : 1;
    for (size_t i = 0; i < trace.count; i++)
        print_place(listing, "", pcs[i], depth);
    if (!whole)
        (void)fprintf(listing->out, "%*s...\n", 2 * depth, "");
    if (task->origin != NULL)
        print_place(listing, "spawned by ", task->origin, depth);
}

/* "and 9,998 tasks as this one, for 1.1 s to 5.2 s: 4 'fetch', 5 'fetch', 6 'fetch', ..." */
static void print_others(const struct coir__listing *listing, const struct coir__group *group,
                         int depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    const size_t others = group->count - 1;
    coir__say(&line, "and ");
    coir__say_count(&line, others);
    coir__say(&line, others == 1 ? " task as this one" : " tasks as this one");
    if (group->first->wait != NULL) {
        coir__say(&line, ", for ");
        coir__say_duration(&line, group->shortest);
    }
    if (group->longest >= group->shortest + COIR_MS(100)) {
        coir__say(&line, " to ");
        coir__say_duration(&line, group->longest);
    }
    for (size_t i = 0; i < others && i < COIR_MEMBERS_KNOWN; i++) {
        coir__say(&line, i == 0 ? ": " : ", ");
        say_name(&line, group->others[i]);
    }
    coir__say(&line, others > COIR_MEMBERS_KNOWN ? ", ..." : "");
    print(listing, depth, &line);
}

static void print_task(struct coir__listing *listing, const struct coir__task *task, int depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    coir__say(&line, "task ");
    say_name(&line, task);
    coir__say(&line, ": ");
    say_state(&line, listing, task);
    if (task->due == COIR_CUT)
        coir__say(&line, ", cancelled");
    else
        say_deadline(&line, task->due, listing->now);
    say_stack(&line, listing, task);
    print(listing, depth, &line);
    if (!listing->options->no_backtraces)
        print_backtrace(listing, task, depth + 2);
    if (listing->groups.table == NULL)
        return;
    const struct coir__group *const group = coir__group_led_by(&listing->groups, task);
    if (group->count > 1)
        print_others(listing, group, depth + 2);
}

void coir__listing_text(struct coir__listing *listing) {
    struct coir__place place = coir__tree_root(listing->rt);
    do {
        if (place.scope != NULL)
            print_scope(listing, place.scope, place.depth + 1);
        else
            print_task(listing, place.task, place.depth + 1);
    } while (coir__listing_next(listing, &place));
    if (listing->cut_short)
        (void)fprintf(listing->out, "  and more: no more than %zu were to be listed\n",
                      listing->options->tasks_max);
}
