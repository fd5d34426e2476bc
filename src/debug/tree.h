/* Walking over the tree of scopes and tasks of a runtime, all of it, without recursion: tasks nest
 * without bound. The tree must not change meanwhile. */
#ifndef COIR_DEBUG_TREE_H
#define COIR_DEBUG_TREE_H

#include "core/runtime.h"

/* Where a walk stands: at a task or at a scope, the other one is NULL. */
struct coir__place {
    struct coir__task *task;
    coir_scope *scope;
    int depth; /* below the root scope */
};

/* The root scope, where a walk begins. */
coir__inline struct coir__place coir__tree_root(struct coir__runtime *rt) {
    return (struct coir__place){.scope = &rt->root};
}

/* Goes on to the next place, outer ones before those inside them. False at the end. */
bool coir__tree_next(struct coir__place *place);

/* The same, but leaves out what is inside the task where it stands. */
bool coir__tree_past(struct coir__place *place);

/* The child of the scope that comes after the link, which is another child's or the scope's own;
 * NULL if there is none. */
struct coir__task *coir__child_after(const coir_scope *scope, const struct coir__link *link);

#endif
