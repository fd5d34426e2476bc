/* The walk over scopes and tasks, depth first. */
#include "debug/tree.h"

struct coir__task *coir__child_after(const coir_scope *scope, const struct coir__link *link) {
    struct coir__link *const next = link->next;
    return next != &scope->coir__children ? list_entry(next, struct coir__task, sibling) : NULL;
}

/* Returns true. */
static bool go_to(struct coir__place *place, struct coir__task *task, coir_scope *scope,
                  int depth) {
    *place = (struct coir__place){.task = task, .scope = scope, .depth = depth};
    return true;
}

bool coir__tree_next(struct coir__place *place) {
    struct coir__task *const task = place->task;
    coir_scope *const scope = place->scope;
    if (scope == NULL && task->outermost != NULL)
        return go_to(place, NULL, task->outermost, place->depth + 1);
    if (scope != NULL && !list_empty(&scope->coir__children))
        return go_to(place, coir__child_after(scope, &scope->coir__children), NULL,
                     place->depth + 1);
    return coir__tree_past(place);
}

bool coir__tree_past(struct coir__place *place) {
    struct coir__task *task = place->task;
    coir_scope *scope = place->scope;
    int depth = place->depth;
    for (;;) {
        if (scope != NULL && scope->coir__inner != NULL)
            return go_to(place, NULL, scope->coir__inner, depth + 1);
        /* back out of all scopes of this task, to the task itself */
        for (; scope != NULL; scope = scope->coir__outer, depth--)
            task = scope->coir__owner;
        if (task == NULL)
            return false;
        struct coir__task *const next = coir__child_after(task->home, &task->sibling);
        if (next != NULL)
            return go_to(place, next, NULL, depth);
        scope = task->home;
        depth--;
    }
}
