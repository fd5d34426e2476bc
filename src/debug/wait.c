/* The kinds of waits, and what is known of each beyond its words. */
#include "debug/wait.h"

#include "coir/select.h"
#include "coir/sync.h"
#include "debug/words.h"
#include "io/address.h"
#include "io/fd.h"
#include "sync/channel.h"
#include "sync/lock.h"

const char coir__what_mutex[] = "mutex";
const char coir__what_read[] = "read lock";
const char coir__what_write[] = "write lock";
const char coir__what_once[] = "once";
const char coir__what_join[] = "join";
const char coir__what_close[] = "close of scope";
const char coir__what_start[] = "a start in scope";
const char coir__what_next[] = "next end in scope";
const char coir__what_sleep[] = "sleep";
const char coir__what_ends[] = "ends of tasks";
const char coir__what_select[] = "select";
const char coir__what_send[] = "send to channel";
const char coir__what_receive[] = "receive from channel";
const char coir__what_items[] = "items to be done of channel";
const char coir__what_condition[] = "condition";
const char coir__what_limiter[] = "limiter";
const char coir__what_barrier[] = "barrier";
const char coir__what_offload[] = "offloaded call";
const char coir__what_lookup[] = "look-up of a name";

#define NAMED_MAX 4 /* of several things waited for */

static bool is(const coir_waiter *wait, const char *what) {
    return wait->what == what;
}

/* ---- Who could end it ---- */

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

bool coir__wait_on_fd(const coir_waiter *wait) {
    return wait->numbered && wait->object != NULL && wait->number >= 0 &&
           wait->object == coir__fd_at(coir__rt, (int)wait->number);
}

/* ---- In words ---- */

static void tell_task(struct coir__words *text, const struct coir__task *task) {
    char label[128];
    coir__say(text, "%s", coir__task_label(task, label, sizeof label));
}

static void tell_handle(struct coir__words *text, coir_task handle) {
    const struct coir__record *const record = coir__record_find(handle);
    if (record != NULL && record->task != NULL)
        tell_task(text, record->task);
    else
        coir__say(text, "a task that has ended");
}

static void tell_scope(struct coir__words *text, const coir_waiter *wait) {
    char label[128];
    static const char of[] = "scope";
    const size_t words = strlen(wait->what) - (sizeof of - 1); /* they end in "scope" */
    coir__say(text, "%.*s%s", (int)words, wait->what,
              coir__scope_label(wait->object, label, sizeof label));
}

/* Who has what is waited for. */
static void tell_lock(struct coir__words *text, const coir_waiter *wait) {
    const struct coir__task *const holder = coir__wait_holder(wait);
    coir__say(text, "%s %p", wait->what, wait->object);
    if (holder != NULL) {
        coir__say(text, is(wait, coir__what_once) ? " run by " : " held by ");
        tell_task(text, holder);
    } else if (is(wait, coir__what_write)) {
        const size_t readers = ((const coir_rwlock *)wait->object)->coir__readers;
        coir__say(text, " held by %zu %s", readers, readers == 1 ? "reader" : "readers");
    } else if (is(wait, coir__what_read)) {
        coir__say(text, " behind a writer that waits");
    }
}

static void tell_condition(struct coir__words *text, const coir_waiter *wait) {
    const struct coir__lock *const lock = ((const struct coir__sleeper *)(const void *)wait)->lock;
    coir__say(text, "condition %p of mutex %p", wait->object, (const void *)lock);
    if (coir__lock_held(lock)) {
        coir__say(text, " held by ");
        tell_task(text, lock->owner);
    }
}

static void tell_join(struct coir__words *text, const coir_waiter *wait) {
    coir__say(text, "join of ");
    tell_task(text, wait->object);
}

static void tell_ends(struct coir__words *text, const coir_waiter *wait) {
    const coir_task *const tasks = wait->object;
    coir__say(text, "ends among %ld %s: ", wait->number, wait->number == 1 ? "task" : "tasks");
    for (long i = 0; i < wait->number && i < NAMED_MAX; i++) {
        coir__say(text, i > 0 ? ", " : "");
        tell_handle(text, tasks[i]);
    }
    coir__say(text, wait->number > NAMED_MAX ? ", ..." : "");
}

static void tell_channel(struct coir__words *text, const coir_waiter *wait) {
    const coir_channel *const channel = wait->object;
    coir__say(text, "%s %p", wait->what, wait->object);
    if (is(wait, coir__what_items))
        coir__say(text, " (%llu are not)", (unsigned long long)(channel->sent - channel->finished));
    else if (channel->buffer.capacity > 0)
        coir__say(text, " (%zu of %zu items)", channel->buffer.count, channel->buffer.capacity);
    else
        coir__say(text, " (without a buffer)");
}

static void tell_limiter(struct coir__words *text, const coir_waiter *wait) {
    const coir_limiter *const limiter = wait->object;
    coir__say(text, "limiter %p (%zu of %zu permits held)", wait->object, limiter->coir__held,
              limiter->coir__limit);
}

static void tell_barrier(struct coir__words *text, const coir_waiter *wait) {
    const coir_barrier *const barrier = wait->object;
    coir__say(text, "barrier %p (%d of %d are there)", wait->object, barrier->coir__waiting,
              barrier->coir__parties);
}

static void tell_sleep(struct coir__words *text, const coir_waiter *wait) {
    const coir_time left = (coir_time)wait->number - coir__clock(coir__rt);
    if (wait->number == COIR_NEVER) {
        coir__say(text, "sleep for ever");
    } else if (left > 0) {
        coir__say(text, "sleep until ");
        coir__say_duration(text, left);
        coir__say(text, " from now");
    } else {
        coir__say(text, "sleep until now");
    }
}

static void tell_offload(struct coir__words *text, const coir_waiter *wait) {
    char label[128];
    coir__say(text, "offloaded call of '%s'",
              coir__function_label((coir_fn)(uintptr_t)wait->object, label, sizeof label));
}

static void tell_lookup(struct coir__words *text, const coir_waiter *wait) {
    coir__say(text, "look-up of '%s'", (const char *)wait->object);
}

typedef int ask_address(int fd, struct sockaddr *out, socklen_t *size);

/* An address of a socket, with words before it, unless it has none. */
static void tell_address(struct coir__words *text, const char *before, ask_address *ask, int fd) {
    struct coir__address address = {.size = sizeof address.as};
    char words[COIR_ADDRESS_SIZE];
    if (ask(fd, &address.as.any, &address.size) == 0 &&
        coir__address_format(&address, words, sizeof words) == 0 && strcmp(words, "unix:") != 0)
        coir__say(text, "%s%s", before, words);
}

/* ", 127.0.0.1:8080 → 127.0.0.1:51234", or what else the system calls it. */
static void tell_ends_of_fd(struct coir__words *text, int fd) {
    char path[COIR_ADDRESS_SIZE];
    const size_t before = text->length;
    tell_address(text, ", ", sys_own_address, fd);
    tell_address(text, text->length > before ? " → " : ", → ", sys_peer_address, fd);
    const int length = text->length > before ? 0 : sys_path_of(fd, path, sizeof path);
    if (length > 0)
        coir__say(text, ", %.*s", length, path);
}

static void tell_fd(struct coir__words *text, const coir_waiter *wait) {
    coir__say(text, "%s %ld", wait->what, wait->number);
    tell_ends_of_fd(text, (int)wait->number);
}

static void tell_case(struct coir__words *text, const coir_case *it) {
    switch (it->kind) {
    case COIR_CASE_SEND:
        coir__say(text, "send to channel %p", (const void *)it->channel);
        break;
    case COIR_CASE_RECV:
        coir__say(text, "receive from channel %p", (const void *)it->channel);
        break;
    case COIR_CASE_FD:
        coir__say(text, "fd %d", it->fd);
        tell_ends_of_fd(text, it->fd);
        break;
    case COIR_CASE_TASK:
        coir__say(text, "end of ");
        tell_handle(text, it->task);
        break;
    default:
        coir__say(text, "nothing");
    }
}

static void tell_select(struct coir__words *text, const coir_waiter *wait) {
    const coir_case *const cases = wait->object;
    coir__say(text, "select over %ld %s: ", wait->number, wait->number == 1 ? "case" : "cases");
    for (long i = 0; i < wait->number && i < NAMED_MAX; i++) {
        coir__say(text, i > 0 ? "; " : "");
        tell_case(text, &cases[i]);
    }
    coir__say(text, wait->number > NAMED_MAX ? "; ..." : "");
}

/* All else: extensions' waits too. */
static void tell_other(struct coir__words *text, const coir_waiter *wait) {
    coir__say(text, "%s", wait->what != NULL ? wait->what : "something");
    if (wait->numbered)
        coir__say(text, " %ld", wait->number);
    else if (wait->object != NULL)
        coir__say(text, " %p", wait->object);
}

static const struct kind {
    const char *what;
    void (*tell)(struct coir__words *text, const coir_waiter *wait);
} kinds[] = {
    {coir__what_mutex, tell_lock},          {coir__what_read, tell_lock},
    {coir__what_write, tell_lock},          {coir__what_once, tell_lock},
    {coir__what_join, tell_join},           {coir__what_close, tell_scope},
    {coir__what_start, tell_scope},         {coir__what_next, tell_scope},
    {coir__what_sleep, tell_sleep},         {coir__what_ends, tell_ends},
    {coir__what_select, tell_select},       {coir__what_send, tell_channel},
    {coir__what_receive, tell_channel},     {coir__what_items, tell_channel},
    {coir__what_condition, tell_condition}, {coir__what_limiter, tell_limiter},
    {coir__what_barrier, tell_barrier},     {coir__what_offload, tell_offload},
    {coir__what_lookup, tell_lookup},
};

const char *coir__wait_text(const coir_waiter *wait, char *out, size_t size_bytes) {
    struct coir__words text = {.out = out, .size_bytes = size_bytes};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (is(wait, kinds[i].what)) {
            kinds[i].tell(&text, wait);
            return out;
        }
    }
    (coir__wait_on_fd(wait) ? tell_fd : tell_other)(&text, wait);
    return out;
}
