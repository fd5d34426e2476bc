/* The table for tools outside the process, and the list of runtimes; see layout.h.
 *
 * The lock is taken when a runtime starts and ends only. Tools take no lock: they stop the threads
 * they look at. */
#include "debug/layout.h"

#include <pthread.h>

#include "coir/sync.h"
#include "debug/wait.h"
#include "sync/channel.h"
#include "sync/lock.h"

#define CONSTANT(name, number)                                                                     \
    { name, (uint64_t)(number) }
#define FIELD(name, type, member) CONSTANT(name, offsetof(type, member))
#define RUNTIME(member) FIELD("runtime." #member, struct coir__runtime, member)
#define TASK(member) FIELD("task." #member, struct coir__task, member)
#define SCOPE(member) FIELD("scope." #member, struct coir_scope, coir__##member)
#define WAITER(member) FIELD("waiter." #member, struct coir_waiter, member)
#define WHAT(kind) CONSTANT("what." #kind, (uintptr_t)coir__what_##kind)
#define REGISTER(name) FIELD("frame." #name, struct coir_frame, name),

static struct coir__layout layout = {
    .magic = COIR_LAYOUT_MAGIC,
    .address = &layout,
    .version = COIR_LAYOUT_VERSION,
    .runtimes = {.next = &layout.runtimes, .prev = &layout.runtimes},
    .fresh = (const char *)(uintptr_t)coir__entry + COIR_ENTRY_PAD,
    .entries =
        {
            CONSTANT("release.major", COIR_VERSION_MAJOR),
            CONSTANT("release.minor", COIR_VERSION_MINOR),
            CONSTANT("release.patch", COIR_VERSION_PATCH),

            RUNTIME(listed),
            RUNTIME(thread),
            RUNTIME(current),
            RUNTIME(loop),
            RUNTIME(root),
            RUNTIME(virtual_now),
            RUNTIME(turn_began),
            CONSTANT("runtime.size", sizeof(struct coir__runtime)),

            FIELD("task.sp", struct coir__task, context.sp),
            TASK(wait),
            TASK(home),
            TASK(sibling),
            TASK(outermost),
            TASK(fn),
            TASK(origin),
            TASK(record),
            TASK(due),
            TASK(name),
            FIELD("task.stack", struct coir__task, shadow.low),
            FIELD("task.stack_size", struct coir__task, shadow.size_bytes),
            CONSTANT("task.size", sizeof(struct coir__task)),
            CONSTANT("task.name_size", COIR_NAME_SIZE),
            CONSTANT("task.due_cut", COIR_CUT),
            FIELD("record.generation", struct coir__record, generation),
            CONSTANT("record.number_bits", COIR_GENERATION_BITS),

            SCOPE(state),
            SCOPE(cancelled),
            SCOPE(expired),
            SCOPE(shield),
            SCOPE(owner),
            SCOPE(outer),
            SCOPE(inner),
            SCOPE(children),
            SCOPE(live),
            SCOPE(name),
            FIELD("scope.deadline", struct coir_scope, coir__timer.deadline),
            CONSTANT("scope.size", sizeof(struct coir_scope)),
            CONSTANT("scope.state_open", COIR_SCOPE_OPEN),

            WAITER(what),
            WAITER(object),
            WAITER(number),
            WAITER(numbered),
            FIELD("waiter.since", struct coir_waiter, coir__since),
            CONSTANT("waiter.size", sizeof(struct coir_waiter)),

            WHAT(mutex),
            WHAT(read),
            WHAT(write),
            WHAT(once),
            WHAT(join),
            WHAT(close),
            WHAT(start),
            WHAT(next),
            WHAT(sleep),
            WHAT(ends),
            WHAT(select),
            WHAT(send),
            WHAT(receive),
            WHAT(items),
            WHAT(condition),
            WHAT(limiter),
            WHAT(barrier),
            WHAT(offload),
            WHAT(lookup),
            FIELD("mutex.owner", struct coir__lock, owner),
            FIELD("rwlock.owner", struct coir_rwlock, coir__lock.owner),
            FIELD("rwlock.readers", struct coir_rwlock, coir__readers),
            FIELD("once.runner", struct coir_once, coir__runner),
            FIELD("channel.count", struct coir_channel, buffer.count),
            FIELD("channel.capacity", struct coir_channel, buffer.capacity),
            FIELD("channel.sent", struct coir_channel, sent),
            FIELD("channel.finished", struct coir_channel, finished),
            FIELD("limiter.held", struct coir_limiter, coir__held),
            FIELD("limiter.limit", struct coir_limiter, coir__limit),
            FIELD("barrier.waiting", struct coir_barrier, coir__waiting),
            FIELD("barrier.parties", struct coir_barrier, coir__parties),
            FIELD("sleeper.lock", struct coir__sleeper, lock),

            COIR_FRAME_REGISTERS(REGISTER) /* */
            CONSTANT("frame.size", sizeof(struct coir_frame)),
        },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void coir__layout_list(struct coir__runtime *rt) {
    rt->thread = sys_thread_id();
    (void)pthread_mutex_lock(&lock);
    list_append(&layout.runtimes, &rt->listed);
    (void)pthread_mutex_unlock(&lock);
}

void coir__layout_unlist(struct coir__runtime *rt) {
    (void)pthread_mutex_lock(&lock);
    list_take(&rt->listed);
    (void)pthread_mutex_unlock(&lock);
}

void coir__layout_forked(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    list_init(&layout.runtimes);
}
