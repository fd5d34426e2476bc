/* Select: waiting for the first of several things: a send, a receive, a descriptor, the end of a
 * task.
 *
 *     coir_case cases[] = {coir_case_recv(jobs, &job), coir_case_fd(fd, COIR_READABLE)};
 *     int which = coir_select(cases, 2, 0);
 *
 * Exactly one case happens, and none if the call fails: no item moves but the one of that case. If
 * several can happen at once, which one does is drawn, with the same chance for each and the same
 * outcome in every run with the same program and seed. The design is Go's, with descriptors and
 * tasks added; its default is COIR_SELECT_TRY, and a timeout is a scope with a deadline. */
#ifndef COIR_SELECT_H
#define COIR_SELECT_H

#include "base.h"
#include "channel.h"
#include "io.h"
#include "task.h"

COIR_BEGIN_DECLS

#define COIR_SELECT_MAX 64 /* cases of one select */

typedef enum coir_case_kind {
    COIR_CASE_NONE, /* never happens: a case that is switched off, as by zeroed memory */
    COIR_CASE_SEND, /* the item at `from` goes into `channel` */
    COIR_CASE_RECV, /* an item goes from `channel` to `into` */
    COIR_CASE_FD,   /* `fd` is ready for one of `events`: what to do about it is the caller's */
    COIR_CASE_TASK  /* `task` has ended */
} coir_case_kind;

/* One of the things waited for. May be used again, also with its fields changed, once the select
 * has returned; until then it must stay in place, as what lives in the caller's frame does. */
typedef struct coir_case {
    coir_case_kind kind;
    /* The next two are set for the case that happened, and undefined for the others. */
    int rc;     /* 0, or what the call would have returned: -EPIPE, for a channel that is closed;
                   -EBADF, -EBUSY or an error of the poller, for a descriptor; -ESRCH or
                   -EDEADLK, for a task */
    int result; /* the events that hold; what the task returned */
    union {
        coir_channel *channel;
        int fd; /* known to the runtime, as for all of io.h */
        coir_task task;
    };
    union {
        const void *from;
        void *into;
        int events; /* COIR_READABLE, COIR_WRITABLE */
    };
    union { /* private: what links it to what it waits for */
        unsigned char coir__bytes[88];
        void *coir__alignment;
    } coir__room;
} coir_case;

#define COIR_SELECT_TRY 1U /* do not wait; go on even if cancelled */

/* Waits until one of the cases can happen, lets it happen, and returns its index; cases[index].rc
 * says what came of it, and an error there had no effect either. A case waits in one line with the
 * calls of other tasks, and never meets another case of the same select. May park; a task that
 * never has to wait gives way now and then. Errors, and no case happened: -ECANCELED; -EAGAIN with
 * COIR_SELECT_TRY, which never parks: none can happen now; -EINVAL nothing to wait for, more than
 * COIR_SELECT_MAX cases, unknown kinds, events or flags, a channel or an item that is NULL, a
 * channel of another runtime; -EPERM outside the runtime. */
COIR_API COIR_MUST_CHECK int coir_select(coir_case *cases, size_t count, unsigned flags);

/* ---- Making cases, in C and C++ ---- */

static inline coir_case coir_case_send(coir_channel *channel, const void *from) {
    coir_case made = {COIR_CASE_SEND, 0, 0, {channel}, {from}, {{0}}};
    return made;
}

static inline coir_case coir_case_recv(coir_channel *channel, void *into) {
    coir_case made = {COIR_CASE_RECV, 0, 0, {channel}, {into}, {{0}}};
    return made;
}

static inline coir_case coir_case_fd(int fd, int events) {
    coir_case made = {COIR_CASE_FD, 0, 0, {NULL}, {NULL}, {{0}}};
    made.fd = fd;
    made.events = events;
    return made;
}

static inline coir_case coir_case_task(coir_task task) {
    coir_case made = {COIR_CASE_TASK, 0, 0, {NULL}, {NULL}, {{0}}};
    made.task = task;
    return made;
}

COIR_END_DECLS

#endif
