/* The listing as JSON, flat as that of coir_dump_with (coir/debug.h), whose members scopes, tasks
 * and symbols have:
 *
 * {"release", "pid" and "held_ns", or "core",
 *  "runtimes": [{"thread", "now_ns", "tasks_alive", "grouped", "complete", "scopes", "tasks"}],
 *  "symbols"}; "complete" is false where some memory was missing. */
#include <inttypes.h>
#include <stdlib.h>

#include "debug/members.h"
#include "listing.h"

#define WORDS_SIZE 1024

static void put_null(FILE *out, const char *key) {
    coir__put_text(out, key, NULL);
}

static void put_deadline(const struct listing *listing, int64_t deadline) {
    if (deadline == FOREVER)
        put_null(listing->out, "deadline_in_ns");
    else
        coir__put_number(listing->out, "deadline_in_ns", deadline - listing->runtime->now);
}

/* The number of the task at the place, or null. */
static void put_owner(const struct listing *listing, const struct place *scope) {
    const struct place *const places = listing->runtime->places;
    size_t index = scope->parent;
    while (index > 0 && places[index].kind == SCOPE)
        index = places[index].parent;
    if (places[index].kind == TASK)
        coir__put_number(listing->out, "owner", (int64_t)places[index].task.number);
    else
        put_null(listing->out, "owner");
}

static void put_scope(const struct listing *listing, const struct place *place) {
    FILE *const out = listing->out;
    (void)fprintf(out, "{\"id\": \"0x%" PRIx64 "\"", place->address);
    coir__put_text(out, "name", place->scope.name);
    put_owner(listing, place);
    coir__put_address(out, "outer", place->scope.outer);
    coir__put_number(out, "tasks", (int64_t)place->scope.live);
    coir__put_flag(out, "cancelled", place->cancelled);
    coir__put_flag(out, "expired", place->scope.expired);
    coir__put_flag(out, "shielded", place->scope.shielded);
    put_deadline(listing, place->deadline);
    (void)fputc('}', out);
}

static void put_wait(const struct listing *listing, const struct wait *wait) {
    char buffer[WORDS_SIZE];
    struct coir__words words = COIR_WORDS(buffer);
    FILE *const out = listing->out;
    if (wait == NULL) {
        put_null(out, "waits_for");
        put_null(out, "object");
        put_null(out, "fd");
        put_null(out, "waited_ns");
        return;
    }
    say_wait(&words, listing, wait);
    coir__put_text(out, "waits_for", buffer);
    coir__put_address(out, "object", wait->object);
    if (waits_for_fd(listing, wait))
        coir__put_number(out, "fd", wait->number);
    else
        put_null(out, "fd");
    coir__put_number(out, "waited_ns", listing->runtime->now - wait->since);
}

static void put_pc(const struct listing *listing, uint64_t pc) {
    (void)name_of(listing->world->target, pc); /* for the table of symbols */
    (void)fprintf(listing->out, "\"0x%" PRIx64 "\"", pc);
}

static void put_backtrace(const struct listing *listing, const struct task *task) {
    coir__put_key(listing->out, "backtrace");
    (void)fputc('[', listing->out);
    for (size_t i = 0; i < task->frame_count; i++) {
        (void)fputs(i > 0 ? ", " : "", listing->out);
        put_pc(listing, task->frames[i]);
    }
    (void)fputc(']', listing->out);
}

static void put_task(const struct listing *listing, const struct place *place) {
    static const char *const states[] = {"running", "ready", "new", "waiting"};
    char buffer[WORDS_SIZE];
    struct coir__words words = COIR_WORDS(buffer);
    FILE *const out = listing->out;
    const struct task *const task = &place->task;
    say_function(&words, listing, task->fn);
    (void)fprintf(out, "{\"number\": %" PRIu64, task->number);
    coir__put_text(out, "name", task->name[0] != '\0' ? task->name : NULL);
    coir__put_text(out, "entry", buffer);
    coir__put_address(out, "scope", task->home);
    coir__put_text(out, "state", states[task->state]);
    put_wait(listing, task->wait);
    coir__put_flag(out, "cancelled", place->cancelled);
    put_deadline(listing, place->deadline);
    if (task->sp != 0)
        coir__put_number(out, "stack_used_bytes",
                         (int64_t)(task->stack + task->stack_size - task->sp));
    else
        put_null(out, "stack_used_bytes");
    coir__put_number(out, "stack_size_bytes", (int64_t)task->stack_size);
    if (task->origin != 0) {
        coir__put_key(out, "spawned_at");
        put_pc(listing, task->origin);
    } else {
        put_null(out, "spawned_at");
    }
    if (listing->with_frames)
        put_backtrace(listing, task);
    (void)fputc('}', out);
}

/* All that are of one kind. Whether there are others that are missing. */
static void put_places(const struct listing *listing, const char *key, enum place_kind kind) {
    const char *separator = "\n";
    (void)fprintf(listing->out, ",\n\"%s\": [", key);
    for (size_t i = 0; i < listing->runtime->count; i++) {
        const struct place *const place = &listing->runtime->places[i];
        if (place->kind != kind)
            continue;
        (void)fputs(separator, listing->out);
        separator = ",\n";
        (kind == TASK ? put_task : put_scope)(listing, place);
    }
    (void)fputc(']', listing->out);
}

static void put_runtime(const struct listing *listing) {
    const struct runtime *const runtime = listing->runtime;
    bool complete = true;
    for (size_t i = 0; i < runtime->count; i++)
        complete &= runtime->places[i].kind != MISSING;
    (void)fprintf(listing->out, "\n{\"thread\": %ld", runtime->thread);
    coir__put_number(listing->out, "now_ns", runtime->now);
    coir__put_number(listing->out, "tasks_alive", (int64_t)runtime->tasks);
    coir__put_flag(listing->out, "grouped", false);
    coir__put_flag(listing->out, "complete", complete);
    put_places(listing, "scopes", SCOPE);
    put_places(listing, "tasks", TASK);
    (void)fputc('}', listing->out);
}

/* ---- Symbols ---- */

static void put_line(FILE *out, const struct source *source) {
    coir__put_text(out, "file", source->file);
    if (source->file != NULL)
        coir__put_number(out, "line", source->line);
    else
        put_null(out, "line");
}

/* The function that was called, and those that were inlined there, the innermost one first. */
static void put_symbol(FILE *out, const struct name *name) {
    static const struct source unknown;
    const size_t inlined = name->source_count > 0 ? name->source_count - 1 : 0;
    (void)fprintf(out, "\"0x%" PRIx64 "\": {\"offset\": %" PRIu64, name->pc, name->offset);
    coir__put_text(out, "module", name->module);
    coir__put_text(out, "function", name->function);
    put_line(out, name->source_count > 0 ? &name->sources[inlined] : &unknown);
    coir__put_key(out, "inlined");
    (void)fputc('[', out);
    for (size_t i = 0; i < inlined; i++) {
        (void)fprintf(out, "%s{\"level\": %zu", i > 0 ? ", " : "", i);
        coir__put_text(out, "function", name->sources[i].function);
        put_line(out, &name->sources[i]);
        (void)fputc('}', out);
    }
    (void)fputs("]}", out);
}

void print_json(const struct world *world, const struct view *view, FILE *out) {
    const struct table *const table = world->runtimes[0].table;
    const struct target *const target = world->target;
    char release[64];
    const char *separator = "\n";
    (void)snprintf(release, sizeof release, "%" PRIu64 ".%" PRIu64 ".%" PRIu64,
                   table->release_major, table->release_minor, table->release_patch);
    (void)fprintf(out, "{\"release\": \"%s\"", release);
    if (target->pid != 0) {
        coir__put_number(out, "pid", target->pid);
        coir__put_number(out, "held_ns", world->held_ns);
    } else {
        coir__put_text(out, "core", target->path);
    }
    (void)fputs(",\n\"runtimes\": [", out);
    for (size_t i = 0; i < world->count; i++) {
        const struct listing listing = {.world = world,
                                        .runtime = &world->runtimes[i],
                                        .out = out,
                                        .with_frames = view->with_frames};
        (void)fputs(i > 0 ? "," : "", out);
        put_runtime(&listing);
    }
    (void)fputs("],\n\"symbols\": {", out);
    for (const struct name *name = names_first(); name != NULL; name = name->next) {
        (void)fputs(separator, out);
        separator = ",\n";
        put_symbol(out, name);
    }
    (void)fputs("}}\n", out);
}
