/* Semaphores: a number of permits. Nobody waits while there is one: release hands over. */
#include <limits.h>

#include "sync/queued.h"

int coir_semaphore_init(coir_semaphore *semaphore, long value, long bound) {
    if (semaphore == NULL || value < 0 || bound < 0 || (bound > 0 && value > bound))
        return -EINVAL;
    *semaphore = (coir_semaphore){.coir__value = (size_t)value,
                                  .coir__bound = bound > 0 ? (size_t)bound : LONG_MAX};
    return 0;
}

static coir__noinline int acquire_slow(struct coir__runtime *rt, coir_semaphore *semaphore) {
    COIR_TRY(coir__check(rt, rt->current));
    if (semaphore->coir__value == 0)
        return coir__wait_in(rt, &semaphore->coir__waiters, "semaphore", semaphore);
    semaphore->coir__value--;
    return 0;
}

int coir_semaphore_acquire(coir_semaphore *semaphore) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(semaphore == NULL))
        return -EINVAL;
    if (unlikely(rt->current->due != COIR_NEVER) || unlikely(semaphore->coir__value == 0))
        return acquire_slow(rt, semaphore);
    semaphore->coir__value--;
    return 0;
}

int coir_semaphore_try_acquire(coir_semaphore *semaphore) {
    COIR_TRY(coir__refused(coir__rt, semaphore));
    if (semaphore->coir__value == 0)
        return -EAGAIN;
    semaphore->coir__value--;
    return 0;
}

static coir__noinline int hand_over(struct coir__runtime *rt, coir_semaphore *semaphore) {
    coir__wake(rt, &coir__queued_pop(&semaphore->coir__waiters)->wait, 0);
    return 0;
}

int coir_semaphore_release(coir_semaphore *semaphore) {
    struct coir__runtime *const rt = coir__rt;
    if (unlikely(rt == NULL))
        return coir__outside();
    if (unlikely(semaphore == NULL))
        return -EINVAL;
    if (unlikely(!queue_empty(&semaphore->coir__waiters)))
        return hand_over(rt, semaphore);
    if (unlikely(semaphore->coir__value > semaphore->coir__bound - 1)) /* no bound: 0 */
        return -EOVERFLOW;
    semaphore->coir__value++;
    return 0;
}

long coir_semaphore_value(const coir_semaphore *semaphore) {
    return semaphore != NULL ? (long)semaphore->coir__value : 0;
}

int coir_semaphore_destroy(coir_semaphore *semaphore) {
    if (semaphore == NULL)
        return 0;
    if (!queue_empty(&semaphore->coir__waiters))
        return -EBUSY;
    *semaphore = (coir_semaphore){.coir__value = 0};
    return 0;
}
