/* Stacks: arenas of equal slots, guards, a cache of used stacks, and giving memory back.
 *
 * A slot is clean (address space only), in use, or cached (unused, its memory kept). Arenas are
 * mapped whole and stay until the runtime ends, because handles may point into any block that ever
 * was: a clean slot reads as zero there, which no handle matches. A slot's task block sits at its
 * top, shifted by a colour so that the blocks of neighbours fall into different cache sets. */
#include <string.h>

#include "core/runtime.h"

#define COLOURS 16         /* times a cache line: at most a kibibyte of the first page */
#define ARENA_SLOTS_MIN 64 /* the first arena of a pool */
#define ARENA_SLOTS_MAX 1024
#define GUARD_AT_ONCE 64
#define ARENA_SIZE_MAX ((size_t)1 << 30)
#define CANARY_SIZE 256 /* lowest bytes of an unguarded stack, which must stay zero */
#define TRIM_AT_ONCE 256

enum guard_kind { GUARD_UNKNOWN, GUARD_LIGHT, GUARD_PROTECT };

struct coir__arena {
    struct coir__link all, with_clean;
    char *base;
    struct coir__pool *pool;
    size_t slots, clean;
    unsigned *valgrind_ids; /* of the slots, or NULL */
    uint64_t *guarded_bits; /* slots whose guard is installed */
    uint64_t clean_bits[];
};

static size_t guard_size(const struct coir__stacks *stacks) {
    return stacks->page_size > COIR_GUARD_SIZE ? stacks->page_size : COIR_GUARD_SIZE;
}

/* Finds out which kind of guard works here: by effect, because an emulator may accept the advice
 * and do nothing. */
static int probe_guards(struct coir__stacks *stacks) {
    char *const page = sys_map_stacks(stacks->page_size);
    if (page == NULL)
        return -ENOMEM;
    const struct iovec range = {.iov_base = page, .iov_len = stacks->page_size};
    const bool light = !sanitizer_on_valgrind() && sys_guard_light(&range, 1) && sys_faults(page);
    stacks->guard_kind = light ? GUARD_LIGHT : GUARD_PROTECT;
    stacks->guard_budget = light ? 0 : sys_mappings_max() / 3 / 2; /* each splits off two */
    sys_unmap(page, stacks->page_size);
    return 0;
}

int coir__stacks_init(struct coir__stacks *stacks, size_t cache_max) {
    memset(stacks, 0, sizeof *stacks);
    stacks->page_size = sys_page_size();
    stacks->cached_max = cache_max;
    list_init(&stacks->arenas);
    for (unsigned i = 0; i < COIR_POOLS; i++) {
        struct coir__pool *const pool = &stacks->pools[i];
        pool->slot_size = (size_t)1 << (COIR_POOL_SHIFT + i);
        list_init(&pool->with_clean);
    }
    return probe_guards(stacks);
}

void coir__stacks_fini(struct coir__stacks *stacks) {
    for (unsigned i = 0; i < COIR_POOLS; i++) {
        struct coir__pool *const pool = &stacks->pools[i];
        while (pool->top > pool->first)
            sanitizer_stack_destroyed(&pool->cached[--pool->top]->shadow);
        sys_free(pool->cached);
    }
    while (!list_empty(&stacks->arenas)) {
        struct coir__arena *const arena = list_entry(stacks->arenas.next, struct coir__arena, all);
        list_take(&arena->all);
        for (size_t i = 0; sanitizer_on_valgrind() && i < arena->slots; i++)
            sanitizer_valgrind_deregister(arena->valgrind_ids[i]);
        sys_unmap(arena->base, arena->slots * arena->pool->slot_size);
        sys_free(arena);
    }
}

struct coir__pool *coir__stack_pool(struct coir__stacks *stacks, size_t size_bytes) {
    const size_t slot = size_bytes + COIR_GUARD_SIZE + sizeof(struct coir__task) +
                        (size_t)(COLOURS + 1) * COIR_CACHE_LINE;
    unsigned pool = 0;
    while (((size_t)1 << (COIR_POOL_SHIFT + pool)) < slot)
        pool++;
    return &stacks->pools[pool];
}

size_t coir__stacks_cached(const struct coir__stacks *stacks) {
    size_t cached = 0;
    for (unsigned i = 0; i < COIR_POOLS; i++)
        cached += stacks->pools[i].top - stacks->pools[i].first;
    return cached;
}

static char *slot_base(const struct coir__arena *arena, size_t slot) {
    return arena->base + slot * arena->pool->slot_size;
}

/* Guards all slots of a new arena, where guards are cheap, many in one call; but not more than is
 * decent to ask of the stack of the task that happens to spawn. */
static void guard_arena(struct coir__stacks *stacks, struct coir__arena *arena) {
    struct iovec ranges[GUARD_AT_ONCE];
    if (stacks->guard_kind != GUARD_LIGHT)
        return;
    for (size_t done = 0; done < arena->slots;) {
        size_t count = 0;
        for (; count < GUARD_AT_ONCE && done + count < arena->slots; count++)
            ranges[count] = (struct iovec){.iov_base = slot_base(arena, done + count),
                                           .iov_len = guard_size(stacks)};
        if (!sys_guard_light(ranges, count))
            return;
        for (const size_t end = done + count; done < end; done++)
            arena->guarded_bits[done / 64] |= UINT64_C(1) << (done % 64);
    }
}

static bool make_arena(struct coir__stacks *stacks, struct coir__pool *pool) {
    size_t slots = pool->arenas > 4 ? ARENA_SLOTS_MAX : (size_t)ARENA_SLOTS_MIN << pool->arenas;
    if (slots * pool->slot_size > ARENA_SIZE_MAX)
        slots = pool->slot_size < ARENA_SIZE_MAX ? ARENA_SIZE_MAX / pool->slot_size : 1;
    const size_t words = (slots + 63) / 64, known = sanitizer_on_valgrind() ? slots : 0;
    struct coir__arena *const arena = sys_allocate(sizeof *arena + 2 * words * sizeof(uint64_t) +
                                                   known * sizeof *arena->valgrind_ids);
    if (arena == NULL)
        return false;
    arena->base = sys_map_stacks(slots * pool->slot_size);
    if (arena->base == NULL) {
        sys_free(arena);
        return false;
    }
    arena->pool = pool;
    arena->slots = arena->clean = slots;
    arena->guarded_bits = arena->clean_bits + words;
    for (size_t i = 0; i < slots; i++)
        arena->clean_bits[i / 64] |= UINT64_C(1) << (i % 64);
    arena->valgrind_ids = (unsigned *)(void *)(arena->guarded_bits + words);
    for (size_t i = 0; i < known; i++)
        arena->valgrind_ids[i] =
            sanitizer_valgrind_register(slot_base(arena, i), slot_base(arena, i + 1));
    guard_arena(stacks, arena);
    list_append(&stacks->arenas, &arena->all);
    list_prepend(&pool->with_clean, &arena->with_clean);
    pool->arenas++;
    return true;
}

/* Whether the slot has a guard; gives it one if that is still affordable. */
static bool guard_slot(struct coir__stacks *stacks, struct coir__arena *arena, size_t slot) {
    uint64_t *const word = &arena->guarded_bits[slot / 64];
    const uint64_t bit = UINT64_C(1) << (slot % 64);
    if ((*word & bit) == 0 && stacks->guard_budget > 0 &&
        sys_guard_protect(slot_base(arena, slot), guard_size(stacks))) {
        stacks->guard_budget--;
        *word |= bit;
    }
    return (*word & bit) != 0;
}

static struct coir__task *use_slot(struct coir__stacks *stacks, struct coir__arena *arena,
                                   size_t slot) {
    arena->clean_bits[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    if (--arena->clean == 0)
        list_take(&arena->with_clean);
    char *const low = slot_base(arena, slot);
    char *const high = low + arena->pool->slot_size;
    const size_t block = (sizeof(struct coir__task) + COIR_CACHE_LINE - 1) / COIR_CACHE_LINE;
    const size_t colour = slot % COLOURS;
    struct coir__task *const task =
        (struct coir__task *)(void *)(high - (block + colour) * COIR_CACHE_LINE);
    task->arena = arena;
    task->slot = slot;
    task->pool = arena->pool;
    task->own = (struct coir__record){.task = task, .result = -EINPROGRESS};
    task->record = &task->own;
    list_init(&task->own.watchers);
    task->guarded = guard_slot(stacks, arena, slot);
    task->tidy_up = task->guarded ? 0 : COIR_TIDY_MORE; /* now, as the spawn may yet fail */
    task->shadow.low = low + guard_size(stacks);
    task->shadow.size_bytes = (size_t)((char *)task - (const char *)task->shadow.low);
    sanitizer_stack_created(&task->shadow);
    stacks->mapped++;
    arena->pool->mapped++;
    return task;
}

/* Makes room in the cache for one more stack, before it exists, so that giving it back cannot fail.
 */
static bool reserve(struct coir__pool *pool) {
    if (pool->mapped < pool->room)
        return true;
    const size_t room = pool->room > 0 ? 2 * pool->room : ARENA_SLOTS_MIN;
    struct coir__task **const cached = sys_reallocate(pool->cached, room * sizeof *cached);
    if (cached == NULL)
        return false;
    pool->cached = cached;
    pool->room = room;
    return true;
}

void coir__stack_close_gap(struct coir__pool *pool) {
    memmove(pool->cached, pool->cached + pool->first,
            (pool->top - pool->first) * sizeof *pool->cached);
    pool->top -= pool->first;
    pool->first = 0;
}

coir__noinline struct coir__task *coir__stack_make(struct coir__stacks *stacks,
                                                   struct coir__pool *pool) {
    if (!reserve(pool) || (list_empty(&pool->with_clean) && !make_arena(stacks, pool)))
        return NULL;
    struct coir__arena *const arena =
        list_entry(pool->with_clean.next, struct coir__arena, with_clean);
    size_t word = 0;
    while (arena->clean_bits[word] == 0)
        word++;
    struct coir__task *const task =
        use_slot(stacks, arena, word * 64 + (size_t)__builtin_ctzll(arena->clean_bits[word]));
    sanitizer_stack_reused(&task->shadow);
    return task;
}

/* Takes the coldest cached stack of a pool out of use; returns the memory to give back. */
static struct iovec trim_one(struct coir__stacks *stacks, struct coir__pool *pool) {
    struct coir__task *const task = pool->cached[pool->first++];
    struct coir__arena *const arena = task->arena;
    const size_t slot = task->slot;
    sanitizer_stack_destroyed(&task->shadow);
    stacks->mapped--;
    pool->mapped--;
    arena->clean_bits[slot / 64] |= UINT64_C(1) << (slot % 64);
    if (arena->clean++ == 0)
        list_append(&pool->with_clean, &arena->with_clean);
    char *const low = slot_base(arena, slot) + guard_size(stacks);
    return (struct iovec){.iov_base = low, .iov_len = (size_t)(slot_base(arena, slot + 1) - low)};
}

/* ---- What lies in the caches for nothing ---- */

static void begin_period(struct coir__stacks *stacks, coir_time until) {
    stacks->until = until;
    for (unsigned i = 0; i < COIR_POOLS; i++)
        stacks->pools[i].unused = stacks->pools[i].top - stacks->pools[i].first;
}

/* The period is over: of what was not used in it, all but the cache's bound is spare, large stacks
 * first. */
static void choose_spare(struct coir__stacks *stacks) {
    size_t unused = 0;
    for (unsigned i = 0; i < COIR_POOLS; i++)
        unused += stacks->pools[i].unused;
    size_t left = unused > stacks->cached_max ? unused - stacks->cached_max : 0;
    stacks->spare = left;
    for (unsigned i = COIR_POOLS; i-- > 0;) {
        struct coir__pool *const pool = &stacks->pools[i];
        pool->spare = pool->unused < left ? pool->unused : left;
        left -= pool->spare;
    }
}

coir_time coir__stacks_survey(struct coir__stacks *stacks, coir_time now, coir_time period) {
    size_t cached = 0;
    for (unsigned i = 0; i < COIR_POOLS; i++) {
        struct coir__pool *const pool = &stacks->pools[i];
        const size_t here = pool->top - pool->first;
        cached += here;
        pool->unused = here < pool->unused ? here : pool->unused;
    }
    if (cached <= stacks->cached_max) {
        stacks->until = 0;
        stacks->spare = 0;
        return COIR_NEVER;
    }
    if (stacks->until == 0)
        begin_period(stacks, now + period);
    if (now >= stacks->until) {
        choose_spare(stacks);
        begin_period(stacks, now + period);
    }
    return stacks->until;
}

bool coir__stacks_trim(struct coir__stacks *stacks) {
    struct iovec ranges[TRIM_AT_ONCE];
    const size_t cached = coir__stacks_cached(stacks);
    const size_t excess = cached > stacks->cached_max ? cached - stacks->cached_max : 0;
    const size_t most = excess < TRIM_AT_ONCE ? excess : TRIM_AT_ONCE;
    size_t count = 0;
    for (unsigned i = COIR_POOLS; i-- > 0 && stacks->spare > 0;) {
        struct coir__pool *const pool = &stacks->pools[i];
        for (; pool->spare > 0 && pool->top > pool->first && count < most; pool->spare--)
            ranges[count++] = trim_one(stacks, pool);
    }
    stacks->spare = count > 0 ? stacks->spare - count : 0; /* 0: they are in use again */
    if (count > 0)
        (void)sys_discard_all(ranges, count);
    return count > 0;
}

COIR_RAW_MEMORY static bool has_overflowed(const struct coir__task *task) {
    if (task->guarded || task->arena == NULL)
        return false;
    const uint64_t *const canary = (const uint64_t *)task->shadow.low;
    bool gone = false;
    sanitizer_look_away();
    for (size_t i = 0; i < CANARY_SIZE / sizeof *canary; i++)
        if (canary[i] != 0)
            gone = true;
    sanitizer_look_again();
    return gone || (const char *)__builtin_frame_address(0) < (const char *)task->shadow.low;
}

void coir__stack_check(const struct coir__task *task) {
    char label[128];
    if (has_overflowed(task))
        coir__fatal("stack overflow in %s: it used more than its %zu bytes, and had no guard; "
                    "give it a larger .stack_size_bytes in coir_spawn_with or coir_options",
                    coir__task_label(task, label, sizeof label), task->shadow.size_bytes);
}

const char *coir__stack_guard(const struct coir__task *task, size_t *size_bytes) {
    const char *const low = slot_base(task->arena, task->slot);
    *size_bytes = (size_t)((const char *)task->shadow.low - low);
    return low;
}
