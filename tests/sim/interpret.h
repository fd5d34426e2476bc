/* Running a program: each operation is a function that makes the call, holds its result against the
 * model and the shadows of the objects (objects.h), and returns it. */
#ifndef TESTS_SIM_INTERPRET_H
#define TESTS_SIM_INTERPRET_H

#include "sim/model.h"
#include "sim/objects.h"

/* Runs a program under the simulation, and checks what it left behind. Returns if all is well: a
 * number that is the same whenever the same was done. */
uint64_t program_run(const struct program *program);

/* The operations of a list, until one of them ends it. What the list came to. */
int run_list(struct task *task, const struct node *list);

/* A task's body: the node's. The argument of spawns is a struct task. */
int run_task(void *task);

/* The n-th of the tasks spawned with a handle so far; NULL if there are none. */
struct task *nth_handle(long n);
/* The n-th of the scopes around the task (shields or not) that the program itself has opened. */
struct scope *nth_scope_around(struct task *task, long n);
/* The n-th of the scopes that the program has opened and not closed. */
struct scope *nth_open_scope(long n);

extern const coir_local task_local;

#define X(name, text, traits) int do_##name(struct task *task, const struct node *node);
OPERATIONS(X)
#undef X

#endif
