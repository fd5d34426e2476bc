/* The kinds of waits of which more is known than their words. */
#include "debug/wait.h"

#include "sync/lock.h"

const char coir__what_mutex[] = "mutex";
const char coir__what_read[] = "read lock";
const char coir__what_write[] = "write lock";
const char coir__what_once[] = "once";
const char coir__what_join[] = "join";
const char coir__what_close[] = "close of scope";

static bool is(const coir_waiter *wait, const char *what) {
    return wait->what == what;
}

static struct coir__task *owner(const struct coir__lock *lock) {
    return coir__lock_held(lock) ? lock->owner : NULL;
}

struct coir__task *coir__wait_holder(const coir_waiter *wait) {
    void *const object = (void *)(uintptr_t)wait->object;
    if (is(wait, coir__what_mutex))
        return owner(object);
    if (is(wait, coir__what_read) || is(wait, coir__what_write))
        return owner(&((coir_rwlock *)object)->coir__lock);
    if (is(wait, coir__what_once))
        return ((coir_once *)object)->coir__runner;
    return is(wait, coir__what_join) ? object : NULL;
}

coir_scope *coir__wait_scope(const coir_waiter *wait) {
    return is(wait, coir__what_close) ? (coir_scope *)(uintptr_t)wait->object : NULL;
}

const char *coir__wait_text(const coir_waiter *wait, char *out, size_t size_bytes) {
    const char *const what = wait->what != NULL ? wait->what : "something";
    const struct coir__task *const holder = coir__wait_holder(wait);
    const coir_scope *const scope = coir__wait_scope(wait);
    char label[128] = "";
    if (holder != NULL)
        (void)coir__task_label(holder, label, sizeof label);
    if (scope != NULL)
        (void)snprintf(out, size_bytes, "close of %s",
                       coir__scope_label(scope, label, sizeof label));
    else if (is(wait, coir__what_join))
        (void)snprintf(out, size_bytes, "%s of %s", what, label);
    else if (wait->numbered)
        (void)snprintf(out, size_bytes, "%s %ld", what, wait->number);
    else if (wait->object == NULL)
        (void)snprintf(out, size_bytes, "%s", what);
    else
        (void)snprintf(out, size_bytes, "%s %p%s%s", what, wait->object,
                       holder == NULL              ? ""
                       : is(wait, coir__what_once) ? " run by "
                                                   : " held by ",
                       label);
    return out;
}
