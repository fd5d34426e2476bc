/* Waiting for several tasks at once: one watch for each that lives, one wait for all. The time
 * limit is a scope with nothing in it but the wait, so that it cancels nothing else. */
#include "coir/combine.h"
#include "core/runtime.h"

#define FEW 16 /* watches that fit into the frame */

/* One wait. */
struct crowd {
    coir_waiter wait;
    coir_when when;
    size_t living, ended; /* since the call, as the next one */
    bool failed;
    struct member *members; /* of those that lived */
    size_t count;
};

struct member {
    struct coir__watch watch;
    struct crowd *crowd;
};

static bool satisfied(const struct crowd *crowd) {
    return crowd->living == 0 || (crowd->when == COIR_FIRST_COMPLETED && crowd->ended > 0) ||
           (crowd->when == COIR_FIRST_EXCEPTION && crowd->failed);
}

static void count_end(struct crowd *crowd, int rc) {
    crowd->ended++;
    crowd->failed |= rc < 0 && rc != -ECANCELED;
}

static void unlink_all(struct crowd *crowd) {
    for (size_t i = 0; i < crowd->count; i++)
        coir__watch_remove(&crowd->members[i].watch);
}

static bool cut_wait(coir_waiter *wait) {
    unlink_all((struct crowd *)(void *)wait);
    return true;
}

static void member_ended(struct coir__watch *watch, int rc) {
    struct crowd *const crowd = list_entry(watch, struct member, watch)->crowd;
    count_end(crowd, rc);
    crowd->living--;
    if (!satisfied(crowd))
        return;
    unlink_all(crowd);
    coir__wake(coir__rt, &crowd->wait, 0);
}

/* Counts those that live and those that have ended. */
static int look_at(struct crowd *crowd, const coir_task *tasks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct coir__record *const record = coir__record_find(tasks[i]);
        if (record == NULL)
            return -ESRCH;
        if (record->task == coir__rt->current) {
            coir__misuse(coir__rt, "waits for itself by coir_wait, which would never end");
            return -EDEADLK;
        }
        if (record->task != NULL)
            crowd->living++;
        else
            count_end(crowd, record->result);
    }
    return 0;
}

static void watch_living(struct crowd *crowd, const coir_task *tasks, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct coir__record *const record = coir__record_find(tasks[i]);
        if (record->task == NULL)
            continue;
        struct member *const member = &crowd->members[crowd->count++];
        *member = (struct member){.watch.ended = member_ended, .crowd = crowd};
        coir__watch_add(record, &member->watch);
    }
}

/* Parks until enough have ended or the time is up. */
static int wait_until(struct crowd *crowd, const coir_task *tasks, size_t n, coir_time deadline) {
    COIR_SCOPE(limit, .deadline = deadline > 0 ? deadline : 1, .move_on = true, .name = "wait");
    watch_living(crowd, tasks, n);
    const int rc = coir_park(&crowd->wait);
    return coir_scope_close(&limit, rc);
}

static int count_ended(const coir_task *tasks, size_t n) {
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += coir_task_done(tasks[i]);
    return count;
}

int coir_wait(const coir_task *tasks, size_t n, coir_when when, coir_time deadline) {
    COIR_TRY(coir_check());
    if (tasks == NULL || n == 0 || n > INT32_MAX || (unsigned)when > COIR_FIRST_EXCEPTION)
        return -EINVAL;
    struct member few[FEW];
    struct crowd crowd = {
        .wait = {.cut = cut_wait, .what = coir__what_ends, .object = tasks, .number = (long)n},
        .when = when};
    COIR_TRY(look_at(&crowd, tasks, n));
    if (!satisfied(&crowd)) {
        crowd.members = crowd.living <= FEW ? few : sys_allocate(crowd.living * sizeof few[0]);
        if (crowd.members == NULL)
            return -ENOMEM;
        int rc = wait_until(&crowd, tasks, n, deadline);
        if (crowd.members != few)
            sys_free(crowd.members);
        if (rc == 0 && !satisfied(&crowd))
            rc = coir_yield(); /* those that are to end at this very moment may do so */
        COIR_TRY(rc);
    }
    return count_ended(tasks, n);
}
