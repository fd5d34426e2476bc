/* A program for tools to look into, its scopes and tasks always the same:
 *
 *   scope 'main'
 *     task 1 'main'                 in close of 'shop', or running
 *       scope 'shop'                with a deadline in an hour
 *         task 2 'customer'         reads a descriptor
 *         task 3 'till'             sleeps, holding a mutex
 *         task 4 'assistant'        waits for that mutex
 *         task 5 'manager'          in close of its own scope, unnamed and shielded
 *           task 10 'apprentice'    joins 'till'
 *         task 6 to 9 doze          unnamed, equal
 *         task 11 'late'            has not begun; only when main runs
 *
 *     shop [run | threads | crowd]
 *                              run: main goes on computing, in compute()
 *                              crowd: 20,000 doze
 *                              threads: the same tasks once more, in a runtime of a second thread
 *
 * Says "ready" on standard output when all is in place. Ends with its parent. */
#include <coir.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#define DOZERS 4
#define CROWD 20000

/* The value of a call after which something is left to do: so that the caller keeps its frame. */
#define CALL(call)                                                                                 \
    __extension__({                                                                                \
        const int call_result = (call);                                                            \
        __asm__ volatile("");                                                                      \
        call_result;                                                                               \
    })

struct shop {
    coir_mutex mutex;
    coir_task till;
    bool computes;
    bool crowded; /* many doze */
    bool idle;    /* it has said that all of its tasks wait */
    int ends[2];
};

static __attribute__((noinline)) int ask(int fd, int question) {
    char answer[64];
    const ssize_t size = coir_read(fd, answer, sizeof answer);
    return size < 0 ? (int)size : question;
}

static int customer(void *arg) {
    struct shop *const shop = arg;
    COIR_TRY(coir_adopt(shop->ends[0]));
    return CALL(ask(shop->ends[0], 42));
}

static int till(void *arg) {
    struct shop *const shop = arg;
    COIR_TRY(coir_mutex_lock(&shop->mutex));
    const int rc = coir_sleep(COIR_NEVER);
    coir_mutex_unlock(&shop->mutex);
    return rc;
}

static int assistant(void *arg) {
    struct shop *const shop = arg;
    COIR_TRY(coir_mutex_lock(&shop->mutex));
    coir_mutex_unlock(&shop->mutex);
    return 0;
}

/* All pages down to the guard, so that what has contents begins right behind it. Without a
 * sanitizer's checks: down there is no room for its calls. */
static __attribute__((noinline, no_sanitize("address"))) void touch_whole_stack(void) {
    coir_stack_use use;
    if (coir_task_stack(coir_self(), &use) != 0)
        return;
    const size_t size = use.size - use.now - 2048;
    volatile char *const room = __builtin_alloca(size);
    for (size_t i = 0; i < size; i += 1024)
        room[i] = 1;
}

static int apprentice(void *arg) {
    struct shop *const shop = arg;
    touch_whole_stack();
    return CALL(coir_join(shop->till, NULL));
}

static int manager(void *arg) {
    COIR_SCOPE(s, .shield = true);
    COIR_TRY(coir_spawn_with(&s, apprentice, arg, &(coir_spawn_options){.name = "apprentice"}));
    return CALL(coir_scope_close(&s, 0));
}

static int doze(void *arg) {
    (void)arg;
    return CALL(coir_sleep(COIR_SEC(3600)));
}

static int late(void *arg) {
    (void)arg;
    return 0;
}

static void say_ready(void) {
    puts("ready");
    fflush(stdout);
}

/* All tasks wait once the loop runs. */
static void say_when_idle(void *context, coir_task task) {
    bool *const said = context;
    if (coir_task_number(task) == 0 && !*said)
        say_ready();
    *said = *said || coir_task_number(task) == 0;
}

static __attribute__((noinline)) void compute(void) {
    say_ready();
    for (volatile unsigned counter = 0;;)
        counter++;
}

static int open_shop(void *arg) {
    struct shop *const shop = arg;
    if (pipe(shop->ends) != 0)
        return -errno;
    COIR_SCOPE(s, .name = "shop", .deadline = coir_after(COIR_SEC(3600)));
    const struct {
        const char *name;
        coir_fn fn;
        coir_task *task;
    } staff[] = {{"customer", customer, NULL},
                 {"till", till, &shop->till},
                 {"assistant", assistant, NULL},
                 {"manager", manager, NULL}};
    for (size_t i = 0; i < sizeof staff / sizeof staff[0]; i++)
        COIR_TRY(
            coir_spawn_with(&s, staff[i].fn, shop,
                            &(coir_spawn_options){.name = staff[i].name, .task = staff[i].task}));
    for (int i = 0; i < (shop->crowded ? CROWD : DOZERS); i++)
        COIR_TRY(coir_spawn(&s, doze, NULL));
    COIR_TRY(coir_yield());
    COIR_TRY(coir_yield());
    if (shop->computes) {
        COIR_TRY(coir_spawn_with(&s, late, NULL, &(coir_spawn_options){.name = "late\n"}));
        compute();
    }
    COIR_TRY(coir_hooks_set(&(const coir_hooks){.context = &shop->idle, .run = say_when_idle}));
    return CALL(coir_scope_close(&s, 0));
}

static void *run_again(void *arg) {
    (void)arg;
    static struct shop second;
    (void)!coir_run(open_shop, &second);
    return NULL;
}

int main(int argc, char **argv) {
    static struct shop shop;
    const char *const how = argc > 1 ? argv[1] : "";
    alarm(300);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* whatever the system's policy */
#endif
    shop.computes = strcmp(how, "run") == 0;
    shop.crowded = strcmp(how, "crowd") == 0;
    pthread_t thread;
    if (strcmp(how, "threads") == 0 && pthread_create(&thread, NULL, run_again, NULL) != 0)
        return 1;
    const int rc = coir_run(open_shop, &shop);
    fprintf(stderr, "shop: %s\n", coir_strerror(rc));
    return rc < 0;
}
