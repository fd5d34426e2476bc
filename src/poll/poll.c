/* The poll(2) backend: plain POSIX, for systems without anything better, and the reference that the
 * others are compared with.
 *
 * poll(2) reports levels. Each direction is asked for until it is reported, and then no more until
 * the callee has found it not to be ready (coir__poll_arm). Descriptors of which nothing is asked
 * stand behind the others and are kept from poll(2): they cost nothing, and those that are hung up,
 * which it reports unasked, do not make it spin. Nothing has to be said of short reads
 * (COIR_POLL_SPECIAL), since what is left behind them is reported. */
#include <limits.h>
#include <string.h>

#include "base/sys.h"
#include "poll/poll.h"
#include "poll/wake.h"

#define NUMBERS_FIRST 64

struct known {
    size_t place; /* in polls; 0: not registered */
    uint64_t token;
};

struct coir__poll_set {
    struct pollfd *polls; /* the wake-up, those of which something is asked, the rest */
    size_t count, asked;  /* how many there are, how many of them come before the rest */
    struct known *known;  /* by the number of the descriptor */
    size_t numbers;       /* room in known, and, with the wake-up, in polls */
};

/* ---- The set ---- */

static int grow(struct coir__poll_set *set, int fd) {
    size_t numbers = set->numbers != 0 ? set->numbers : NUMBERS_FIRST;
    while (numbers <= (size_t)fd)
        numbers *= 2;
    if (numbers == set->numbers)
        return 0;
    struct pollfd *const polls = sys_reallocate(set->polls, (numbers + 1) * sizeof *polls);
    if (polls == NULL)
        return -ENOMEM;
    set->polls = polls;
    struct known *const known = sys_reallocate(set->known, numbers * sizeof *known);
    if (known == NULL)
        return -ENOMEM;
    memset(known + set->numbers, 0, (numbers - set->numbers) * sizeof *known);
    set->known = known;
    set->numbers = numbers;
    return 0;
}

static size_t place_of(const struct coir__poll_set *set, int fd) {
    return fd >= 0 && (size_t)fd < set->numbers ? set->known[fd].place : 0;
}

static void swap(struct coir__poll_set *set, size_t a, size_t b) {
    const struct pollfd moved = set->polls[a];
    set->polls[a] = set->polls[b];
    set->polls[b] = moved;
    set->known[set->polls[a].fd].place = a;
    set->known[set->polls[b].fd].place = b;
}

/* Sets what is asked of the one at this place, where then another may stand: one from further back
 * if it was asked nothing before, one of those that were asked if it is asked nothing now. */
static void ask(struct coir__poll_set *set, size_t place, int events) {
    set->polls[place].events = (short)events;
    if (events != 0 && place >= set->asked)
        swap(set, place, set->asked++);
    else if (events == 0 && place < set->asked)
        swap(set, place, --set->asked);
}

static void drop(struct coir__poll_set *set, int fd) {
    ask(set, place_of(set, fd), 0);
    swap(set, place_of(set, fd), --set->count);
    set->known[fd].place = 0;
}

/* ---- The contract ---- */

int coir__poll_init(struct coir__poller *poller) {
    struct coir__poll_set *const set = sys_allocate(sizeof *set);
    if (set == NULL)
        return -ENOMEM;
    *poller = (struct coir__poller){.fd = -1, .coarse = true, .set = set};
    int rc = grow(set, 0);
    if (rc == 0)
        rc = wake_open(poller);
    if (rc < 0) {
        sys_free(set->known);
        sys_free(set->polls);
        sys_free(set);
        return rc;
    }
    set->polls[0] = (struct pollfd){.fd = poller->woken, .events = POLLIN};
    set->count = set->asked = 1;
    return 0;
}

void coir__poll_fini(struct coir__poller *poller) {
    wake_close(poller);
    sys_free(poller->set->known);
    sys_free(poller->set->polls);
    sys_free(poller->set);
}

int coir__poll_add(struct coir__poller *poller, int fd, uint64_t token) {
    struct coir__poll_set *const set = poller->set;
    struct stat info;
    COIR_TRY(sys_stat(fd, &info));
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))
        return -EPERM;
    COIR_TRY(grow(set, fd));
    struct known *const known = &set->known[fd];
    known->token = token;
    if (known->place == 0) {
        known->place = set->count++;
        set->polls[known->place] = (struct pollfd){.fd = fd};
    }
    ask(set, known->place, POLLIN | POLLOUT);
    return 0;
}

int coir__poll_remove(struct coir__poller *poller, int fd) {
    if (place_of(poller->set, fd) == 0)
        return -ENOENT;
    drop(poller->set, fd);
    return 0;
}

void coir__poll_arm(struct coir__poller *poller, int fd, unsigned directions) {
    const size_t place = place_of(poller->set, fd);
    if (place == 0 || directions == 0)
        return;
    ask(poller->set, place,
        poller->set->polls[place].events | (directions & COIR_POLL_READ ? POLLIN : 0) |
            (directions & COIR_POLL_WRITE ? POLLOUT : 0));
}

/* Reports what was found of the one at this place, and asks for that no more. */
static void tell(struct coir__poll_set *set, size_t place, coir__poll_event *report,
                 void *context) {
    const struct pollfd found = set->polls[place];
    const bool failed = (found.revents & (POLLERR | POLLHUP)) != 0;
    const bool may_read = failed || (found.revents & POLLIN) != 0;
    const bool may_write = failed || (found.revents & POLLOUT) != 0;
    if (found.revents & POLLNVAL) { /* closed behind our back */
        drop(set, found.fd);
        return;
    }
    ask(set, place, found.events & ~((may_read ? POLLIN : 0) | (may_write ? POLLOUT : 0)));
    report(context, set->known[found.fd].token,
           (may_read ? COIR_POLL_READ : 0U) | (may_write ? COIR_POLL_WRITE : 0U));
}

/* poll(2) has milliseconds: rounded up, so that no wait ends too early. */
static int milliseconds(coir_time timeout) {
    if (timeout == COIR_NEVER)
        return -1;
    const coir_time ms = timeout / COIR_MS(1) + (timeout % COIR_MS(1) != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int coir__poll_wait(struct coir__poller *poller, coir_time timeout, coir__poll_event *report,
                    void *context) {
    struct coir__poll_set *const set = poller->set;
    const int count = poll(set->polls, (nfds_t)set->asked, milliseconds(timeout));
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    if (set->polls[0].revents != 0)
        wake_drain(poller);
    for (size_t i = set->asked - 1; i > 0; i--) { /* from behind: see ask */
        if (set->polls[i].revents != 0)
            tell(set, i, report, context);
    }
    return 0;
}

void coir__poll_wake(struct coir__poller *poller) {
    wake_write(poller);
}
