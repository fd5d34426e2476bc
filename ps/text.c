/* The listing as text: a tree, indented, with the backtrace of each task below it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coir/base.h"
#include "listing.h"

#define LINE_SIZE 1024

static void print_line(const struct listing *listing, unsigned depth,
                       const struct coir__words *line) {
    (void)fprintf(listing->out, "%*s%s\n", (int)(2 * depth), "", line->out);
}

/* ", deadline in 1.2 s" */
static void say_deadline(struct coir__words *line, const struct listing *listing,
                         int64_t deadline) {
    const int64_t left = deadline - listing->runtime->now;
    if (deadline == FOREVER)
        return;
    coir__say(line, ", deadline %s", left > 0 ? "in " : "");
    coir__say_duration(line, left > 0 ? left : -left);
    coir__say(line, left > 0 ? "" : " ago");
}

static void print_scope(const struct listing *listing, const struct place *place, unsigned depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    const struct scope *const scope = &place->scope;
    say_scope(&line, place);
    coir__say(&line, ": ");
    coir__say_count(&line, scope->live);
    coir__say(&line, scope->live == 1 ? " task" : " tasks");
    if (place->cancelled)
        coir__say(&line, scope->expired ? ", cancelled by its deadline" : ", cancelled");
    if (scope->shielded)
        coir__say(&line, ", shielded");
    say_deadline(&line, listing, place->deadline);
    print_line(listing, depth, &line);
}

static void say_state(struct coir__words *line, const struct listing *listing,
                      const struct task *task) {
    static const char *const states[] = {"running", "ready", "ready, not begun", "waits"};
    char words[LINE_SIZE];
    struct coir__words wait = COIR_WORDS(words);
    if (task->wait == NULL) {
        coir__say(line, "%s", states[task->state]);
        return;
    }
    say_wait(&wait, listing, task->wait);
    if (task->wait->kind == WAIT_SLEEP)
        coir__say(line, "sleeps%s", words + strlen("sleep"));
    else
        coir__say(line, "waits for %s", words);
    const int64_t waited = listing->runtime->now - task->wait->since;
    if (waited > 0) { /* in a core file the time is that of the last turn */
        coir__say(line, ", for ");
        coir__say_duration(line, waited);
    }
}

static void say_stack(struct coir__words *line, const struct task *task) {
    if (task->sp == 0)
        return;
    const uint64_t tenths = (task->stack + task->stack_size - task->sp) * 10 / 1024;
    coir__say(line, "; stack %" PRIu64 ".%" PRIu64 " of %" PRIu64 " KiB", tenths / 10, tenths % 10,
              task->stack_size / 1024);
}

static void print_source(const struct listing *listing, const char *before,
                         const struct source *source, unsigned depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    coir__say(&line, "%s%s", before, source->function != NULL ? source->function : "?");
    if (source->file != NULL)
        coir__say(&line, " at %s:%d", source->file, source->line);
    print_line(listing, depth, &line);
}

/* The library's own small functions say nothing where they are inlined, nor does a part of a
 * function that was split off and put back. */
static bool is_noise(const struct source *source, const struct source *outer) {
    const char *const function = source->function;
    return function != NULL &&
           (strncmp(function, "coir__", 6) == 0 || strncmp(function, "sanitizer_", 10) == 0 ||
            (outer->function != NULL && strcmp(function, outer->function) == 0));
}

static void print_frame(const struct listing *listing, const char *before, uint64_t pc,
                        unsigned depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    const struct name *const name = name_of(listing->world->target, pc);
    for (size_t i = 0; i < name->source_count; i++) {
        const struct source *const source = &name->sources[i];
        if (i + 1 == name->source_count || !is_noise(source, source + 1)) {
            print_source(listing, before, source, depth);
            before = "";
        }
    }
    if (name->source_count > 0)
        return;
    const char *const slash = name->module != NULL ? strrchr(name->module, '/') : NULL;
    coir__say(&line, "%s%s", before, name->function != NULL ? name->function : "?");
    if (name->module != NULL)
        coir__say(&line, " in %s+0x%" PRIx64, slash != NULL ? slash + 1 : name->module,
                  name->offset);
    else
        coir__say(&line, " 0x%" PRIx64, pc - 1);
    print_line(listing, depth, &line);
}

/* The innermost one: where the call is in the source. */
static void print_origin(const struct listing *listing, uint64_t pc, unsigned depth) {
    const struct name *const name = name_of(listing->world->target, pc);
    if (name->source_count > 0)
        print_source(listing, "spawned by ", &name->sources[0], depth);
    else
        print_frame(listing, "spawned by ", pc, depth);
}

static void print_backtrace(const struct listing *listing, const struct task *task,
                            unsigned depth) {
    for (size_t i = 0; i < task->frame_count; i++)
        print_frame(listing, "", task->frames[i], depth);
    if (task->frame_count == FRAMES_MAX)
        (void)fprintf(listing->out, "%*s...\n", (int)(2 * depth), "");
    if (task->frame_count == 0)
        (void)fprintf(listing->out, "%*s(where it is cannot be told)\n", (int)(2 * depth), "");
    if (task->origin != 0)
        print_origin(listing, task->origin, depth);
}

static void say_short(struct coir__words *line, const struct listing *listing, size_t index) {
    char buffer[LINE_SIZE];
    struct coir__words whole = COIR_WORDS(buffer);
    say_task(&whole, listing, &listing->runtime->places[index].task);
    coir__say(line, "%s", buffer + strlen("task "));
}

/* "and 9,998 tasks as this one, for 1.1 s to 5.2 s: 4 'fetch', 5 'fetch', 6 'fetch', ..." */
static void print_others(const struct listing *listing, const struct task *task,
                         const struct group *group, unsigned depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    const size_t others = group->count - 1;
    coir__say(&line, "and ");
    coir__say_count(&line, others);
    coir__say(&line, others == 1 ? " task as this one" : " tasks as this one");
    if (task->wait != NULL && group->longest > 0) {
        coir__say(&line, ", for ");
        coir__say_duration(&line, group->shortest);
    }
    if (group->longest >= group->shortest + COIR_MS(100)) {
        coir__say(&line, " to ");
        coir__say_duration(&line, group->longest);
    }
    for (size_t i = 0; i < others && i < MEMBERS_KNOWN; i++) {
        coir__say(&line, i == 0 ? ": " : ", ");
        say_short(&line, listing, group->others[i]);
    }
    coir__say(&line, others > MEMBERS_KNOWN ? ", ..." : "");
    print_line(listing, depth, &line);
}

static void print_task(const struct listing *listing, const struct place *place,
                       const struct group *group, unsigned depth) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    say_task(&line, listing, &place->task);
    coir__say(&line, ": ");
    say_state(&line, listing, &place->task);
    if (place->cancelled)
        coir__say(&line, ", cancelled");
    else
        say_deadline(&line, listing, place->deadline);
    say_stack(&line, &place->task);
    print_line(listing, depth, &line);
    if (listing->with_frames)
        print_backtrace(listing, &place->task, depth + 2);
    if (group->count > 1)
        print_others(listing, &place->task, group, depth + 2);
}

static void print_runtime(struct listing *listing, const struct view *view) {
    const struct runtime *const runtime = listing->runtime;
    struct group *const groups = groups_find(runtime, view->alike);
    (void)fprintf(listing->out, "thread %ld:\n", runtime->thread);
    for (size_t i = 0; i < runtime->count; i++) {
        const struct place *const place = &runtime->places[i];
        if (groups[i].count == 0)
            continue;
        if (place->kind == SCOPE)
            print_scope(listing, place, place->depth + 1);
        else if (place->kind == TASK)
            print_task(listing, place, &groups[i], place->depth + 1);
        else
            (void)fprintf(listing->out,
                          "%*s(what should be at 0x%" PRIx64 " is not there, or is destroyed)\n",
                          (int)(2 * place->depth + 2), "", place->address);
    }
    free(groups);
}

/* "process 71: Coir 0.1.0, 10,003 tasks; held for 8.9 ms" */
static void print_head(const struct world *world, FILE *out) {
    char buffer[LINE_SIZE];
    struct coir__words line = COIR_WORDS(buffer);
    const struct table *const table = world->runtimes[0].table;
    size_t tasks = 0;
    for (size_t i = 0; i < world->count; i++)
        tasks += world->runtimes[i].tasks;
    coir__say(&line, "%s: Coir %" PRIu64 ".%" PRIu64 ".%" PRIu64 ", ", world->target->name,
              table->release_major, table->release_minor, table->release_patch);
    coir__say_count(&line, tasks);
    coir__say(&line, tasks == 1 ? " task" : " tasks");
    if (world->target->pid != 0) {
        coir__say(&line, "; held for ");
        coir__say_duration(&line, world->held_ns);
    }
    (void)fprintf(out, "%s\n", buffer);
}

void print_text(const struct world *world, const struct view *view, FILE *out) {
    print_head(world, out);
    for (size_t i = 0; i < world->count; i++) {
        struct listing listing = {.world = world,
                                  .runtime = &world->runtimes[i],
                                  .out = out,
                                  .with_frames = view->with_frames};
        print_runtime(&listing, view);
    }
}
