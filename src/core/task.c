/* Tasks: from spawn to exit, their handles, names and locals, waiting for and cancelling them.
 *
 * A handle names a record by address and generation. The upper bits of a generation are the
 * serial number of the runtime, so that a handle of another runtime is refused before its address
 * is looked at; the lower ones count its tasks. */
#include <string.h>

#include "core/runtime.h"

#define SLAB_RECORDS 128

/* Records for handles, never given back before the runtime ends. */
struct coir__slab {
    struct coir__slab *next;
    struct coir__record records[SLAB_RECORDS];
};

/* One task waiting in coir_join. */
struct joiner {
    coir_waiter wait;
    struct coir__watch watch;
    int rc; /* what the task joined returned; filled in by its end */
};

/* ---- Records ---- */

static void free_record(struct coir__runtime *rt, struct coir__record *record) {
    record->generation = 0;
    record->result = -EINPROGRESS;
    record->next = rt->records_free;
    rt->records_free = record;
}

static struct coir__record *take_record(struct coir__runtime *rt) {
    if (rt->records_free == NULL) {
        struct coir__slab *const slab = sys_allocate(sizeof *slab);
        if (slab == NULL)
            return NULL;
        slab->next = rt->slabs;
        rt->slabs = slab;
        for (size_t i = SLAB_RECORDS; i-- > 0;) {
            list_init(&slab->records[i].watchers);
            free_record(rt, &slab->records[i]);
        }
    }
    struct coir__record *const record = rt->records_free;
    rt->records_free = record->next;
    return record;
}

void coir__records_free(coir_scope *scope) {
    while (scope->coir__records != NULL) {
        struct coir__record *const record = scope->coir__records;
        scope->coir__records = record->next;
        free_record(coir__rt, record);
    }
}

struct coir__record *coir__record_find(coir_task handle) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt == NULL || (handle.coir__generation ^ rt->generation) >> COIR_GENERATION_BITS != 0)
        return NULL;
    struct coir__record *const record = handle.coir__record;
    return record->generation == handle.coir__generation ? record : NULL;
}

/* ---- Locals: an immutable list that spawner and child share until one of them sets a value ----
 */

struct coir__locals {
    size_t references; /* tasks and list nodes that point here */
    struct coir__locals *next;
    const coir_local *key;
    void *value;
};

static void release_locals(struct coir__locals *locals) {
    while (locals != NULL && --locals->references == 0) {
        struct coir__locals *const next = locals->next;
        sys_free(locals);
        locals = next;
    }
}

static struct coir__locals *find_local(struct coir__locals *locals, const coir_local *key) {
    while (locals != NULL && locals->key != key)
        locals = locals->next;
    return locals;
}

void *coir_local_get(const coir_local *key) {
    if (coir__rt == NULL)
        return NULL;
    const struct coir__locals *const found = find_local(coir__rt->current->locals, key);
    return found != NULL ? found->value : NULL;
}

/* A copy of the list, up to where `end` is skipped; the rest is shared. NULL: no memory. */
static struct coir__locals *copy_before(struct coir__locals *from, const struct coir__locals *end) {
    struct coir__locals *first = NULL, **tail = &first;
    for (; from != end; from = from->next) {
        struct coir__locals *const copy = sys_allocate(sizeof *copy);
        if (copy == NULL) {
            release_locals(first);
            return NULL;
        }
        *copy = (struct coir__locals){.references = 1, .key = from->key, .value = from->value};
        *tail = copy;
        tail = &copy->next;
    }
    *tail = end->next;
    if (end->next != NULL)
        end->next->references++;
    return first != NULL ? first : end->next;
}

int coir_local_set(const coir_local *key, void *value) {
    if (coir__rt == NULL)
        return coir__outside();
    if (key == NULL)
        return -EINVAL;
    struct coir__locals **const head = &coir__rt->current->locals;
    struct coir__locals *const found = find_local(*head, key);
    if (found != NULL && found == *head && found->references == 1) {
        found->value = value;
        return 0;
    }
    struct coir__locals *const node = sys_allocate(sizeof *node);
    if (node == NULL)
        return -ENOMEM;
    struct coir__locals *rest = *head;
    if (found != NULL) { /* without the old value, so that the list does not grow */
        rest = copy_before(*head, found);
        if (rest == NULL && (found != *head || found->next != NULL)) {
            sys_free(node);
            return -ENOMEM;
        }
        release_locals(*head);
    }
    *node = (struct coir__locals){.references = 1, .next = rest, .key = key, .value = value};
    *head = node;
    coir__rt->current->tidy_up |= COIR_TIDY_MORE;
    return 0;
}

/* ---- Birth ---- */

COIR_UNLISTED void coir__task_body(void *value, void *arg, coir_context *context) {
    (void)value, (void)arg;
    sanitizer_entered();
    struct coir__task *const self = (struct coir__task *)(void *)context;
    coir__task_exit(self, self->fn(self->arg));
}

/* Where the first frame of a task ends. The words above it are zero, and stay so, because nobody
 * writes there: unwinders that go by frame pointers, and those that do not know of undefined return
 * addresses, take them for the end. */
coir__inline char *top_of(struct coir__task *task) {
    return (char *)task - COIR_STACK_ALIGNMENT;
}

/* Copies the argument to the top of the new stack and returns what is left of it. */
static char *copy_argument(struct coir__task *task, size_t size_bytes) {
    char *const copy = top_of(task) - (size_bytes + COIR_STACK_ALIGNMENT - 1) /
                                          COIR_STACK_ALIGNMENT * COIR_STACK_ALIGNMENT;
    memcpy(copy, task->arg, size_bytes);
    task->arg = copy;
    return memset(copy - COIR_STACK_ALIGNMENT, 0, COIR_STACK_ALIGNMENT);
}

static void set_name(struct coir__task *task, const char *name) {
    size_t length = name != NULL ? strnlen(name, COIR_NAME_SIZE - 1) : 0;
    if (length > 0)
        memcpy(task->name, name, length);
    task->name[length] = '\0';
}

static void apply_options(struct coir__task *task, const coir_spawn_options *options) {
    set_name(task, options->name);
    task->result = options->result;
    if (options->own_fp_environment) {
        task->own_fp = true;
        task->fp = coir__fp_get();
    }
}

/* A task for which switches take the long way begins, and ends. */
static coir__cold void begin_with_care(struct coir__runtime *rt, const struct coir__task *task) {
    rt->stacks.unguarded += !task->guarded;
    coir__careful(rt, 1);
}

static coir__cold void end_with_care(struct coir__runtime *rt, struct coir__task *task) {
    coir__stack_check(task); /* or the next one on it would be blamed */
    if (task->own_fp)
        coir__fp_set(rt->fp);
    task->own_fp = false;
    rt->stacks.unguarded -= !task->guarded;
    coir__careful(rt, -1);
}

static coir__cold void inherit_locals(struct coir__task *task, struct coir__locals *locals) {
    locals->references++;
    task->locals = locals;
    task->tidy_up |= COIR_TIDY_MORE;
}

static coir__cold void be_born_cancelled(struct coir__task *task) {
    task->effective = true;
    task->due = COIR_CUT;
}

/* Sets what a task without options begins with, but for its stack. */
coir__inline void be_born(struct coir__runtime *rt, coir_scope *scope, struct coir__task *task,
                          struct coir__record *record, coir_fn fn, void *arg, const void *origin) {
    record->generation = ++rt->generation;
    task->saved_errno = 0;
    task->budget = COIR_IO_BUDGET;
    task->effective = task->cancelled = task->told = false;
    task->tidy_up = 0;
    task->home = scope;
    task->fn = fn;
    task->arg = arg;
    task->origin = origin;
    task->due = scope->coir__due;
    if (unlikely(scope->coir__effective))
        be_born_cancelled(task);
    if (unlikely(rt->current->locals != NULL))
        inherit_locals(task, rt->current->locals);
}

/* Gives it its first frame, its place in the scope, and its turn. */
coir__inline void set_out(struct coir__runtime *rt, coir_scope *scope, struct coir__task *task,
                          void *top) {
    task->context.sp = coir__frame_renew(top, coir__task_body);
    list_append(&scope->coir__children, &task->sibling);
    scope->coir__live++;
    coir__make_ready(rt, task);
}

/* A record from the pool, for a handle, which is stored. */
static struct coir__record *expect(struct coir__runtime *rt, coir_scope *scope,
                                   struct coir__task *task, coir_task *handle) {
    struct coir__record *const record = take_record(rt);
    if (record == NULL)
        return NULL;
    record->task = task;
    task->record = record;
    coir__next_expect(scope, record);
    *handle = (coir_task){.coir__record = record, .coir__generation = rt->generation + 1};
    return record;
}

coir__noinline int coir__spawn(coir_scope *scope, coir_fn fn, void *arg,
                               const coir_spawn_options *options, const void *origin) {
    struct coir__runtime *const rt = coir__rt;
    struct coir__pool *pool = rt->default_pool;
    if (options != NULL && options->stack_size_bytes != 0)
        pool = coir__stack_pool(&rt->stacks, options->stack_size_bytes);
    if (pool->top == pool->first && !coir__ready_reserve(&rt->ready, rt->stacks.mapped + 1))
        return -ENOMEM;
    struct coir__task *const task = coir__stack_take(&rt->stacks, pool);
    if (task == NULL)
        return -ENOMEM;
    struct coir__record *record = &task->own;
    if (options != NULL && options->task != NULL)
        record = expect(rt, scope, task, options->task);
    if (record == NULL) {
        coir__stack_give(task);
        return -ENOMEM;
    }
    be_born(rt, scope, task, record, fn, arg, origin);
    void *top = top_of(task);
    if (options != NULL || !task->guarded)
        task->tidy_up |= COIR_TIDY_MORE;
    if (options != NULL) {
        apply_options(task, options);
        if (options->arg_size_bytes > 0)
            top = copy_argument(task, options->arg_size_bytes);
    }
    if (task->own_fp || !task->guarded)
        begin_with_care(rt, task);
    set_out(rt, scope, task, top);
    return 0;
}

/* ---- Death ---- */

/* One by one from the head, because each may remove others, or change the result. */
static coir__noinline void tell_watchers(struct coir__record *record) {
    while (!list_empty(&record->watchers)) {
        struct coir__watch *const watch =
            list_entry(record->watchers.next, struct coir__watch, link);
        list_take(&watch->link);
        watch->ended(watch, record->result);
    }
}

/* A record with watchers or a handle learns of its task's end; returns the result. */
static coir__noinline int conclude(struct coir__task *self, int rc) {
    struct coir__record *const record = self->record;
    record->result = rc;
    record->task = NULL;
    tell_watchers(record);
    const int result = record->result;
    if (record == &self->own) {
        record->task = self;
        record->result = -EINPROGRESS;
    }
    return result;
}

/* Leaves the processor for ever, by a jump into the switch. */
coir__inline void vanish(struct coir__runtime *rt, struct coir__task *self,
                         struct coir__task *next) {
    *rt->errno_address = next->saved_errno;
    rt->current = next;
    sanitizer_leave(&self->context, &self->shadow, &next->context, &next->shadow, next->value);
}

/* Takes the task out of its scope, and wakes the owner if it was the last. */
coir__inline void leave_home(struct coir__runtime *rt, struct coir__task *self) {
    coir_scope *const home = self->home;
    list_unlink(&self->sibling);
    if (--home->coir__live == 0 && home->coir__closer != NULL) {
        home->coir__closer = NULL;
        coir__resume(rt, home->coir__owner, 0);
    }
}

/* An end of which there is something to say, or to tidy up. */
COIR_UNLISTED static coir__noinline void exit_slow(struct coir__task *self, int rc) {
    struct coir__runtime *const rt = coir__rt;
    struct coir__record *const record = self->record;
    char label[128];
    if (rt == NULL)
        coir__fatal("%s returned in a forked child; call exec or _exit there",
                    coir__task_label(self, label, sizeof label));
    if (self->result != NULL)
        *self->result = rc;
    if (record != &self->own || !list_empty(&record->watchers))
        rc = conclude(self, rc);
    if (rt->observer.reasons != 0)
        coir__observe_exit(rt, self, rc);
    if (self->scope != NULL)
        coir__fatal("%s returned with a scope still open; close it with coir_scope_close on every "
                    "path, or declare it with COIR_SCOPE",
                    coir__task_label(self, label, sizeof label));
    if (self->held != NULL)
        coir__locks_abandon(rt, self);
    if (record == &self->own)
        record->generation = 0;
    else
        coir__next_ended(self->home, record);
    release_locals(self->locals);
    if (rc < 0 || self->home->coir__policy == COIR_RACE)
        coir__scope_judge(self->home, self, rc);
    leave_home(rt, self);
    if (self->own_fp || !self->guarded)
        end_with_care(rt, self);
    self->record = &self->own;
    self->locals = NULL;
    self->result = NULL;
    self->cuts_in_a_row = 0;
    self->name[0] = '\0';
    self->tidy_up = self->guarded ? 0 : COIR_TIDY_MORE;
    coir__stack_give(self);
    vanish(rt, self, coir__next(rt, self));
}

/* Does what there is to tidy up, if it is no more than to store the result. */
coir__inline bool is_tidy(struct coir__task *self, int rc) {
    if (likely(self->tidy_up == 0))
        return true;
    if (self->tidy_up != COIR_TIDY_RESULT)
        return false;
    *self->result = rc;
    self->result = NULL;
    self->tidy_up = 0;
    return true;
}

/* Whether nobody watches, and nothing is left open: then no function has to be called, and no
 * register kept for after the call. */
coir__inline bool ends_plainly(const struct coir__runtime *rt, struct coir__task *self, int rc) {
    return likely(rc >= 0) && likely(rt != NULL) && !coir__turn_over(rt) &&
           likely(((uintptr_t)self->scope | (uintptr_t)self->held) == 0) &&
           likely(self->home->coir__policy != COIR_RACE) &&
           likely(rt->default_pool->top != rt->default_pool->room) && is_tidy(self, rc);
}

COIR_UNLISTED void coir__task_exit(struct coir__task *self, int rc) {
    struct coir__runtime *const rt = coir__rt;
    if (!ends_plainly(rt, self, rc)) {
        exit_slow(self, rc);
        return;
    }
    struct coir__pool *const pool = rt->default_pool;
    self->own.generation = 0;
    leave_home(rt, self);
    pool->cached[pool->top++] = self;
    vanish(rt, self, coir__pop(rt));
}

/* ---- Public ---- */

/* Whether the scope is open, and of this runtime: so there is one. */
coir__inline bool may_spawn(const coir_scope *scope, coir_fn fn) {
    return likely(scope != NULL) && likely(scope->coir__state == COIR_SCOPE_OPEN) &&
           likely(scope->coir__runtime == coir__rt) && likely(fn != NULL);
}

/* Why not. */
static coir__cold int refusal(const coir_scope *scope, coir_fn fn) {
    if (coir__rt == NULL)
        return coir__outside();
    if (fn == NULL || scope == NULL)
        return -EINVAL;
    return scope->coir__state == COIR_SCOPE_REFUSED ? scope->coir__refused : -EINVAL;
}

/* The stack of the usual kind that is used next; NULL if there is none in the cache. */
coir__inline struct coir__task *take_quickly(const struct coir__runtime *rt) {
    struct coir__pool *const pool = rt->default_pool;
    const size_t top = pool->top;
    if (unlikely(top == pool->first))
        return NULL;
    struct coir__task *const task = pool->cached[top - 1];
    if (unlikely(task->tidy_up != 0))
        return NULL;
    pool->top = top - 1;
    sanitizer_stack_reused(&task->shadow);
    return task;
}

int coir_spawn(coir_scope *scope, coir_fn fn, void *arg) {
    struct coir__runtime *const rt = coir__rt;
    if (!may_spawn(scope, fn))
        return refusal(scope, fn);
    struct coir__task *const task = take_quickly(rt);
    if (unlikely(task == NULL))
        return coir__spawn(scope, fn, arg, NULL, __builtin_return_address(0));
    be_born(rt, scope, task, &task->own, fn, arg, __builtin_return_address(0));
    set_out(rt, scope, task, top_of(task));
    return 0;
}

static int spawn_with(coir_scope *scope, coir_fn fn, void *arg, const coir_spawn_options *options,
                      const void *origin) {
    if (!may_spawn(scope, fn))
        return refusal(scope, fn);
    if (options != NULL) {
        const size_t size = options->stack_size_bytes != 0 ? options->stack_size_bytes
                                                           : coir__rt->default_stack_size;
        if (size < COIR_STACK_SIZE_MIN || size > COIR_STACK_SIZE_MAX)
            return -EINVAL;
        if (options->arg_size_bytes > size / 4 || (options->arg_size_bytes > 0 && arg == NULL))
            return -EINVAL;
    }
    return coir__spawn(scope, fn, arg, options, origin);
}

static bool asks_for_result_only(const coir_spawn_options *options) {
    return options != NULL && options->name == NULL && options->stack_size_bytes == 0 &&
           options->task == NULL && options->arg_size_bytes == 0 && !options->own_fp_environment;
}

int coir_spawn_with(coir_scope *scope, coir_fn fn, void *arg, const coir_spawn_options *options) {
    const void *const origin = __builtin_return_address(0);
    struct coir__runtime *const rt = coir__rt;
    struct coir__task *const task =
        asks_for_result_only(options) && may_spawn(scope, fn) ? take_quickly(rt) : NULL;
    if (task == NULL)
        return spawn_with(scope, fn, arg, options, origin);
    be_born(rt, scope, task, &task->own, fn, arg, origin);
    task->result = options->result;
    task->tidy_up |= options->result != NULL ? COIR_TIDY_RESULT : 0;
    set_out(rt, scope, task, top_of(task));
    return 0;
}

int coir_spawn_task(coir_scope *scope, coir_fn fn, void *arg, coir_task *handle) {
    const void *const origin = __builtin_return_address(0);
    struct coir__runtime *const rt = coir__rt;
    if (handle == NULL)
        return -EINVAL;
    struct coir__task *const task =
        may_spawn(scope, fn) && likely(rt->records_free != NULL) ? take_quickly(rt) : NULL;
    if (task == NULL)
        return spawn_with(scope, fn, arg, &(coir_spawn_options){.task = handle}, origin);
    be_born(rt, scope, task, expect(rt, scope, task, handle), fn, arg, origin);
    task->tidy_up |= COIR_TIDY_MORE;
    set_out(rt, scope, task, top_of(task));
    return 0;
}

static bool cut_join(coir_waiter *wait) {
    coir__watch_remove(&((struct joiner *)(void *)wait)->watch);
    return true;
}

static void end_join(struct coir__watch *watch, int rc) {
    struct joiner *const joiner = list_entry(watch, struct joiner, watch);
    joiner->rc = rc;
    coir__wake(coir__rt, &joiner->wait, 0);
}

int coir_join(coir_task task, int *rc) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    struct coir__record *const record = coir__record_find(task);
    if (record == NULL)
        return -ESRCH;
    if (record->task == rt->current) {
        coir__misuse(rt, "joins itself, which would never end");
        return -EDEADLK;
    }
    if (record->task != NULL)
        COIR_TRY(coir__check(rt, rt->current));
    struct joiner joiner = {
        .wait = {.cut = cut_join, .what = coir__what_join, .object = record->task},
        .watch = {.ended = end_join},
        .rc = record->result};
    if (record->task != NULL) {
        coir__watch_add(record, &joiner.watch);
        COIR_TRY(coir__park(rt, rt->current, &joiner.wait));
    }
    if (rc != NULL)
        *rc = joiner.rc;
    return 0;
}

bool coir_task_cancel(coir_task task) {
    const struct coir__record *const record = coir__record_find(task);
    if (record == NULL || record->task == NULL || record->task->cancelled)
        return false;
    record->task->cancelled = true;
    coir__refresh_task(record->task);
    return true;
}

bool coir_task_done(coir_task task) {
    const struct coir__record *const record = coir__record_find(task);
    return record == NULL || record->task == NULL;
}

int coir_task_result(coir_task task) {
    const struct coir__record *const record = coir__record_find(task);
    return record != NULL ? record->result : -ESRCH;
}

bool coir_task_equal(coir_task a, coir_task b) {
    return a.coir__record == b.coir__record && a.coir__generation == b.coir__generation;
}

uint64_t coir_task_number(coir_task task) {
    return task.coir__generation & ((UINT64_C(1) << COIR_GENERATION_BITS) - 1);
}

coir_task coir_self(void) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt == NULL || rt->current == &rt->loop)
        return (coir_task){.coir__record = NULL};
    struct coir__record *const record = rt->current->record;
    return (coir_task){.coir__record = record, .coir__generation = record->generation};
}

/* The living task a handle names; NULL and *rc otherwise. */
static struct coir__task *living(coir_task task, int *rc) {
    const struct coir__record *const record = coir__record_find(task);
    *rc = coir__rt == NULL ? coir__outside() : -ESRCH;
    return record != NULL ? record->task : NULL;
}

int coir_task_name(coir_task task, char *out, size_t size_bytes) {
    int rc;
    const struct coir__task *const found = living(task, &rc);
    if (found == NULL)
        return rc;
    if (out == NULL || size_bytes == 0)
        return -EINVAL;
    const size_t length = strnlen(found->name, size_bytes - 1);
    memcpy(out, found->name, length);
    out[length] = '\0';
    return 0;
}

int coir_task_set_name(coir_task task, const char *name) {
    int rc;
    struct coir__task *const found = living(task, &rc);
    if (found == NULL)
        return rc;
    set_name(found, name);
    found->tidy_up |= COIR_TIDY_MORE;
    return 0;
}

static coir__noinline int yield_slow(struct coir__runtime *rt, struct coir__task *self) {
    COIR_TRY(coir__check(rt, self));
    self->value = 0;
    coir__make_ready(rt, self);
    return coir__suspend(rt, self);
}

int coir_yield(void) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    struct coir__task *const self = rt->current;
    if (!coir__unhindered(rt, self))
        return yield_slow(rt, self);
    struct coir__ready *const ready = &rt->ready;
    if (unlikely(coir__many_or_none(ready))) {
        if (coir__ready_count(ready) == 0) {
            rt->turn_end--;
            return 0;
        }
        coir__fetch_frame(coir__look_ahead(ready)); /* most likely of another yield */
    }
    self->value = 0;
    coir__make_ready(rt, self);
    return coir__switch_to(rt, self, coir__pop_some(ready));
}

int coir_check(void) {
    struct coir__runtime *const rt = coir__rt;
    return rt != NULL ? coir__check(rt, rt->current) : coir__outside();
}

/* One sleep: a wait that a timer ends. */
struct sleeper {
    coir_waiter wait;
    struct coir__timer timer;
};

static bool cut_sleep(coir_waiter *wait) {
    coir__wheel_disarm(&coir__rt->wheel, &((struct sleeper *)(void *)wait)->timer);
    return true;
}

static void end_sleep(struct coir__timer *timer) {
    coir__wake(coir__rt, &list_entry(timer, struct sleeper, timer)->wait, 0);
}

static int sleep_to(struct coir__runtime *rt, coir_time deadline) {
    struct sleeper sleeper = {
        .wait = {.cut = cut_sleep, .what = coir__what_sleep, .number = deadline},
        .timer = {.deadline = deadline, .fire = end_sleep}};
    if (deadline != COIR_NEVER)
        coir__wheel_arm(&rt->wheel, &sleeper.timer);
    return coir__park(rt, rt->current, &sleeper.wait);
}

int coir_sleep_until(coir_time deadline) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    COIR_TRY(coir__check(rt, rt->current));
    return deadline <= coir__clock(rt) ? coir_yield() : sleep_to(rt, deadline);
}

int coir_sleep(coir_time duration) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (duration < 0)
        return -EINVAL;
    if (duration == 0)
        return coir_yield();
    COIR_TRY(coir__check(rt, rt->current));
    return sleep_to(rt, coir_after(duration));
}

static coir__noinline int park_slow(struct coir__runtime *rt, struct coir__task *self,
                                    coir_waiter *wait) {
    if (wait->cut != NULL && coir__is_cut(rt, self) && wait->cut(wait)) {
        coir__told(rt, self);
        return -ECANCELED;
    }
    return coir__park(rt, self, wait);
}

int coir_park(coir_waiter *wait) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(wait == NULL))
        return -EINVAL;
    struct coir__task *const self = rt->current;
    if (!coir__unhindered(rt, self))
        return park_slow(rt, self, wait);
    return coir__park_unhindered(rt, self, wait);
}

int coir_unpark(coir_waiter *wait, int value) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(wait == NULL || wait->coir__task == NULL || wait->coir__task->wait != wait))
        return -EINVAL;
    coir__wake(rt, wait, value);
    return 0;
}
