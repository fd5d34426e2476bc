/* What is said of a deadlock: all tasks, and who waits for whom in a circle.
 *
 * A task that waits for a lock, or joins, needs one other task to go on; one that closes a scope
 * needs all of its children. So each circle of such waits is a deadlock by itself. They are
 * searched depth first, without recursion: marks and ways back are in the tasks. */
#include <string.h>

#include "debug/tree.h"
#include "debug/wait.h"

enum mark { UNSEEN, ON_THE_WAY, DONE };

#define CIRCLES_TOLD 4 /* of them, the first */
#define LINKS_TOLD 16  /* of one circle, the first */
#define STUCK_TOLD 8

struct search {
    size_t circles;
    const struct coir__task *last_end; /* where the last circle told was closed */
};

/* ---- Who waits for whom ---- */

/* The next one that the task waits for: after `previous`, or the first if that is NULL. */
static struct coir__task *awaited(const struct coir__task *task,
                                  const struct coir__task *previous) {
    const coir_waiter *const wait = task->wait;
    if (wait == NULL)
        return NULL;
    const coir_scope *const scope = coir__wait_scope(wait);
    if (scope != NULL)
        return coir__child_after(scope,
                                 previous != NULL ? &previous->sibling : &scope->coir__children);
    return previous == NULL ? coir__wait_holder(wait) : NULL;
}

/* "'b' waits for mutex 0x1 held by 'a'": the words between the two names. */
static void tell_link(const struct coir__task *task, const struct coir__task *next, bool first) {
    char text[COIR_WAIT_SIZE], label[128];
    const char *const begin = first ? coir__task_label(task, label, sizeof label) : "which";
    if (!first)
        (void)fputs(",\n    ", stderr);
    (void)fprintf(stderr, "%s waits for %s", begin, coir__wait_text(task->wait, text, sizeof text));
    if (coir__wait_scope(task->wait) != NULL)
        (void)fprintf(stderr, " and in it for %s", coir__task_label(next, label, sizeof label));
}

/* The circle from `end` over the way to `last`, who waits for `end`. Ways back lead from `last`. */
static void tell_circle(const struct coir__task *end, const struct coir__task *last) {
    size_t length = 1, told = 0;
    for (const struct coir__task *task = last; task != end; task = task->visit)
        length++;
    (void)fputs("coir: a circle: ", stderr);
    for (; told < length && told < LINKS_TOLD; told++) {
        const struct coir__task *task = last, *next = end;
        for (size_t back = told + 1; back < length; back++) {
            next = task;
            task = task->visit;
        }
        tell_link(task, next, told == 0);
    }
    if (told < length)
        (void)fprintf(stderr, ",\n    and so on, over %zu more tasks, back to the first",
                      length - told);
    (void)fputc('\n', stderr);
}

/* ---- The search ---- */

static void found(struct search *search, const struct coir__task *end,
                  const struct coir__task *last) {
    if (search->last_end == end) /* the children of one scope may all wait for its owner */
        return;
    search->last_end = end;
    if (search->circles++ < CIRCLES_TOLD)
        tell_circle(end, last);
}

static void search_from(struct search *search, struct coir__task *task) {
    const struct coir__task *previous = NULL;
    task->visit = NULL;
    task->mark = ON_THE_WAY;
    while (task != NULL) {
        struct coir__task *const next = awaited(task, previous);
        previous = next;
        if (next == NULL) {
            task->mark = DONE;
            previous = task;
            task = task->visit;
        } else if (next->mark == ON_THE_WAY) {
            found(search, next, task);
        } else if (next->mark == UNSEEN) {
            next->visit = task;
            next->mark = ON_THE_WAY;
            task = next;
            previous = NULL;
        }
    }
}

static void search_circles(struct coir__runtime *rt) {
    struct search search = {.circles = 0};
    for (struct coir__place place = coir__tree_root(rt); coir__tree_next(&place);)
        if (place.task != NULL)
            place.task->mark = UNSEEN;
    for (struct coir__place place = coir__tree_root(rt); coir__tree_next(&place);)
        if (place.task != NULL && place.task->mark == UNSEEN)
            search_from(&search, place.task);
    if (search.circles > CIRCLES_TOLD)
        coir__warn("%zu more circles of that kind", search.circles - CIRCLES_TOLD);
}

void coir__deadlock_report(struct coir__runtime *rt) {
    coir__warn("deadlock: all tasks wait, and nothing is left that could wake one:");
    (void)coir__dump(rt, stderr);
    search_circles(rt);
    coir__warn("all of them are cut now, shielded or not; coir_run will return -EDEADLK");
}

/* Those that only wait for children are not to blame. */
_Noreturn void coir__deadlock_fatal(struct coir__runtime *rt) {
    char label[128], text[COIR_WAIT_SIZE];
    size_t stuck = 0;
    for (struct coir__place place = coir__tree_root(rt); coir__tree_next(&place);) {
        const struct coir__task *const task = place.task;
        if (task == NULL || coir__wait_scope(task->wait) != NULL || stuck++ >= STUCK_TOLD)
            continue;
        coir__warn("%s still waits for %s: that wait %s",
                   coir__task_label(task, label, sizeof label),
                   coir__wait_text(task->wait, text, sizeof text),
                   task->wait->cut == NULL ? "has no cut function (coir_waiter.cut is NULL)"
                                           : "refused to be cut (its cut function returned false)");
    }
    coir__fatal("the deadlock cannot be ended: %zu %s cannot be cut, and nothing will ever wake "
                "%s; a wait that others may never end needs a coir_waiter.cut",
                stuck, stuck == 1 ? "task" : "tasks", stuck == 1 ? "it" : "them");
}
