/* Finding tasks that are alike, by a hash of all that counts; 64 bits, so that two that differ are
 * not taken for one in practice. It is kept in the task until the listing is written. */
#include "debug/group.h"

#include <string.h>

#include "debug/backtrace.h"
#include "debug/wait.h"

#define TABLE_SIZE_MIN 256
#define INSIDE_MAX 64 /* scopes and tasks inside a task that is alike to others */

/* ---- What counts ---- */

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

static uint64_t mix_text(uint64_t hash, const char *text) {
    for (; text != NULL && *text != '\0'; text++)
        hash = mix(hash, (unsigned char)*text);
    return hash;
}

static uint64_t mix_frames(uint64_t hash, struct coir__runtime *rt, const struct coir__task *task) {
    void *pcs[COIR_FRAMES_MAX];
    struct coir__trace trace = {.pcs = pcs, .capacity = COIR_FRAMES_MAX};
    coir__backtrace(rt, task, &trace);
    for (size_t i = 0; i < trace.count; i++)
        hash = mix(hash, (uintptr_t)pcs[i]);
    return hash;
}

static uint64_t mix_wait(uint64_t hash, const coir_waiter *wait) {
    const bool join = wait->what == coir__what_join;
    hash = mix(hash, (uintptr_t)wait->what);
    if (wait->what == coir__what_select || wait->what == coir__what_ends) /* over so many */
        hash = mix(hash, (uint64_t)wait->number);
    return mix(hash, !join && coir__wait_holder(wait) != NULL ? (uintptr_t)wait->object : 0);
}

static uint64_t mix_task(uint64_t hash, const struct coir__groups *groups, struct coir__runtime *rt,
                         const struct coir__task *task) {
    hash = mix(hash, (uintptr_t)task->fn);
    hash = mix(hash, (task == rt->current ? 1U : 0) | (task->due == COIR_CUT ? 2U : 0));
    if (task->wait != NULL)
        hash = mix_wait(hash, task->wait);
    return groups->with_frames ? mix_frames(hash, rt, task) : hash;
}

static uint64_t mix_scope(uint64_t hash, const coir_scope *scope) {
    hash = mix_text(hash, scope->coir__name);
    return mix(hash, 4U | (scope->coir__cancelled ? 1U : 0) | (scope->coir__shield ? 2U : 0));
}

/* Of a task and all inside it. */
static uint64_t likeness(const struct coir__groups *groups, struct coir__runtime *rt,
                         struct coir__task *task) {
    struct coir__place place = {.task = task};
    uint64_t hash = mix_task(0, groups, rt, task);
    for (size_t inside = 0; coir__tree_next(&place) && place.depth > 0; inside++) {
        if (inside == INSIDE_MAX)
            return mix(hash, (uintptr_t)task);
        hash = mix(hash, (uint64_t)place.depth);
        hash = place.task != NULL ? mix_task(hash, groups, rt, place.task)
                                  : mix_scope(hash, place.scope);
    }
    return hash;
}

/* ---- The table ---- */

/* The place of the task's group, or the free one where it would be put. */
static struct coir__group *place_of(const struct coir__groups *groups,
                                    const struct coir__task *task) {
    size_t at = (size_t)mix(task->likeness, (uintptr_t)task->home);
    for (;; at++) {
        struct coir__group *const group = &groups->table[at & (groups->size - 1)];
        if (group->first == NULL ||
            (group->first->likeness == task->likeness && group->first->home == task->home))
            return group;
    }
}

/* Sees to it that there is room for one more. */
static bool grow(struct coir__groups *groups) {
    if (2 * groups->count < groups->size)
        return true;
    const struct coir__groups old = *groups;
    const size_t size = old.size > 0 ? 2 * old.size : TABLE_SIZE_MIN;
    struct coir__group *const table = sys_allocate(size * sizeof *table);
    if (table == NULL)
        return false;
    groups->table = table;
    groups->size = size;
    for (size_t i = 0; i < old.size; i++)
        if (old.table[i].first != NULL)
            *place_of(groups, old.table[i].first) = old.table[i];
    sys_free(old.table);
    return true;
}

/* Adds the task to its group; whether it is the first. */
static bool add(struct coir__groups *groups, const struct coir__task *task) {
    struct coir__group *const group = place_of(groups, task);
    const bool first = group->first == NULL;
    const coir_time waited = task->wait != NULL ? groups->now - task->wait->coir__since : 0;
    if (first) {
        *group = (struct coir__group){.first = task, .shortest = waited, .longest = waited};
        groups->count++;
    } else if (group->count <= COIR_MEMBERS_KNOWN) {
        group->others[group->count - 1] = task;
    }
    group->count++;
    group->shortest = waited < group->shortest ? waited : group->shortest;
    group->longest = waited > group->longest ? waited : group->longest;
    return first;
}

void coir__groups_find(struct coir__groups *groups, struct coir__runtime *rt) {
    struct coir__place place = coir__tree_root(rt);
    bool more = coir__tree_next(&place);
    while (more) {
        bool inside = true;
        if (place.task != NULL) {
            if (!grow(groups)) {
                coir__groups_free(groups);
                return;
            }
            place.task->likeness = likeness(groups, rt, place.task);
            inside = add(groups, place.task);
        }
        more = inside ? coir__tree_next(&place) : coir__tree_past(&place);
    }
}

void coir__groups_free(struct coir__groups *groups) {
    sys_free(groups->table);
    groups->table = NULL;
    groups->size = groups->count = 0;
}

const struct coir__group *coir__group_led_by(const struct coir__groups *groups,
                                             const struct coir__task *task) {
    const struct coir__group *const group = place_of(groups, task);
    return group->first == task ? group : NULL;
}
