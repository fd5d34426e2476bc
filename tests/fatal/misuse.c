/* Does what it must not do, in the way that the argument says, and goes on: the call returns an
 * error, and what was wrong is said on stderr. Exits with 0 if the error is the right one. */
#include <coir.h>
#include <stdio.h>
#include <string.h>

static coir_mutex mutex;
static coir_rwlock rwlock;
static coir_cond cond;
static coir_scope theirs;

static int expect(int rc, int expected) {
    return rc == expected ? 0 : -EIO;
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int close_theirs(void *arg) {
    (void)arg;
    return expect(coir_scope_close(&theirs, 0), -EPERM);
}

static int close_main(void *arg) {
    (void)arg;
    return expect(coir_scope_close(coir_main_scope(), 0), -EPERM);
}

static int unlock_theirs(void *arg) {
    (void)arg;
    return expect(coir_mutex_unlock(&mutex), -EPERM);
}

static int unlock_twice(void *arg) {
    COIR_TRY(coir_mutex_unlock(&mutex));
    return unlock_theirs(arg);
}

static int lock_twice(void *arg) {
    (void)arg;
    return expect(coir_mutex_lock(&mutex), -EDEADLK);
}

static int signal_without_mutex(void *arg) {
    (void)arg;
    return expect(coir_cond_signal(&cond, &mutex, 1), -EPERM);
}

static int unlock_rwlock(void *arg) {
    (void)arg;
    return expect(coir_rwlock_unlock(&rwlock), -EPERM);
}

static int lock_rwlock_twice(void *arg) {
    (void)arg;
    COIR_TRY(coir_rwlock_write_lock(&rwlock));
    const int rc = expect(coir_rwlock_read_lock(&rwlock), -EDEADLK);
    COIR_TRY(coir_rwlock_unlock(&rwlock));
    return rc;
}

static int join_oneself(void *arg) {
    (void)arg;
    return expect(coir_join(coir_self(), NULL), -EDEADLK);
}

static int wait_for_oneself(void *arg) {
    const coir_task self = coir_self();
    (void)arg;
    return expect(coir_wait(&self, 1, COIR_ALL_COMPLETED, COIR_NEVER), -EDEADLK);
}

static coir_once once;

static int run_once_more(void *arg) {
    return expect(coir_once_run(&once, nothing, arg), -EDEADLK);
}

static int run_once(void *arg) {
    return coir_once_run(&once, run_once_more, arg);
}

static int run_inside(void *arg) {
    (void)arg;
    return expect(coir_run(nothing, NULL), -EPERM);
}

static int end_with_mutex(void *arg) {
    static coir_mutex forgotten;
    (void)arg;
    return coir_mutex_lock(&forgotten);
}

static int again_and_again(void *arg) {
    for (int i = 0; i < 100; i++)
        COIR_TRY(unlock_theirs(arg));
    return 0;
}

static const struct way {
    const char *name;
    coir_fn fn;
    bool by_owner; /* of the scope and the mutex: by the main task */
    bool small;    /* without a name, on the smallest of stacks */
} ways[] = {
    {"close", close_theirs, false, false},
    {"close-main", close_main, true, false},
    {"unlock", unlock_theirs, false, false},
    {"unlock-twice", unlock_twice, true, false},
    {"lock-twice", lock_twice, true, false},
    {"signal", signal_without_mutex, false, false},
    {"unlock-rwlock", unlock_rwlock, false, false},
    {"lock-rwlock-twice", lock_rwlock_twice, false, false},
    {"join", join_oneself, false, false},
    {"wait", wait_for_oneself, false, false},
    {"once", run_once, false, false},
    {"run", run_inside, false, false},
    {"end", end_with_mutex, false, false},
    {"again", again_and_again, false, false},
    {"small", unlock_theirs, false, true},
};

static int app(void *arg) {
    int rc = -ENOENT;
    COIR_TRY(coir_scope_open(&theirs, .name = "theirs"));
    COIR_TRY(coir_mutex_lock(&mutex));
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(ways[i].name, arg) != 0)
            continue;
        const coir_spawn_options options = {
            .name = ways[i].small ? NULL : "culprit",
            .stack_size_bytes = ways[i].small ? COIR_STACK_SIZE_MIN : 0,
        };
        rc = ways[i].by_owner ? ways[i].fn(NULL)
                              : coir_spawn_with(&theirs, ways[i].fn, NULL, &options);
    }
    rc = coir_scope_close(&theirs, rc);
    (void)(coir_task_equal(coir_mutex_owner(&mutex), coir_self()) && coir_mutex_unlock(&mutex));
    return rc;
}

int main(int argc, char **argv) {
    const int rc = argc == 2 ? coir_run(app, argv[1]) : -EINVAL;
    if (rc < 0)
        printf("%s\n", coir_strerror(rc));
    return rc < 0;
}
