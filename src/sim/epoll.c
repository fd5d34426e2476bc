/* The poller's queue: epoll and the event counter that wakes it, as src/poll/epoll.c uses them.
 *
 * A change that makes something hold (coir__sim_notify) puts the watch of its file on the list of
 * its queue; what is reported is what holds at the time of the report, as on Linux. An edge
 * triggered watch leaves the list when it is looked at. Faults: an event comes late, is kept back
 * until another comes, or is told though nothing has changed; the wait ends early. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/sim.h"

#define ALWAYS (EPOLLERR | EPOLLHUP)

struct queue {
    struct coir__sim_file file;
    struct coir__link watches; /* all of them */
    struct coir__link list;    /* those that may have something to report */
    struct coir__link kept;    /* those kept back */
};

/* One file in one queue. */
struct watch {
    struct coir__sim_object object; /* the file's list holds a reference, and late events do */
    struct coir__link of_queue, of_file;
    struct coir__link listed; /* in the queue's list, or among those kept back */
    struct queue *queue;
    struct coir__sim_file *file; /* NULL once either has gone */
    struct epoll_event event;
    unsigned late; /* events on their way */
    bool kept;
};

/* ---- Watches ---- */

static void destroy_watch(struct coir__sim_object *object) {
    free(object);
}

static struct watch *find(struct queue *queue, const struct coir__sim_file *file) {
    for (struct coir__link *link = queue->watches.next; link != &queue->watches;
         link = link->next) {
        struct watch *const watch = list_entry(link, struct watch, of_queue);
        if (watch->file == file)
            return watch;
    }
    return NULL;
}

static void unlink_watch(struct watch *watch) {
    list_take(&watch->of_queue);
    list_take(&watch->of_file);
    if (list_linked(&watch->listed))
        list_take(&watch->listed);
    watch->file = NULL;
    coir__sim_drop(watch);
}

void coir__sim_unwatch(struct coir__sim_file *file) {
    while (!list_empty(&file->watches))
        unlink_watch(list_entry(file->watches.next, struct watch, of_file));
}

/* Puts it on the list, and all that were kept back with it. */
static void list_watch(struct watch *watch) {
    struct queue *const queue = watch->queue;
    if (watch->kept)
        return;
    if (!list_linked(&watch->listed))
        list_append(&queue->list, &watch->listed);
    for (struct coir__link *link = queue->kept.next; link != &queue->kept; link = link->next)
        list_entry(link, struct watch, listed)->kept = false;
    list_splice(&queue->list, &queue->kept);
}

static void come_late(struct coir__sim_object *object, uint64_t number) {
    struct watch *const watch = (struct watch *)object;
    (void)number;
    watch->late--;
    if (watch->file != NULL)
        list_watch(watch);
}

static void list_later(struct watch *watch, coir_time delay) {
    watch->late++;
    coir__sim_at(coir__sim->now + delay, come_late, watch, 0);
}

static void stop_keeping(struct coir__sim_object *object, uint64_t number) {
    struct watch *const watch = (struct watch *)object;
    (void)number;
    watch->late--;
    if (watch->file == NULL || !watch->kept)
        return;
    watch->kept = false;
    list_take(&watch->listed);
    list_watch(watch);
}

/* Until another event comes, or a while has passed. */
static void keep_back(struct watch *watch) {
    watch->kept = true;
    list_append(&watch->queue->kept, &watch->listed);
    watch->late++;
    coir__sim_at(coir__sim->now + COIR_MS(50), stop_keeping, watch, 0);
}

static void tell(struct watch *watch, unsigned events) {
    if ((events & (watch->event.events | ALWAYS)) == 0)
        return;
    if (coir__sim_fault(COIR_SIM_LATE_EVENT))
        list_later(watch, 1 + coir__sim_draw_time(COIR_MS(20)));
    else if (!list_linked(&watch->listed) && coir__sim_fault(COIR_SIM_MERGED_EVENT))
        keep_back(watch);
    else
        list_watch(watch);
}

static void tell_all(struct coir__sim_file *file, unsigned events) {
    struct coir__link *next;
    for (struct coir__link *link = file->watches.next; link != &file->watches; link = next) {
        next = link->next;
        tell(list_entry(link, struct watch, of_file), events);
    }
}

void coir__sim_notify(struct coir__sim_file *file, unsigned events) {
    if (file != NULL)
        tell_all(file, events);
}

/* By the file, because it may not be watched yet: the call that said EAGAIN comes before that. */
static void notify_file(struct coir__sim_object *object, uint64_t events) {
    struct coir__sim_file *const file = (struct coir__sim_file *)object;
    file->promised--;
    tell_all(file, (unsigned)events);
}

void coir__sim_notify_later(struct coir__sim_file *file, unsigned events) {
    file->promised++;
    coir__sim_at(coir__sim->now + 1 + coir__sim_draw_time(COIR_MS(5)), notify_file, file, events);
}

bool coir__sim_notified(const struct coir__sim_file *file) {
    if (file->promised > 0)
        return true;
    const struct coir__sim_flow *const out =
        file->kind->flow != NULL ? file->kind->flow((struct coir__sim_file *)(uintptr_t)file, true)
                                 : NULL;
    if (out != NULL && out->acknowledged > 0)
        return true;
    for (struct coir__link *link = file->watches.next; link != &file->watches; link = link->next) {
        const struct watch *const watch = list_entry(link, struct watch, of_file);
        if (watch->late > 0 || list_linked(&watch->listed))
            return true;
    }
    return false;
}

/* ---- The queue ---- */

static unsigned queue_ready(struct coir__sim_file *file) {
    return list_empty(&((struct queue *)file)->list) ? 0 : EPOLLIN;
}

static void queue_closed(struct coir__sim_file *file) {
    struct queue *const queue = (struct queue *)file;
    while (!list_empty(&queue->watches))
        unlink_watch(list_entry(queue->watches.next, struct watch, of_queue));
}

static const struct coir__sim_kind queue_kind = {
    .name = "epoll", .mode = 0, .ready = queue_ready, .closed = queue_closed};

static struct queue *queue_of(int fd) {
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    return file != NULL && file->kind == &queue_kind ? (struct queue *)file : NULL;
}

int coir__sim_epoll_create1(int flags) {
    if (coir__sim == NULL)
        return epoll_create1(flags);
    coir__sim_enter();
    struct queue *const queue = coir__sim_file_create(&queue_kind, sizeof *queue, NULL);
    list_init(&queue->watches);
    list_init(&queue->list);
    list_init(&queue->kept);
    return (int)coir__sim_leave("epoll_create1", -1, coir__sim_install(&queue->file));
}

static int add(struct queue *queue, struct coir__sim_file *file, const struct epoll_event *event) {
    if (coir__sim_is_disk(file))
        return -EPERM;
    if (find(queue, file) != NULL)
        return -EEXIST;
    const int rc = coir__sim_failure(COIR_SIM_ENOBUFS, COIR_SIM_ERRORS(ENOMEM, ENOSPC));
    if (rc < 0)
        return rc;
    struct watch *const watch = coir__sim_allocate(sizeof *watch);
    watch->object = (struct coir__sim_object){.references = 1, .destroy = destroy_watch};
    watch->queue = queue;
    watch->file = file;
    watch->event = *event;
    list_append(&queue->watches, &watch->of_queue);
    list_append(&file->watches, &watch->of_file);
    tell(watch, file->kind->ready(file));
    return 0;
}

static int control(struct queue *queue, int operation, int fd, const struct epoll_event *event) {
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (queue == NULL || file == NULL)
        return -EBADF;
    if (operation == EPOLL_CTL_ADD)
        return add(queue, file, event);
    struct watch *const watch = find(queue, file);
    if (watch == NULL)
        return -ENOENT;
    if (operation == EPOLL_CTL_DEL) {
        unlink_watch(watch);
    } else {
        watch->event = *event;
        tell(watch, file->kind->ready(file));
    }
    return 0;
}

int coir__sim_epoll_ctl(int queue, int operation, int fd, struct epoll_event *event) {
    static const char *const names[] = {"", "epoll_ctl add", "epoll_ctl del", "epoll_ctl mod"};
    if (coir__sim == NULL)
        return epoll_ctl(queue, operation, fd, event);
    coir__sim_enter();
    return (int)coir__sim_leave(names[operation & 3], fd,
                                control(queue_of(queue), operation, fd, event));
}

/* ---- Waiting ---- */

/* Takes what is on the list, as far as it still holds. */
static int collect(struct queue *queue, struct epoll_event *out, int most) {
    struct coir__link again;
    int count = 0;
    list_init(&again);
    while (count < most && !list_empty(&queue->list)) {
        struct watch *const watch = list_entry(queue->list.next, struct watch, listed);
        list_take(&watch->listed);
        const unsigned events =
            watch->file->kind->ready(watch->file) & (watch->event.events | ALWAYS);
        if (events == 0)
            continue;
        out[count++] = (struct epoll_event){.events = events, .data = watch->event.data};
        if ((watch->event.events & EPOLLET) == 0)
            list_append(&again, &watch->listed);
    }
    list_splice(&queue->list, &again);
    return count;
}

/* Something that has not happened, to one of the files. */
static int invent(const struct queue *queue, struct epoll_event *out) {
    static const unsigned inventions[] = {EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT,
                                          EPOLLPRI | EPOLLIN};
    uint32_t count = 0;
    for (struct coir__link *link = queue->watches.next; link != &queue->watches; link = link->next)
        count++;
    if (count == 0)
        return 0;
    uint32_t chosen = coir__sim_draw(count);
    struct coir__link *link = queue->watches.next;
    while (chosen-- > 0)
        link = link->next;
    const struct watch *const watch = list_entry(link, struct watch, of_queue);
    const unsigned events = inventions[coir__sim_draw(4)] & watch->event.events;
    if (events == 0)
        return 0;
    *out = (struct epoll_event){.events = events, .data = watch->event.data};
    return 1;
}

/* Lets time pass up to `deadline` or the next event, or not even that far. True: it is over. */
static bool sleep_a_while(coir_time deadline) {
    struct coir__sim *const sim = coir__sim;
    if (sim->hooks.on_idle != NULL)
        sim->hooks.on_idle(sim->hooks.context, deadline);
    const coir_time next = sim->event_count > 0 ? sim->events[0].time : COIR_NEVER;
    const coir_time until = next < deadline ? next : deadline;
    if (until == COIR_NEVER) { /* outside something might still come; here nothing will */
        coir__break_deadlock(coir__rt);
        return true;
    }
    if (until > sim->now && coir__sim_fault(COIR_SIM_EARLY_WAKE)) {
        sim->now += coir__sim_draw_time(until - sim->now);
        coir__sim_catch_up();
        return true;
    }
    if (coir__sim_step(until))
        return false;
    sim->now = until > sim->now ? until : sim->now;
    return true;
}

static int wait_for(struct queue *queue, struct epoll_event *out, int most, coir_time timeout) {
    struct coir__sim *const sim = coir__sim;
    if (queue == NULL)
        return -EBADF;
    const int rc = coir__sim_planned(COIR_SIM_EINTR, COIR_SIM_ERRORS(EINTR));
    if (rc < 0)
        return rc;
    const coir_time deadline = timeout > COIR_NEVER - sim->now ? COIR_NEVER : sim->now + timeout;
    int count = 0;
    if (coir__sim_fault(COIR_SIM_SPURIOUS_EVENT))
        count = invent(queue, out);
    count += collect(queue, out + count, most - count);
    while (count == 0 && timeout > 0) {
        const bool over = sleep_a_while(deadline);
        count = collect(queue, out, most);
        if (over)
            break;
        if (count == 0 && coir__sim_fault(COIR_SIM_EINTR))
            return -EINTR;
    }
    return count;
}

int coir__sim_epoll_wait(int fd, struct epoll_event *out, int most, int timeout_ms) {
    if (coir__sim == NULL)
        return epoll_wait(fd, out, most, timeout_ms);
    coir__sim_enter();
    const coir_time timeout = timeout_ms < 0 ? COIR_NEVER : COIR_MS(timeout_ms);
    return (int)coir__sim_leave("epoll_wait", -1, wait_for(queue_of(fd), out, most, timeout));
}

/* ---- The event counter ---- */

struct counter {
    struct coir__sim_file file;
    uint64_t value;
};

static unsigned counter_ready(struct coir__sim_file *file) {
    return EPOLLOUT | (((struct counter *)file)->value > 0 ? EPOLLIN : 0);
}

static ssize_t counter_output(struct coir__sim_file *file, const struct iovec *parts, int count,
                              size_t most, const struct coir__sim_message *message) {
    uint64_t added;
    (void)count, (void)message;
    if (most < sizeof added)
        return -EINVAL;
    coir__sim_copy_parts(parts, 0, &added, sizeof added, false);
    ((struct counter *)file)->value += added;
    coir__sim_notify(file, EPOLLIN);
    return sizeof added;
}

static const struct coir__sim_kind counter_kind = {
    .name = "eventfd", .ready = counter_ready, .output = counter_output};

int coir__sim_eventfd(unsigned initial, int flags) {
    if (coir__sim == NULL)
        return eventfd(initial, flags);
    coir__sim_enter();
    struct counter *const counter = coir__sim_file_create(&counter_kind, sizeof *counter, NULL);
    counter->value = initial;
    return (int)coir__sim_leave("eventfd", -1, coir__sim_install(&counter->file));
}

/* ---- Calls that the C library has no function for ---- */

static unsigned pid_ready(struct coir__sim_file *file) {
    (void)file;
    return 0;
}

/* It is asked for where guards are light, which they are not under Valgrind; and a run shall differ
 * as little as can be. */
static const struct coir__sim_kind pid_kind = {.name = "pidfd", .aside = true, .ready = pid_ready};

static long open_pid(void) {
    struct coir__sim_file *const file = coir__sim_file_create(&pid_kind, sizeof *file, NULL);
    const int fd = coir__sim_install(file);
    if (fd >= 0)
        return fd;
    errno = -fd;
    return -1;
}

static long wait_with_nanoseconds(va_list arguments) {
    const int fd = va_arg(arguments, int);
    struct epoll_event *const out = va_arg(arguments, struct epoll_event *);
    const int most = va_arg(arguments, int);
    const struct timespec *const spec = va_arg(arguments, const struct timespec *);
    coir__sim_enter();
    const coir_time timeout = COIR_SEC((coir_time)spec->tv_sec) + spec->tv_nsec;
    return coir__sim_leave("epoll_pwait2", -1, wait_for(queue_of(fd), out, most, timeout));
}

/* All of it, or the first few. Needs a pidfd, as before Linux 6.14: SYS_PIDFD_SELF is none. */
static long advise(va_list arguments) {
    if (va_arg(arguments, int) < 0) {
        errno = EBADF;
        return -1;
    }
    const struct iovec *const ranges = va_arg(arguments, const struct iovec *);
    const size_t count = va_arg(arguments, size_t);
    const int advice = va_arg(arguments, int);
    long done = 0;
    const int rc = coir__sim_failure(COIR_SIM_NO_MAPPING, COIR_SIM_ERRORS(ENOMEM, EAGAIN));
    const size_t taken = rc < 0 ? coir__sim_draw((uint32_t)count) : count;
    for (size_t i = 0; i < taken; i++) {
        if (coir__sim_advise(ranges[i].iov_base, ranges[i].iov_len, advice) != 0)
            return done > 0 ? done : -1;
        done += (long)ranges[i].iov_len;
    }
    if (done == 0 && rc < 0)
        errno = -rc;
    return done > 0 || rc == 0 ? done : -1;
}

static long pass_on(long number, va_list arguments) {
    long all[6];
    for (int i = 0; i < 6; i++)
        all[i] = va_arg(arguments, long);
    return syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]);
}

long coir__sim_syscall(long number, ...) {
    va_list arguments;
    long rc;
    va_start(arguments, number);
    if (coir__sim == NULL || number == SYS_gettid)
        rc = pass_on(number, arguments);
    else if (number == SYS_pidfd_open)
        rc = open_pid();
    else if (number == SYS_epoll_pwait2)
        rc = wait_with_nanoseconds(arguments);
    else if (number == SYS_process_madvise)
        rc = advise(arguments);
    else
        coir__sim_fatal("system call %ld is not simulated", number);
    va_end(arguments);
    return rc;
}
