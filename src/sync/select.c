/* Select: one task in several lines at once.
 *
 * First every case is looked at, without effect; if some can happen, one of them is drawn.
 * Otherwise each case is linked to what it waits for, and the task parks once for all of them.
 * Whoever makes one happen comes to happened(), which unlinks them all before the task is ready; so
 * does a cut.
 *
 * What lies in a case while its select waits is `union room`; a kind of case is what look, move,
 * link and unlink do for it. The one file of this folder that knows of descriptors. */
#include "coir/select.h"
#include "io/fd.h"
#include "sync/channel.h"

struct coir__select {
    coir_waiter wait;
    coir_case *cases;
    size_t count;
};

union room {
    struct coir__offer offer;
    struct {
        struct coir__watch watch;
        struct coir__select *select;
    } task;
    struct {
        struct coir__fd_wait wait;
        struct coir__select *select;
    } fd;
};

_Static_assert(sizeof(union room) <= sizeof((coir_case){.rc = 0}.coir__room),
               "a case has room for it");
_Static_assert(_Alignof(union room) <= _Alignof(void *), "and its alignment");
_Static_assert(COIR_READABLE == COIR_POLL_READ && COIR_WRITABLE == COIR_POLL_WRITE,
               "events are directions");

static union room *room_of(coir_case *it) {
    return (union room *)(void *)&it->coir__room;
}

/* The case that something in its room belongs to. */
static coir_case *case_of(void *part_of_room, size_t offset) {
    char *const room = (char *)part_of_room - offset;
    return (coir_case *)(void *)(room - offsetof(coir_case, coir__room));
}

/* ---- Linking to what is waited for, and back ---- */

static void fd_fired(struct coir__fd_wait *wait, int value);
static void task_ended(struct coir__watch *watch, int rc);

static void link_offer(struct coir__select *select, coir_case *it, struct coir__link *offers) {
    struct coir__offer *const offer = &room_of(it)->offer;
    offer->item = it->into;
    offer->select = select;
    list_append(offers, &offer->link);
}

/* May fail: another case of the same select has taken the descriptor meanwhile, or the poller will
 * not have it. */
static int link_fd(struct coir__runtime *rt, struct coir__select *select, coir_case *it) {
    struct coir__fd *const entry = coir__fd_find(rt, it->fd);
    if (coir__fd_taken(entry, (unsigned)it->events))
        return -EBUSY;
    room_of(it)->fd.select = select;
    room_of(it)->fd.wait =
        (struct coir__fd_wait){.directions = (unsigned)it->events, .fired = fd_fired};
    return coir__fd_link(rt, it->fd, entry, &room_of(it)->fd.wait);
}

static void link_task(struct coir__select *select, coir_case *it) {
    room_of(it)->task.select = select;
    room_of(it)->task.watch = (struct coir__watch){.ended = task_ended};
    coir__watch_add(coir__record_find(it->task), &room_of(it)->task.watch);
}

static int link_case(struct coir__runtime *rt, struct coir__select *select, coir_case *it) {
    switch (it->kind) {
    case COIR_CASE_SEND:
        link_offer(select, it, &it->channel->senders);
        return 0;
    case COIR_CASE_RECV:
        link_offer(select, it, &it->channel->receivers);
        return 0;
    case COIR_CASE_FD:
        return link_fd(rt, select, it);
    case COIR_CASE_TASK:
        link_task(select, it);
        return 0;
    default:
        return 0;
    }
}

static void unlink_case(coir_case *it) {
    switch (it->kind) {
    case COIR_CASE_SEND:
    case COIR_CASE_RECV:
        list_take(&room_of(it)->offer.link);
        break;
    case COIR_CASE_FD:
        coir__fd_unlink(&room_of(it)->fd.wait);
        break;
    case COIR_CASE_TASK:
        coir__watch_remove(&room_of(it)->task.watch);
        break;
    default:
        break;
    }
}

static void unlink_cases(coir_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        unlink_case(&cases[i]);
}

/* ---- The ends of a wait ---- */

/* One case has happened: none else may. */
static void happened(struct coir__select *select, coir_case *it, int rc) {
    unlink_cases(select->cases, select->count);
    it->rc = rc;
    coir__wake(coir__rt, &select->wait, (int)(it - select->cases));
}

void coir__select_moved(struct coir__select *select, struct coir__offer *offer, int rc) {
    happened(select, case_of(offer, offsetof(union room, offer)), rc);
}

static void fd_fired(struct coir__fd_wait *wait, int value) {
    coir_case *const it = case_of(wait, offsetof(union room, fd.wait));
    it->result = value == 0 ? wait->fd->ready & it->events : 0;
    happened(room_of(it)->fd.select, it, value);
}

static void task_ended(struct coir__watch *watch, int rc) {
    coir_case *const it = case_of(watch, offsetof(union room, task.watch));
    it->result = rc;
    happened(room_of(it)->task.select, it, 0);
}

static bool cut_select(coir_waiter *wait) {
    const struct coir__select *const select = (struct coir__select *)(void *)wait;
    unlink_cases(select->cases, select->count);
    return true;
}

/* ---- Whether a case can happen now ----
 *
 * 1, 0 or -EINVAL. For descriptors and tasks, which looking does not change, rc and result are set
 * to what they would be. */

static bool is_usable(const struct coir__runtime *rt, const coir_case *it) {
    return it->channel != NULL && it->channel->runtime == rt && it->into != NULL;
}

static int look_at_fd(struct coir__runtime *rt, coir_case *it) {
    if (it->events == 0 || (it->events & ~(COIR_READABLE | COIR_WRITABLE)) != 0)
        return -EINVAL;
    struct coir__fd *const entry = coir__fd_find(rt, it->fd);
    it->rc = it->result = 0;
    if (entry == NULL) {
        it->rc = -EBADF;
    } else if (coir__fd_taken(entry, (unsigned)it->events)) {
        it->rc = -EBUSY;
    } else if (entry->kind == COIR_FD_FILE) {
        it->result = it->events;
    } else if (entry->ready & it->events) {
        it->result = coir__fd_ready(it->fd, it->events);
        if (it->result == 0) /* asking was an attempt that came to nothing */
            entry->ready &= (uint8_t)~it->events;
        if (it->result < 0)
            it->rc = it->result;
    }
    return it->rc != 0 || it->result != 0;
}

static int look_at_task(const struct coir__runtime *rt, coir_case *it) {
    const struct coir__record *const record = coir__record_find(it->task);
    it->rc = it->result = 0;
    if (record == NULL)
        it->rc = -ESRCH;
    else if (record->task == rt->current)
        it->rc = -EDEADLK;
    else if (record->task == NULL)
        it->result = record->result;
    else
        return 0;
    return 1;
}

static int look(struct coir__runtime *rt, coir_case *it) {
    switch (it->kind) {
    case COIR_CASE_NONE:
        return 0;
    case COIR_CASE_SEND:
        return is_usable(rt, it) ? coir__channel_may_send(it->channel) : -EINVAL;
    case COIR_CASE_RECV:
        return is_usable(rt, it) ? coir__channel_may_recv(it->channel) : -EINVAL;
    case COIR_CASE_FD:
        return look_at_fd(rt, it);
    case COIR_CASE_TASK:
        return look_at_task(rt, it);
    default:
        return -EINVAL;
    }
}

/* ---- Select ---- */

/* The n-th of the cases that are ready. */
static unsigned nth(uint64_t ready, unsigned n) {
    while (n-- > 0)
        ready &= ready - 1;
    return (unsigned)__builtin_ctzll(ready);
}

/* Lets one of the ready cases happen; returns which. */
static int draw(struct coir__runtime *rt, coir_case *cases, uint64_t ready) {
    const unsigned count = (unsigned)__builtin_popcountll(ready);
    const unsigned index = nth(ready, count > 1 ? coir__draw(rt, count) : 0);
    coir_case *const it = &cases[index];
    if (it->kind == COIR_CASE_SEND)
        it->rc = coir__channel_send_now(rt, it->channel, it->from, false);
    else if (it->kind == COIR_CASE_RECV)
        it->rc = coir__channel_recv_now(rt, it->channel, it->into, false);
    return (int)index;
}

static int wait_for_one(struct coir__runtime *rt, coir_case *cases, size_t count) {
    struct coir__select select = {.wait = {.cut = cut_select,
                                           .what = coir__what_select,
                                           .object = cases,
                                           .number = (long)count},
                                  .cases = cases,
                                  .count = count};
    bool none = true;
    for (size_t i = 0; i < count; i++) {
        const int rc = link_case(rt, &select, &cases[i]);
        if (rc < 0) {
            unlink_cases(cases, i);
            cases[i].rc = rc;
            return (int)i;
        }
        none = none && cases[i].kind == COIR_CASE_NONE;
    }
    if (none)
        return -EINVAL;
    rt->current->budget = COIR_IO_BUDGET;
    return coir__park(rt, rt->current, &select.wait);
}

int coir_select(coir_case *cases, size_t count, unsigned flags) {
    struct coir__runtime *const rt = coir__rt;
    if (rt == NULL)
        return coir__outside();
    if (cases == NULL || count == 0 || count > COIR_SELECT_MAX || (flags & ~COIR_SELECT_TRY) != 0)
        return -EINVAL;
    const bool may_wait = (flags & COIR_SELECT_TRY) == 0;
    if (may_wait)
        COIR_TRY(coir__check(rt, rt->current));
    uint64_t ready = 0;
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        any |= cases[i].kind != COIR_CASE_NONE;
        const int can = look(rt, &cases[i]);
        if (can < 0)
            return can;
        ready |= (uint64_t)can << i;
    }
    if (ready != 0) {
        const int index = draw(rt, cases, ready);
        return may_wait ? coir__let_others_on(rt, rt->current, index) : index;
    }
    if (!any)
        return -EINVAL;
    return may_wait ? wait_for_one(rt, cases, count) : -EAGAIN;
}
