/* Operations on locks, conditions, events, semaphores, limiters, barriers and onces. What is taken
 * is given back after the body, unless the node says that the task forgets to (bit 1 of b). */
#include "sim/interpret.h"

/* Ends the task there and then: what it still waited for might wait for the lock, and that for
 * ever. Not the main task: its end is the end of all. */
static bool forgets(struct task *task, const struct node *node) {
    task->stopping |= (node->b & 1) && task->parent != NULL && task->innermost == NULL;
    return task->stopping;
}

/* ---- Mutexes ---- */

static void take_mutex(struct mutex_shadow *mutex, struct task *task, const char *what) {
    must(mutex->owner == NULL, "mutex: exclusion", "%s: task %u has the mutex, and so has task %u",
         what, mutex->owner->number, task->number);
    must(!mutex->dead, "mutex: dead", "%s has locked a mutex whose owner has died", what);
    mutex->owner = task;
}

static void give_mutex(struct mutex_shadow *mutex, struct task *task) {
    (void)task;
    mutex->owner = NULL;
    must(coir_mutex_unlock(&mutex->own) == 0, "mutex: unlock", "the owner could not unlock");
}

/* The body of a lock that is held, and the unlock after it. */
static int hold_mutex(struct task *task, struct mutex_shadow *mutex, const struct node *node) {
    const int rc = run_list(task, node->body);
    if (forgets(task, node))
        return rc;
    give_mutex(mutex, task);
    return rc;
}

int do_LOCK(struct task *task, const struct node *node) {
    struct mutex_shadow *const mutex = &objects.mutexes[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_LOCK, mutex, LINE_LOCK);
    const bool mine = mutex->owner == task, dead = mutex->dead;
    const int rc = coir_mutex_lock(&mutex->own);
    if (rc == 0) {
        line_served(task, mutex, LINE_LOCK, "lock");
        take_mutex(mutex, task, "lock");
    } else {
        must(rc == -ECANCELED || (rc == -EDEADLK && mine) || (rc == -EOWNERDEAD && mutex->dead),
             "lock: result", "lock came to %d", rc);
        must(rc == -ECANCELED || !dead || rc == -EOWNERDEAD, "lock: dead",
             "a lock of a dead mutex came to %d", rc);
    }
    return call_end(task, rc) == 0 ? hold_mutex(task, mutex, node) : rc;
}

int do_TRY_LOCK(struct task *task, const struct node *node) {
    struct mutex_shadow *const mutex = &objects.mutexes[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_TRY_LOCK, NULL, LINE_NONE);
    const bool handed = line_handed(mutex, LINE_LOCK) > 0;
    const int rc = coir_mutex_try_lock(&mutex->own);
    if (rc == 0) {
        line_tried(mutex, LINE_LOCK, "try lock");
        take_mutex(mutex, task, "try lock");
    } else {
        must((rc == -EAGAIN && (mutex->owner != NULL || handed)) ||
                 (rc == -EDEADLK && mutex->owner == task) || (rc == -EOWNERDEAD && mutex->dead),
             "try lock: result", "try lock came to %d", rc);
    }
    return call_end(task, rc) == 0 ? hold_mutex(task, mutex, node) : 0;
}

/* By somebody who does not hold it. */
int do_UNLOCK(struct task *task, const struct node *node) {
    struct mutex_shadow *const mutex = &objects.mutexes[node->a % OBJECTS];
    if (mutex->owner != task)
        must(coir_mutex_unlock(&mutex->own) == -EPERM, "unlock: stranger",
             "a stranger has unlocked a mutex");
    return 0;
}

/* ---- Rwlocks ---- */

static void take_rwlock(struct rwlock_shadow *lock, struct task *task, bool writing) {
    must(lock->writer == NULL && (!writing || lock->readers == 0), "rwlock: exclusion",
         "task %u has come in to %s, and %s", task->number, writing ? "write" : "read",
         lock->writer != NULL ? "somebody writes" : "somebody reads");
    must(!lock->dead, "rwlock: dead", "a rwlock whose writer has died was locked");
    if (writing)
        lock->writer = task;
    else
        lock->readers++;
}

static int hold_rwlock(struct task *task, struct rwlock_shadow *lock, const struct node *node) {
    const int rc = run_list(task, node->body);
    if (lock->writer == task && forgets(task, node))
        return rc; /* a writer may forget; a reader that does leaves it locked for ever */
    if (lock->writer == task)
        lock->writer = NULL;
    else
        lock->readers--;
    must(coir_rwlock_unlock(&lock->own) == 0, "rwlock: unlock", "a holder could not unlock");
    return rc;
}

/* A writer that was cut has kept nobody out for longer than it stood there. */
static void check_readers_let_in(const struct task *cut, const struct rwlock_shadow *lock) {
    bool writer = lock->writer != NULL || lock->dead;
    for (unsigned i = 0; i < world.task_count; i++) {
        const struct task *const other = &world.tasks[i];
        const struct call *const call = other->call;
        if (other != cut && !other->ended && call != NULL && call->object == lock)
            writer |= call->op == OP_WRITE_LOCK || !task_is_parked(other);
    }
    for (unsigned i = 0; i < world.task_count && !writer; i++) {
        const struct task *const other = &world.tasks[i];
        must(other == cut || other->call == NULL || other->call->object != lock ||
                 !task_is_parked(other),
             "law 4: wakeup lost", "task %u waits to read behind nobody", other->number);
    }
}

static int lock_rwlock(struct task *task, const struct node *node, bool writing) {
    struct rwlock_shadow *const lock = &objects.rwlocks[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, writing ? OP_WRITE_LOCK : OP_READ_LOCK, lock, LINE_LOCK);
    const bool mine = lock->writer == task;
    const int rc = writing ? coir_rwlock_write_lock(&lock->own) : coir_rwlock_read_lock(&lock->own);
    if (rc == 0) {
        line_served(task, lock, LINE_LOCK, "rwlock");
        take_rwlock(lock, task, writing);
    } else {
        must(rc == -ECANCELED || (rc == -EDEADLK && mine) || (rc == -EOWNERDEAD && lock->dead),
             "rwlock: result", "a lock came to %d", rc);
        check_readers_let_in(task, lock);
    }
    return call_end(task, rc) == 0 ? hold_rwlock(task, lock, node) : rc;
}

int do_READ_LOCK(struct task *task, const struct node *node) {
    return lock_rwlock(task, node, false);
}

int do_WRITE_LOCK(struct task *task, const struct node *node) {
    return lock_rwlock(task, node, true);
}

static int try_rwlock(struct task *task, const struct node *node, bool writing) {
    struct rwlock_shadow *const lock = &objects.rwlocks[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, writing ? OP_TRY_WRITE_LOCK : OP_TRY_READ_LOCK, NULL, LINE_NONE);
    const int rc =
        writing ? coir_rwlock_try_write_lock(&lock->own) : coir_rwlock_try_read_lock(&lock->own);
    if (rc == 0) {
        line_tried(lock, LINE_LOCK, "try rwlock");
        take_rwlock(lock, task, writing);
    } else {
        must(rc == -EAGAIN || (rc == -EDEADLK && lock->writer == task) ||
                 (rc == -EOWNERDEAD && lock->dead),
             "try rwlock: result", "a try came to %d", rc);
        must(rc != -EAGAIN || lock->writer != NULL || lock->readers > 0 ||
                 line_handed(lock, LINE_LOCK) > 0,
             "try rwlock: refused", "a try was refused a free lock");
    }
    return call_end(task, rc) == 0 ? hold_rwlock(task, lock, node) : 0;
}

int do_TRY_READ_LOCK(struct task *task, const struct node *node) {
    return try_rwlock(task, node, false);
}

int do_TRY_WRITE_LOCK(struct task *task, const struct node *node) {
    return try_rwlock(task, node, true);
}

/* ---- Conditions ---- */

/* Locks the condition's mutex, for what needs it. */
static int enter_cond(struct task *task, struct cond_shadow *cond) {
    struct call call;
    call_begin(task, &call, OP_COND_SIGNAL, cond, LINE_NONE);
    const bool mine = cond->mutex.owner == task;
    const int rc = coir_mutex_lock(&cond->mutex.own);
    if (rc == 0)
        take_mutex(&cond->mutex, task, "lock of a condition");
    else
        must(rc == -ECANCELED || (rc == -EDEADLK && mine) ||
                 (rc == -EOWNERDEAD && cond->mutex.dead),
             "lock: result", "lock came to %d", rc);
    return call_end(task, rc);
}

static int wait_on(struct task *task, struct cond_shadow *cond) {
    struct call call;
    call_begin(task, &call, OP_COND_WAIT, cond, LINE_NONE);
    cond->mutex.owner = NULL;
    call.uncuttable = true; /* it may wait for the mutex afterwards: see check_idle_object */
    const int rc = coir_cond_wait(&cond->own, &cond->mutex.own);
    if (rc == -EOWNERDEAD) {
        must(cond->mutex.dead, "condition: dead", "the mutex of a condition is not dead");
        return call_end_otherwise(task, rc); /* it may have been cut before that */
    }
    take_mutex(&cond->mutex, task, "condition wait");
    must(rc == 0 || rc == -ECANCELED, "condition: result", "a wait came to %d", rc);
    if (rc == 0)
        must(--cond->credits >= 0 || cond->unsure, "law 12: spurious",
             "a wait on a condition returned 0 without a signal");
    return call_end(task, rc);
}

int do_COND_WAIT(struct task *task, const struct node *node) {
    struct cond_shadow *const cond = &objects.conds[node->a % OBJECTS];
    int rc = enter_cond(task, cond);
    if (rc < 0)
        return rc;
    rc = wait_on(task, cond);
    if (rc != -EOWNERDEAD && !forgets(task, node))
        give_mutex(&cond->mutex, task);
    return rc;
}

static bool sleeps_on(const struct task *task, const struct cond_shadow *cond) {
    return task_is_parked(task) && task->call != NULL && task->call->op == OP_COND_WAIT &&
           task->machine->wait->object == &cond->own;
}

/* When the first of those who sleep there has come. */
static uint64_t first_to_sleep(const struct cond_shadow *cond) {
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < world.task_count; i++)
        if (sleeps_on(&world.tasks[i], cond) && world.tasks[i].call->entered < first)
            first = world.tasks[i].call->entered;
    return first;
}

int do_COND_SIGNAL(struct task *task, const struct node *node) {
    struct cond_shadow *const cond = &objects.conds[node->a % OBJECTS];
    const int rc = enter_cond(task, cond);
    if (rc < 0)
        return rc;
    const uint64_t first = first_to_sleep(cond);
    const int woken = node->b == 0
                          ? coir_cond_broadcast(&cond->own, &cond->mutex.own)
                          : coir_cond_signal(&cond->own, &cond->mutex.own, (size_t)node->b);
    must(woken >= 0 && (node->b == 0 || woken <= node->b), "signal: result",
         "%ld signals have woken %d", node->b, woken);
    must((node->b != 0 && woken == node->b) || cond->own.coir__waiters.first == NULL,
         "law 12: signal lost", "a signal to %ld has woken %d, and some still wait", node->b,
         woken);
    must(woken == 0 || first_to_sleep(cond) > first, "law 5: overtaken",
         "a signal has woken another than the first");
    cond->credits += woken;
    give_mutex(&cond->mutex, task);
    return 0;
}

/* ---- Events ---- */

int do_EVENT_WAIT(struct task *task, const struct node *node) {
    struct event_shadow *const event = &objects.events[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_EVENT_WAIT, event, LINE_NONE);
    const bool was_set = event->set;
    const int rc = coir_event_wait(&event->own);
    must(rc == 0 || rc == -ECANCELED, "event: result", "a wait came to %d", rc);
    must(rc < 0 || was_set || event->set_at > call.entered, "event: not set",
         "a wait for an event that nobody has set has returned 0");
    return call_end(task, rc);
}

int do_EVENT_SET(struct task *task, const struct node *node) {
    struct event_shadow *const event = &objects.events[node->a % OBJECTS];
    (void)task;
    event->set = true;
    event->set_at = ++world.clock;
    must(coir_event_set(&event->own) == 0, "event: set", "an event could not be set");
    must(event->own.coir__waiters.first == NULL, "event: not woken", "some still wait");
    return 0;
}

int do_EVENT_CLEAR(struct task *task, const struct node *node) {
    struct event_shadow *const event = &objects.events[node->a % OBJECTS];
    (void)task;
    event->set = false;
    must(coir_event_clear(&event->own) == 0, "event: clear", "an event could not be cleared");
    return 0;
}

/* ---- Semaphores ---- */

static int hold_permit(struct task *task, struct semaphore_shadow *semaphore,
                       const struct node *node) {
    must(--semaphore->free >= 0, "semaphore: permits", "there are more permits than there were");
    const int rc = run_list(task, node->body);
    semaphore->free++;
    must(coir_semaphore_release(&semaphore->own) == 0, "semaphore: release",
         "a permit could not be given back");
    return rc;
}

int do_ACQUIRE(struct task *task, const struct node *node) {
    struct semaphore_shadow *const semaphore = &objects.semaphores[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_ACQUIRE, semaphore, LINE_LOCK);
    const int rc = coir_semaphore_acquire(&semaphore->own);
    must(rc == 0 || rc == -ECANCELED, "semaphore: result", "acquire came to %d", rc);
    if (rc == 0)
        line_served(task, semaphore, LINE_LOCK, "acquire");
    return call_end(task, rc) == 0 ? hold_permit(task, semaphore, node) : rc;
}

int do_TRY_ACQUIRE(struct task *task, const struct node *node) {
    struct semaphore_shadow *const semaphore = &objects.semaphores[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_TRY_ACQUIRE, NULL, LINE_NONE);
    const long handed = line_handed(semaphore, LINE_LOCK);
    const int rc = coir_semaphore_try_acquire(&semaphore->own);
    if (rc == 0)
        line_tried(semaphore, LINE_LOCK, "try acquire");
    else
        must(rc == -EAGAIN && semaphore->free <= handed, "try acquire: result",
             "a try came to %d, though there is a permit", rc);
    return call_end(task, rc) == 0 ? hold_permit(task, semaphore, node) : 0;
}

/* One more than there were. Not for a program whose semaphores are bounded by what they began with:
 * a holder could not give its permit back. */
int do_RELEASE(struct task *task, const struct node *node) {
    struct semaphore_shadow *const semaphore = &objects.semaphores[node->a % OBJECTS];
    const long bound = world.program->bound;
    (void)task;
    if (bound > 0 && semaphore->added + (long)world.program->permits >= bound) {
        if (coir_semaphore_value(&semaphore->own) == bound)
            must(coir_semaphore_release(&semaphore->own) == -EOVERFLOW, "semaphore: bound",
                 "there are more permits than the bound");
        return 0;
    }
    must(coir_semaphore_release(&semaphore->own) == 0, "semaphore: release", "it failed");
    semaphore->free++;
    semaphore->added++;
    return 0;
}

/* ---- Limiters ---- */

static int hold_limiter(struct task *task, struct limiter_shadow *limiter,
                        const struct node *node) {
    must(!limiter->holds[task->number], "limiter: twice", "task %u was let in twice", task->number);
    limiter->holds[task->number] = true;
    limiter->held++;
    const int rc = run_list(task, node->body);
    limiter->held--;
    limiter->holds[task->number] = false;
    must(coir_limiter_release(&limiter->own) == 0, "limiter: release", "a holder could not leave");
    return rc;
}

int do_LIMIT(struct task *task, const struct node *node) {
    struct limiter_shadow *const limiter = &objects.limiters[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_LIMIT, limiter, LINE_LOCK);
    const bool mine = limiter->holds[task->number];
    const int rc = coir_limiter_acquire(&limiter->own);
    if (rc == 0)
        line_served(task, limiter, LINE_LOCK, "limiter");
    else
        must(rc == -ECANCELED || (rc == -EDEADLK && mine), "limiter: result", "it came to %d", rc);
    return call_end(task, rc) == 0 ? hold_limiter(task, limiter, node) : rc;
}

int do_TRY_LIMIT(struct task *task, const struct node *node) {
    struct limiter_shadow *const limiter = &objects.limiters[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_TRY_LIMIT, NULL, LINE_NONE);
    const size_t handed = line_handed(limiter, LINE_LOCK);
    const int rc = coir_limiter_try_acquire(&limiter->own);
    if (rc == 0) {
        line_tried(limiter, LINE_LOCK, "try limiter");
        must(limiter->held < limiter->limit, "limiter: limit", "%zu were in, %zu may be",
             limiter->held, limiter->limit);
    } else {
        must((rc == -EAGAIN && limiter->held + handed >= limiter->limit) ||
                 (rc == -EDEADLK && limiter->holds[task->number]),
             "try limiter: result", "a try came to %d", rc);
    }
    return call_end(task, rc) == 0 ? hold_limiter(task, limiter, node) : 0;
}

int do_SET_LIMIT(struct task *task, const struct node *node) {
    struct limiter_shadow *const limiter = &objects.limiters[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_SET_LIMIT, limiter, LINE_NONE);
    const int rc = coir_limiter_set_limit(&limiter->own, (size_t)node->b);
    must(rc == 0 || (rc == -ENOMEM && fault_explains(task, rc)), "limiter: set", "it came to %d",
         rc);
    if (rc == 0)
        limiter->limit = (size_t)node->b;
    return call_end(task, rc);
}

/* ---- Barriers ---- */

int do_BARRIER_WAIT(struct task *task, const struct node *node) {
    struct barrier_shadow *const barrier = &objects.barriers[node->a % OBJECTS];
    struct call call;
    call_begin(task, &call, OP_BARRIER_WAIT, barrier, LINE_NONE);
    const bool was_broken = barrier->broken;
    const int rc = coir_barrier_wait(&barrier->own);
    if (rc >= 0) {
        must(rc < (int)world.program->parties, "barrier: place", "a place %d was given", rc);
        must(!was_broken, "barrier: broken", "a broken barrier has let somebody through");
        barrier->places[rc]++;
    } else {
        must(rc == -ECANCELED ||
                 (rc == -EPIPE && (was_broken || barrier->turned_away_at > call.entered)),
             "barrier: result", "a wait came to %d", rc);
    }
    return call_end(task, rc);
}

static int turn_away(struct barrier_shadow *barrier, bool broken, int (*call)(coir_barrier *)) {
    barrier->broken = broken;
    barrier->turned_away_at = ++world.clock;
    must(call(&barrier->own) == 0, "barrier: turn away", "it failed");
    must(barrier->own.coir__waiters.first == NULL, "barrier: not woken", "some still wait");
    return 0;
}

int do_BARRIER_ABORT(struct task *task, const struct node *node) {
    (void)task;
    return turn_away(&objects.barriers[node->a % OBJECTS], true, coir_barrier_abort);
}

int do_BARRIER_RESET(struct task *task, const struct node *node) {
    (void)task;
    return turn_away(&objects.barriers[node->a % OBJECTS], false, coir_barrier_reset);
}

/* ---- Once ---- */

struct turn {
    struct task *task;
    struct once_shadow *once;
    const struct node *node;
    bool ran;
    int rc;
};

static int run_once(void *arg) {
    struct turn *const turn = arg;
    struct once_shadow *const once = turn->once;
    must(once->runner == NULL, "once: two at a time", "two run it at a time");
    must(!once->done, "once: again", "it was done, and is run again");
    once->runner = turn->task;
    turn->ran = true;
    turn->rc = run_list(turn->task, turn->node->body);
    once->runner = NULL;
    if (turn->rc >= 0) {
        once->done = true;
        once->value = turn->rc;
    }
    return turn->rc;
}

int do_ONCE(struct task *task, const struct node *node) {
    struct once_shadow *const once = &objects.onces[node->a % OBJECTS];
    struct turn turn = {.task = task, .once = once, .node = node};
    struct call call;
    call_begin(task, &call, OP_ONCE, once, LINE_NONE);
    const bool mine = once->runner == task;
    const int rc = coir_once_run(&once->own, run_once, &turn);
    if (turn.ran) {
        must(rc == turn.rc, "once: result", "it came to %d, not %d", rc, turn.rc);
        return call_end_otherwise(task, rc);
    }
    must((rc >= 0 && once->done && rc == once->value) || rc == -ECANCELED ||
             (rc == -EDEADLK && mine),
         "once: result", "a call that did not run it came to %d", rc);
    return call_end(task, rc);
}
