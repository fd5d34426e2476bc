/* Does one thing so many times, to have its instructions counted: count WHAT TIMES. tools/counts.sh
 * runs it under callgrind with two numbers of times; the difference is what one takes.
 *
 *   switch   one bare switch there and back          yield     one yield of each of two tasks
 *   crowd    a yield of one of 4,000 tasks
 *   spawn    a scope, one task in it, its close      spawn-100 the same with a hundred, per task
 *   handle   a task with a handle, spawned, joined   scope     a scope opened and closed
 *   deadline the same with a deadline                mutex     locked and unlocked
 *   handed   a mutex handed over by a task that yields inside, to another one and back
 *   channel  a word there and back, without buffers  echo      a request and its answer, one task
 * each
 */
#include <coir.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/bench.h"

static uint64_t times;

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

/* ---- What is counted ---- */

static coir_context here, there;

static void come_back(void *value, void *arg) {
    (void)value, (void)arg;
    for (;;)
        coir_context_switch(&there, &here, NULL);
}

static int count_switch(void) {
    static _Alignas(64) char stack[64 * 1024];
    COIR_TRY(coir_context_init(&there, stack, sizeof stack, come_back, NULL));
    for (uint64_t i = 0; i < times; ++i)
        coir_context_switch(&here, &there, NULL);
    return 0;
}

static int yield_often(void *arg) {
    (void)arg;
    for (uint64_t i = 0; i < times; ++i)
        COIR_TRY(coir_yield());
    return 0;
}

static int count_yield(void) {
    COIR_SCOPE(scope);
    COIR_TRY(coir_spawn(&scope, yield_often, NULL));
    COIR_TRY(yield_often(NULL));
    return coir_scope_close(&scope, 0);
}

#define CROWD 4000 /* `times` is a multiple */

static int count_crowd(void) {
    times /= CROWD;
    COIR_SCOPE(scope);
    for (uint64_t i = 1; i < CROWD; ++i)
        COIR_TRY(coir_spawn(&scope, yield_often, NULL));
    COIR_TRY(yield_often(NULL));
    return coir_scope_close(&scope, 0);
}

static int spawn_batches(uint64_t batches, uint64_t tasks) {
    for (; batches != 0; --batches) {
        COIR_SCOPE(scope);
        for (uint64_t i = 0; i < tasks; ++i)
            COIR_TRY(coir_spawn(&scope, nothing, NULL));
        COIR_TRY(coir_scope_close(&scope, 0));
    }
    return 0;
}

static int count_spawn(void) {
    return spawn_batches(times, 1);
}

static int count_spawn_100(void) {
    return spawn_batches(times / 100, 100);
}

static int count_handle(void) {
    for (uint64_t i = 0; i < times; ++i) {
        coir_task task;
        COIR_SCOPE(scope);
        COIR_TRY(coir_spawn_task(&scope, nothing, NULL, &task));
        COIR_TRY(coir_join(task, NULL));
        COIR_TRY(coir_scope_close(&scope, 0));
    }
    return 0;
}

static int count_scope(void) {
    for (uint64_t i = 0; i < times; ++i) {
        COIR_SCOPE(scope);
        COIR_TRY(coir_scope_close(&scope, 0));
    }
    return 0;
}

static int count_deadline(void) {
    const coir_time deadline = coir_after(COIR_SEC(3600));
    for (uint64_t i = 0; i < times; ++i) {
        COIR_SCOPE(scope, .deadline = deadline);
        COIR_TRY(coir_scope_close(&scope, 0));
    }
    return 0;
}

static int count_mutex(void) {
    coir_mutex mutex = {0};
    for (uint64_t i = 0; i < times; ++i) {
        COIR_TRY(coir_mutex_lock(&mutex));
        COIR_TRY(coir_mutex_unlock(&mutex));
    }
    return coir_mutex_destroy(&mutex);
}

static int take_turns(void *arg) {
    for (uint64_t i = 0; i < times; ++i) {
        COIR_TRY(coir_mutex_lock(arg));
        COIR_TRY(coir_yield());
        COIR_TRY(coir_mutex_unlock(arg));
    }
    return 0;
}

static int count_handed(void) {
    coir_mutex mutex = {0};
    COIR_SCOPE(scope);
    COIR_TRY(coir_spawn(&scope, take_turns, &mutex));
    COIR_TRY(take_turns(&mutex));
    COIR_TRY(coir_scope_close(&scope, 0));
    return coir_mutex_destroy(&mutex);
}

static coir_channel *requests, *answers;

static int answer(void *arg) {
    (void)arg;
    for (uint64_t i = 0; i < times; ++i) {
        uint64_t item;
        COIR_TRY(coir_channel_recv(requests, &item));
        COIR_TRY(coir_channel_send(answers, &item));
    }
    return 0;
}

static int ask(void) {
    COIR_SCOPE(scope);
    COIR_TRY(coir_spawn(&scope, answer, NULL));
    for (uint64_t i = 0; i < times; ++i) {
        COIR_TRY(coir_channel_send(requests, &i));
        COIR_TRY(coir_channel_recv(answers, &(uint64_t){0}));
    }
    return coir_scope_close(&scope, 0);
}

static int count_channel(void) {
    COIR_TRY(coir_channel_create(&requests, sizeof(uint64_t), 0, NULL));
    COIR_TRY(coir_channel_create(&answers, sizeof(uint64_t), 0, NULL));
    const int rc = ask();
    COIR_TRY(coir_channel_destroy(requests));
    COIR_TRY(coir_channel_destroy(answers));
    return rc;
}

static int echo(void *arg) {
    const int fd = *(const int *)arg;
    char buffer[64];
    for (uint64_t i = 0; i < times; ++i) {
        COIR_TRY(coir_read_exact(fd, buffer, sizeof buffer, NULL));
        COIR_TRY(coir_write_all(fd, buffer, sizeof buffer, NULL));
    }
    return 0;
}

static int count_echo(void) {
    char buffer[64] = {0};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -errno;
    COIR_TRY(coir_adopt(ends[0]));
    COIR_TRY(coir_adopt(ends[1]));
    COIR_SCOPE(scope);
    COIR_TRY(coir_spawn(&scope, echo, &ends[1]));
    for (uint64_t i = 0; i < times; ++i) {
        COIR_TRY(coir_write_all(ends[0], buffer, sizeof buffer, NULL));
        COIR_TRY(coir_read_exact(ends[0], buffer, sizeof buffer, NULL));
    }
    COIR_TRY(coir_scope_close(&scope, 0));
    COIR_TRY(coir_close(ends[0]));
    return coir_close(ends[1]);
}

/* ---- Which ---- */

static const struct {
    const char *name;
    int (*count)(void);
} all[] = {
    {"switch", count_switch}, {"yield", count_yield},         {"crowd", count_crowd},
    {"spawn", count_spawn},   {"spawn-100", count_spawn_100}, {"handle", count_handle},
    {"scope", count_scope},   {"deadline", count_deadline},   {"mutex", count_mutex},
    {"handed", count_handed}, {"channel", count_channel},     {"echo", count_echo},
};

static int app(void *arg) {
    const char *what = arg;
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        if (strcmp(what, all[i].name) == 0)
            return all[i].count();
    bench_die(what, EINVAL);
}

int main(int argc, char **argv) {
    if (argc != 3)
        bench_die("usage: count WHAT TIMES", 0);
    times = bench_number(argv[2], NULL);
    bench_check(argv[1], coir_run(app, argv[1]));
    return 0;
}
