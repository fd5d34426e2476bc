/* Stacks: what the machine asks of stack.c. Taking one from the cache and giving it back are
 * inline, in runtime.h. */
#ifndef COIR_CORE_STACK_H
#define COIR_CORE_STACK_H

#include <stdbool.h>

#include "coir/scope.h" /* struct coir__link */

#define COIR_STACK_SIZE_DEFAULT ((size_t)110 << 10) /* fills a slot of 128 KiB */
#define COIR_STACK_CACHE_DEFAULT 4096
#define COIR_POOLS 17 /* slots of 2^15 to 2^31 bytes */
#define COIR_POOL_SHIFT 15

struct coir__arena;

/* The stacks of one slot size. The cache is an array, so that taking a stack touches no other one:
 * last in, first out at `top`; the coldest are at `first`. It has room for every stack mapped. */
struct coir__pool {
    struct coir__task **cached; /* unused stacks with their memory */
    size_t first, top, room;
    size_t slot_size;
    size_t mapped;                /* stacks with memory */
    size_t unused;                /* fewest in the cache since the period began */
    size_t spare;                 /* of the coldest, to be given back */
    struct coir__link with_clean; /* arenas that have slots without memory */
    size_t arenas;
};

struct coir__stacks {
    struct coir__pool pools[COIR_POOLS];
    struct coir__link arenas; /* all of them */
    size_t page_size;
    int guard_kind;      /* enum in stack.c */
    size_t guard_budget; /* guards by protection that may still be made */
    size_t cached_max;   /* stacks in all pools' caches */
    size_t mapped;       /* stacks with memory, in all pools */
    size_t unguarded;    /* in use */
    size_t spare;        /* in all pools */
    coir_time until;     /* end of the period; 0: no more are cached than shall be */
};

struct coir__task;
int coir__stacks_init(struct coir__stacks *stacks, size_t cache_max);
void coir__stacks_fini(struct coir__stacks *stacks);
/* The pool whose slots have room for `size_bytes` of stack. */
struct coir__pool *coir__stack_pool(struct coir__stacks *stacks, size_t size_bytes);
/* How many stacks lie in the caches of all pools. */
size_t coir__stacks_cached(const struct coir__stacks *stacks);
/* A task block on top of a stack that has never been used, or not since it was trimmed. NULL if
 * there is no memory. coir__stack_take looks into the cache first. */
struct coir__task *coir__stack_make(struct coir__stacks *stacks, struct coir__pool *pool);
/* Moves the cache down to the start of its array: trimming has left a gap there. */
void coir__stack_close_gap(struct coir__pool *pool);
/* To be called whenever the loop looks around, so that it sees how many stacks are not needed: what
 * of the caches, beyond their bound, lay unused for a whole period becomes spare. Returns when the
 * period ends; COIR_NEVER if no more are cached than shall be. */
coir_time coir__stacks_survey(struct coir__stacks *stacks, coir_time now, coir_time period);
/* Gives the memory of spare stacks back to the system, one batch. Whether there were any. */
bool coir__stacks_trim(struct coir__stacks *stacks);
/* Ends the program if the stack has no guard and its canary is gone. */
void coir__stack_check(const struct coir__task *task);
/* The low end of the guard below the task's stack, and its size. */
const char *coir__stack_guard(const struct coir__task *task, size_t *size_bytes);

#endif
