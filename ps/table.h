/* The table that a Coir in the target has for tools (src/debug/layout.h), found and read. */
#ifndef PS_TABLE_H
#define PS_TABLE_H

#include "target.h"

/* The entries that are needed, by the two halves of their names. */
/* clang-format off */
#define TABLE_OFFSETS(X)                                                                           \
    X(runtime, listed) X(runtime, thread) X(runtime, current) X(runtime, root)                     \
    X(runtime, virtual_now) X(runtime, turn_began) X(runtime, size)                                \
    X(task, sp) X(task, wait) X(task, home) X(task, sibling) X(task, outermost) X(task, fn)        \
    X(task, origin) X(task, record) X(task, due) X(task, name) X(task, stack)                      \
    X(task, stack_size) X(task, size)                                                              \
    X(record, generation)                                                                          \
    X(scope, state) X(scope, cancelled) X(scope, expired) X(scope, shield) X(scope, owner)         \
    X(scope, outer) X(scope, inner) X(scope, children) X(scope, live) X(scope, name)               \
    X(scope, deadline) X(scope, size)                                                              \
    X(waiter, what) X(waiter, object) X(waiter, number) X(waiter, numbered) X(waiter, since)       \
    X(waiter, size)                                                                                \
    X(frame, size)                                                                                 \
    X(mutex, owner) X(rwlock, owner) X(rwlock, readers) X(once, runner) X(sleeper, lock)           \
    X(channel, count) X(channel, capacity) X(channel, sent) X(channel, finished)                   \
    X(limiter, held) X(limiter, limit) X(barrier, waiting) X(barrier, parties)

#define TABLE_CONSTANTS(X)                                                                         \
    X(release, major) X(release, minor) X(release, patch)                                          \
    X(task, name_size) X(task, due_cut) X(record, number_bits) X(scope, state_open)                \
    X(what, mutex) X(what, read) X(what, write) X(what, once) X(what, join) X(what, close)         \
    X(what, start) X(what, next) X(what, sleep) X(what, ends) X(what, select) X(what, send)        \
    X(what, receive) X(what, items) X(what, condition) X(what, limiter) X(what, barrier)           \
    X(what, offload) X(what, lookup)
/* clang-format on */

#define TABLE_MEMBER(kind, name) uint64_t kind##_##name;
struct table {
    uint64_t address;
    uint64_t head, first; /* of the list of runtimes: its own link, and the first one's */
    uint64_t fresh;       /* where a task that never ran will begin */
    TABLE_OFFSETS(TABLE_MEMBER)
    TABLE_CONSTANTS(TABLE_MEMBER)
    uint64_t frame[REGISTERS + 1]; /* of each saved register; NOT_SAVED */
};
#undef TABLE_MEMBER

#define NOT_SAVED UINT64_MAX
#define OBJECT_SIZE_MAX (1 << 18) /* of each struct; what claims to be larger is damaged */

/* All tables of the target, one for each copy of the library in it; ends the program if there is
 * none. How many are stored, at most `capacity`. */
size_t tables_find(const struct target *target, struct table *out, size_t capacity);

#endif
