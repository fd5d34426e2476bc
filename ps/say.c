/* Tasks, scopes and waits in words; as the library says them (src/debug/wait.c), for what can be
 * known of them from outside. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "listing.h"

static const char *last_part(const char *path) {
    const char *const slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

void say_function(struct coir__words *text, const struct listing *listing, uint64_t fn) {
    const struct name *const name = name_of(listing->world->target, fn + 1);
    if (name->function != NULL)
        coir__say(text, "%s", name->function);
    else if (name->module != NULL)
        coir__say(text, "%s+0x%" PRIx64, last_part(name->module), name->offset);
    else
        coir__say(text, "0x%" PRIx64, fn);
}

void say_task(struct coir__words *text, const struct listing *listing, const struct task *task) {
    coir__say(text, "task %" PRIu64 " '", task->number);
    if (task->name[0] != '\0')
        coir__say(text, "%s", task->name);
    else
        say_function(text, listing, task->fn);
    coir__say(text, "'");
}

static void say_scope_name(struct coir__words *text, const char *name, uint64_t address) {
    if (name != NULL)
        coir__say(text, "scope '%s'", name);
    else
        coir__say(text, "scope 0x%" PRIx64, address);
}

void say_scope(struct coir__words *text, const struct place *scope) {
    say_scope_name(text, scope->scope.name, scope->address);
}

/* The task at the address, in whatever runtime; waits that name one are few, or told of once. */
static void say_task_at(struct coir__words *text, const struct listing *listing, uint64_t address) {
    for (size_t i = 0; i < listing->world->count; i++) {
        const struct runtime *const runtime = &listing->world->runtimes[i];
        for (size_t n = 0; n < runtime->count; n++) {
            if (runtime->places[n].address == address && runtime->places[n].kind == TASK) {
                say_task(text, listing, &runtime->places[n].task);
                return;
            }
        }
    }
    coir__say(text, "task 0x%" PRIx64, address);
}

static void say_holder(struct coir__words *text, const struct listing *listing,
                       const struct wait *wait, const char *verb) {
    if (wait->task != 0) {
        coir__say(text, " %s by ", verb);
        say_task_at(text, listing, wait->task);
    } else if (wait->counts[0] != 0) {
        coir__say(text, " %s by %" PRIu64 " %s", verb, wait->counts[0],
                  wait->counts[0] == 1 ? "reader" : "readers");
    }
}

/* The words end in "scope", which the name of one begins with. */
static void say_wait_for_scope(struct coir__words *text, const struct wait *wait,
                               const char *what) {
    const size_t length = strlen(what), end = strlen("scope");
    coir__say(text, "%.*s", (int)(length > end ? length - end : 0), what);
    say_scope_name(text, wait->text, wait->object);
}

static void say_sleep(struct coir__words *text, const struct listing *listing,
                      const struct wait *wait) {
    const int64_t left = wait->number - listing->runtime->now;
    if (wait->number == FOREVER) {
        coir__say(text, "sleep for ever");
    } else {
        coir__say(text, "sleep until ");
        if (left > 0)
            coir__say_duration(text, left);
        coir__say(text, left > 0 ? " from now" : "now");
    }
}

#define WHAT_SIZE 64

/* Its words. They are not in a core file, but in the program's. */
static const char *what_of(const struct listing *listing, const struct wait *wait, char *out) {
    static const char *const known[] = {
        [WAIT_LOCK] = "lock",       [WAIT_ONCE] = "once",       [WAIT_CONDITION] = "condition",
        [WAIT_SCOPE] = "scope",     [WAIT_CHANNEL] = "channel", [WAIT_ITEMS] = "items of channel",
        [WAIT_LIMITER] = "limiter", [WAIT_BARRIER] = "barrier", [WAIT_SEVERAL] = "several",
        [WAIT_FUNCTION] = "a call", [WAIT_PLAIN] = "something"};
    if (wait->what == 0 || !target_read_text(listing->world->target, wait->what, out, WHAT_SIZE))
        (void)snprintf(out, WHAT_SIZE, "%s",
                       known[wait->kind] != NULL ? known[wait->kind] : "something");
    return out;
}

bool waits_for_fd(const struct listing *listing, const struct wait *wait) {
    char what[WHAT_SIZE];
    const size_t length = strlen(what_of(listing, wait, what));
    return wait->kind == WAIT_PLAIN && wait->numbered && wait->object != 0 && length >= 2 &&
           strcmp(what + length - 2, "fd") == 0;
}

static void say_plain(struct coir__words *text, const struct listing *listing,
                      const struct wait *wait, const char *what) {
    coir__say(text, "%s", what);
    if (wait->numbered)
        coir__say(text, " %" PRId64, wait->number);
    else if (wait->object != 0)
        coir__say(text, " 0x%" PRIx64, wait->object);
    if (waits_for_fd(listing, wait))
        (void)say_descriptor(text, listing->world->target, wait->number);
}

void say_wait(struct coir__words *text, const struct listing *listing, const struct wait *wait) {
    char what[WHAT_SIZE];
    (void)what_of(listing, wait, what);
    switch (wait->kind) {
    case WAIT_LOCK:
    case WAIT_ONCE:
        coir__say(text, "%s 0x%" PRIx64, what, wait->object);
        say_holder(text, listing, wait, wait->kind == WAIT_LOCK ? "held" : "run");
        break;
    case WAIT_CONDITION:
        coir__say(text, "%s 0x%" PRIx64 " of mutex 0x%" PRIx64, what, wait->object, wait->lock);
        say_holder(text, listing, wait, "held");
        break;
    case WAIT_JOIN:
        coir__say(text, "join of ");
        say_task_at(text, listing, wait->task);
        break;
    case WAIT_SCOPE:
        say_wait_for_scope(text, wait, what);
        break;
    case WAIT_SLEEP:
        say_sleep(text, listing, wait);
        break;
    case WAIT_CHANNEL:
        coir__say(text, "%s 0x%" PRIx64, what, wait->object);
        if (wait->counts[1] > 0)
            coir__say(text, " (%" PRIu64 " of %" PRIu64 " items)", wait->counts[0],
                      wait->counts[1]);
        else
            coir__say(text, " (without a buffer)");
        break;
    case WAIT_ITEMS:
        coir__say(text, "%s 0x%" PRIx64 " (%" PRIu64 " are not)", what, wait->object,
                  wait->counts[0]);
        break;
    case WAIT_LIMITER:
        coir__say(text, "%s 0x%" PRIx64 " (%" PRIu64 " of %" PRIu64 " permits held)", what,
                  wait->object, wait->counts[0], wait->counts[1]);
        break;
    case WAIT_BARRIER:
        coir__say(text, "%s 0x%" PRIx64 " (%" PRIu64 " of %" PRIu64 " are there)", what,
                  wait->object, wait->counts[0], wait->counts[1]);
        break;
    case WAIT_SEVERAL:
        coir__say(text, "%s, %" PRId64 " of them", what, wait->number);
        break;
    case WAIT_FUNCTION:
        coir__say(text, "%s of '", what);
        say_function(text, listing, wait->object);
        coir__say(text, "'");
        break;
    case WAIT_LOOKUP:
        coir__say(text, "look-up of '%s'", wait->text != NULL ? wait->text : "?");
        break;
    default:
        say_plain(text, listing, wait, what);
        break;
    }
}
