/* Must die, of the signal and in the way that the argument says: a task crashes, alone or with
 * handlers of the program's own. */
#include <coir.h>

#undef NDEBUG /* some compilers define it whenever they optimise */
#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT __attribute__((noinline))

static volatile int zero; /* which the compiler must not know */

static void say(const char *text) {
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* ---- Ways to crash ---- */

KEPT static int touch(uintptr_t address) {
    return *(volatile int *)(address + (uintptr_t)zero) + 1;
}

static int null_pointer(void *arg) {
    (void)arg;
    return touch(8) + 1;
}

static int division(void *arg) {
    (void)arg;
    return 1000 / zero;
}

static int trap(void *arg) {
    (void)arg;
    if (zero == 0)
        __builtin_trap();
    return 0;
}

/* Behind the end of a file that has become shorter. */
static int bus(void *arg) {
    (void)arg;
    FILE *const file = tmpfile();
    if (file == NULL || ftruncate(fileno(file), 4096) < 0)
        return -EIO;
    char *const memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    if (memory == MAP_FAILED || ftruncate(fileno(file), 0) < 0)
        return -EIO;
    return touch((uintptr_t)memory) + 1;
}

static int call_abort(void *arg) {
    (void)arg;
    abort();
}

static int fail_assertion(void *arg) {
    (void)arg;
    assert(zero == 1);
    return 0;
}

/* Overwrites the frames of its callers. */
KEPT static int smash_frames(char *room) {
    char *const here = __builtin_frame_address(0);
    memset(here, 0x5a, (size_t)(room - here));
    return touch(8) + 1;
}

static int smash(void *arg) {
    char room[1024];
    (void)arg;
    memset(room, zero, sizeof room);
    return smash_frames(room + 512) + room[1000];
}

/* Overwrites what the runtime knows of the task, at the top of its stack. */
static int smash_all(void *arg) {
    (void)arg;
    memset(__builtin_frame_address(0), 0x5a, 512);
    return touch(8) + 1;
}

static int kill_self(void *arg) {
    (void)arg;
    return kill(getpid(), SIGSEGV);
}

static void *touch_in_thread(void *arg) {
    (void)arg;
    return (void *)(uintptr_t)touch(8);
}

static int thread(void *arg) {
    pthread_t other;
    (void)arg;
    return pthread_create(&other, NULL, touch_in_thread, NULL) == 0 ? pthread_join(other, NULL)
                                                                    : -EAGAIN;
}

static int child(void *arg) {
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0)
        (void)null_pointer(arg);
    if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
        (void)signal(WTERMSIG(status), SIG_DFL), (void)raise(WTERMSIG(status));
    return 0;
}

/* ---- Handlers of the program ---- */

static char page[4096] __attribute__((aligned(4096)));

static void end_with_info(int number, siginfo_t *info, void *context) {
    say(info->si_signo == number && info->si_addr == (void *)8 && context != NULL
            ? "mine: address 8\n"
            : "mine: confused\n");
    _exit(3);
}

static void let_die(int number) {
    say("mine: default next\n");
    (void)signal(number, SIG_DFL);
}

static void blocked_too(int number) {
    sigset_t now;
    (void)number;
    (void)sigprocmask(SIG_SETMASK, NULL, &now);
    say(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGSEGV) ? "mine: mask right\n"
                                                                  : "mine: mask wrong\n");
    _exit(3);
}

/* Makes the access possible, as a program does that has memory given to it on demand. */
static void give_access(int number) {
    (void)number;
    (void)mprotect(page, sizeof page, PROT_READ | PROT_WRITE);
}

static int use_memory_on_demand(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) {
        (void)mprotect(page, sizeof page, PROT_NONE);
        page[i] = 1;
    }
    say("mine: all given\n");
    return 0;
}

static sigjmp_buf back;

static void jump_back(int number) {
    siglongjmp(back, number);
}

static int survive(void *arg) {
    for (volatile int i = 0; i < 3; i++)
        if (sigsetjmp(back, 1) == 0)
            (void)null_pointer(arg);
    say("mine: survived\n");
    return 0;
}

static void install(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    (void)sigaction(number, &action, NULL);
}

/* During the run: comes before the library's own. */
static int crash_with_a_later_handler(void *arg) {
    install(SIGSEGV, let_die, SA_ONSTACK);
    return null_pointer(arg);
}

/* And the program hands on what it does not want, as it should. */
static struct sigaction before;

static void hand_on(int number, siginfo_t *info, void *context) {
    say("mine: handed on\n");
    before.sa_sigaction(number, info, context);
}

static int crash_with_a_chained_handler(void *arg) {
    struct sigaction action = {.sa_sigaction = hand_on, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigaction(SIGSEGV, &action, &before);
    return null_pointer(arg);
}

static int ignore_abort(void *arg) {
    (void)arg;
    (void)raise(SIGABRT);
    say("mine: not ended\n");
    return 0;
}

/* ---- Which ---- */

static const struct way {
    const char *name;
    coir_fn fn;
} ways[] = {
    {"null", null_pointer},
    {"division", division},
    {"trap", trap},
    {"bus", bus},
    {"abort", call_abort},
    {"assert", fail_assertion},
    {"smash", smash},
    {"smash-all", smash_all},
    {"before-smash-all", smash_all},
    {"kill", kill_self},
    {"thread", thread},
    {"child", child},
    {"left", null_pointer},
    {"twice", null_pointer},
    {"before", null_pointer},
    {"before-dies", null_pointer},
    {"before-mask", null_pointer},
    {"before-gives", use_memory_on_demand},
    {"before-jumps", survive},
    {"before-ignores", ignore_abort},
    {"after", crash_with_a_later_handler},
    {"after-chains", crash_with_a_chained_handler},
};

static void prepare(const char *way) {
    struct sigaction info = {.sa_sigaction = end_with_info, .sa_flags = SA_SIGINFO};
    struct sigaction mask = {.sa_handler = blocked_too, .sa_flags = SA_NODEFER};
    (void)sigaddset(&mask.sa_mask, SIGUSR1);
    if (strcmp(way, "before") == 0 || strcmp(way, "before-smash-all") == 0)
        (void)sigaction(SIGSEGV, &info, NULL);
    else if (strcmp(way, "before-dies") == 0)
        install(SIGSEGV, let_die, 0);
    else if (strcmp(way, "before-mask") == 0)
        (void)sigaction(SIGSEGV, &mask, NULL);
    else if (strcmp(way, "before-gives") == 0)
        install(SIGSEGV, give_access, 0);
    else if (strcmp(way, "before-jumps") == 0)
        install(SIGSEGV, jump_back, SA_NODEFER);
    else if (strcmp(way, "before-ignores") == 0)
        install(SIGABRT, SIG_IGN, 0);
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int app(void *arg) {
    COIR_SCOPE(s, .name = "doom");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(ways[i].name, arg) == 0)
            COIR_TRY(coir_spawn_with(&s, ways[i].fn, NULL,
                                     &(const coir_spawn_options){.name = "victim"}));
    }
    return coir_scope_close(&s, 0);
}

int main(int argc, char **argv) {
    const coir_options options = {.leave_signals = argc > 1 && strcmp(argv[1], "left") == 0};
    if (argc < 2)
        return 1;
    prepare(argv[1]);
    if (strcmp(argv[1], "twice") == 0 && coir_run(nothing, NULL) < 0)
        return 1;
    return coir_run_with(app, argv[1], &options) < 0;
}
