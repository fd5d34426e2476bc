/* The stack aside. The one who goes there must not park: that would suspend its task there. */
#include "debug/inspector.h"

#define STACK_SIZE ((size_t)512 << 10) /* of which what is used is committed */

static struct coir__inspector *make(const struct coir__runtime *rt) {
    const size_t guard = rt->stacks.page_size;
    struct coir__inspector *const inspector = sys_allocate(sizeof *inspector);
    if (inspector == NULL)
        return NULL;
    inspector->memory = sys_map_stacks(STACK_SIZE);
    if (inspector->memory == NULL) {
        sys_free(inspector);
        return NULL;
    }
    (void)sys_guard_protect(inspector->memory, guard);
    inspector->shadow.low = inspector->memory + guard;
    inspector->shadow.size_bytes = STACK_SIZE - guard;
    sanitizer_stack_created(&inspector->shadow);
    return inspector;
}

void coir__inspector_fini(struct coir__runtime *rt) {
    struct coir__inspector *const inspector = rt->inspector;
    if (inspector == NULL)
        return;
    sanitizer_stack_destroyed(&inspector->shadow);
    sys_unmap(inspector->memory, STACK_SIZE);
    sys_free(inspector);
    rt->inspector = NULL;
}

static void work(void *value, void *arg) {
    (void)value;
    sanitizer_entered();
    struct coir__runtime *const rt = arg;
    struct coir__inspector *const inspector = rt->inspector;
    inspector->fn(inspector->arg);
    sanitizer_leave(&inspector->context, &inspector->shadow, &rt->current->context,
                    &rt->current->shadow, 0);
    __builtin_unreachable();
}

void coir__aside(struct coir__runtime *rt, void (*fn)(void *arg), void *arg) {
    struct coir__task *const self = rt->current;
    if (rt->inspector == NULL)
        rt->inspector = make(rt);
    struct coir__inspector *const inspector = rt->inspector;
    if (inspector == NULL || inspector->busy || self == &rt->loop) {
        fn(arg);
        return;
    }
    inspector->busy = true;
    inspector->fn = fn;
    inspector->arg = arg;
    inspector->context.sp = coir__frame_init(inspector->memory + STACK_SIZE, work, rt);
    sanitizer_stack_reused(&inspector->shadow);
    (void)sanitizer_switch(&self->context, &self->shadow, &inspector->context, &inspector->shadow,
                           0);
    inspector->busy = false;
}

bool coir__is_suspended(const struct coir__runtime *rt, const struct coir__task *task) {
    return task != rt->current || (rt->inspector != NULL && rt->inspector->busy);
}
