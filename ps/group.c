/* Which tasks are alike: children of one scope with the same entry function, state, kind of wait,
 * backtrace, and scopes and tasks inside, alike again. Names, objects and times do not count, but
 * which lock is waited for does: somebody has it. */
#include <stdlib.h>
#include <string.h>

#include "listing.h"

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static bool is_lock(const struct wait *wait) {
    return wait->kind == WAIT_LOCK || wait->kind == WAIT_ONCE || wait->kind == WAIT_CONDITION;
}

/* What the place is, without what is inside it. */
static uint64_t likeness(const struct place *place) {
    uint64_t hash = mix(place->kind + 1, place->cancelled);
    if (place->kind == SCOPE)
        return mix(mix(hash, place->scope.shielded), place->scope.live);
    if (place->kind == MISSING)
        return mix(hash, place->address);
    const struct task *const task = &place->task;
    hash = mix(mix(hash, task->fn), task->state);
    if (task->wait != NULL)
        hash = mix(mix(hash, task->wait->what), is_lock(task->wait) ? task->wait->object : 0);
    for (size_t i = 0; i < task->frame_count; i++)
        hash = mix(hash, task->frames[i]);
    return hash;
}

/* Of each place with all that is inside: as outer ones come first, from the end on. */
static uint64_t *likenesses(const struct runtime *runtime) {
    uint64_t *const all = allocate(runtime->count * sizeof *all);
    for (size_t i = runtime->count; i-- > 0;) {
        all[i] = mix(likeness(&runtime->places[i]), all[i]);
        if (i > 0)
            all[runtime->places[i].parent] = mix(all[runtime->places[i].parent], all[i]);
    }
    return all;
}

static void join(const struct runtime *runtime, struct group *group, size_t index) {
    const struct place *const place = &runtime->places[index];
    const struct wait *const wait = place->kind == TASK ? place->task.wait : NULL;
    const int64_t waited =
        wait != NULL && runtime->now > wait->since ? runtime->now - wait->since : 0;
    if (group->count > 0 && group->count <= MEMBERS_KNOWN)
        group->others[group->count - 1] = index;
    if (group->count == 0 || waited < group->shortest)
        group->shortest = waited;
    if (waited > group->longest)
        group->longest = waited;
    group->count++;
}

/* The first one like it in the same scope: index plus one, by hash. */
struct firsts {
    size_t *table;
    size_t size;
};

static size_t first_like(struct firsts *firsts, const struct runtime *runtime, const uint64_t *all,
                         size_t index) {
    const size_t parent = runtime->places[index].parent;
    size_t slot = mix(all[index], parent) % firsts->size;
    for (; firsts->table[slot] != 0; slot = (slot + 1) % firsts->size) {
        const size_t other = firsts->table[slot] - 1;
        if (all[other] == all[index] && runtime->places[other].parent == parent)
            return other;
    }
    firsts->table[slot] = index + 1;
    return index;
}

struct group *groups_find(const struct runtime *runtime, bool alike) {
    struct group *const groups = allocate((runtime->count + 1) * sizeof *groups);
    uint64_t *const all = likenesses(runtime);
    struct firsts firsts = {.size = 2 * runtime->count + 1};
    firsts.table = allocate(firsts.size * sizeof *firsts.table);
    for (size_t i = 0; i < runtime->count; i++) {
        const bool inside_another = i > 0 && groups[runtime->places[i].parent].count == 0;
        if (inside_another)
            continue;
        const bool task = runtime->places[i].kind == TASK;
        const size_t first = alike && task ? first_like(&firsts, runtime, all, i) : i;
        join(runtime, &groups[first], i);
    }
    free(firsts.table);
    free(all);
    return groups;
}
