/* Tasks that are alike, to be told of once: children of the same scope that do the same in the same
 * place, so that a listing of a million tasks is as long as what differs among them.
 *
 * Alike are tasks with the same entry function, state, kind of wait, backtrace, and scopes and
 * tasks inside them, alike again. What differs from one connection to the next (names, objects,
 * times) does not count, but which lock is waited for does: somebody has it. A task with very many
 * scopes and tasks inside it is alike to none. */
#ifndef COIR_DEBUG_GROUP_H
#define COIR_DEBUG_GROUP_H

#include "debug/tree.h"

#define COIR_FRAMES_MAX 64   /* of a backtrace: those further out do not count */
#define COIR_MEMBERS_KNOWN 3 /* besides the first */

struct coir__group {
    const struct coir__task *first; /* NULL: a free place in the table */
    const struct coir__task *others[COIR_MEMBERS_KNOWN];
    size_t count;
    coir_time shortest, longest; /* that one of them has waited, if they wait */
};

struct coir__groups {
    struct coir__group *table; /* by hash, at most half full; NULL: each task stands for itself */
    size_t size, count;
    coir_time now;
    bool with_frames; /* backtraces count */
};

/* Finds the groups, in the tree as it is. Without memory each task stands for itself. */
void coir__groups_find(struct coir__groups *groups, struct coir__runtime *rt);
void coir__groups_free(struct coir__groups *groups);
/* The group of which the task is the first; NULL if another one is. Not to be asked of what is
 * inside such another one. */
const struct coir__group *coir__group_led_by(const struct coir__groups *groups,
                                             const struct coir__task *task);

#endif
