/* A section of code that one task at a time may enter, guarded by a mutex or by a semaphore of one
 * permit.
 *
 * Cases: "mutex" and "semaphore": nobody else is there. "mutex-handed" and "semaphore-handed": two
 * tasks go in and out and yield inside, so that the other one always comes to wait and is handed
 * the section. The unit is one section, entered and left, by whichever task. */
#include <coir.h>
#include <string.h>

#include "lib/bench.h"

static struct {
    coir_mutex mutex;
    coir_semaphore semaphore;
    uint64_t sections; /* entered so far; what is guarded */
    bool over;
} guarded;

/* What is measured, once with each kind of guard. */
#define SECTIONS(kind, enter, leave)                                                               \
    static void kind##_alone(uint64_t count, void *arg) {                                          \
        (void)arg;                                                                                 \
        for (; count != 0; --count) {                                                              \
            bench_check(#enter, enter(&guarded.kind));                                             \
            ++guarded.sections;                                                                    \
            bench_check(#leave, leave(&guarded.kind));                                             \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void kind##_waiting(void) {                                                             \
        bench_check(#enter, enter(&guarded.kind));                                                 \
        ++guarded.sections;                                                                        \
        bench_check("coir_yield", coir_yield());                                                   \
        bench_check(#leave, leave(&guarded.kind));                                                 \
    }                                                                                              \
                                                                                                   \
    static void kind##_lead(uint64_t count, void *arg) {                                           \
        (void)arg;                                                                                 \
        const uint64_t enough = guarded.sections + count;                                          \
        while (guarded.sections < enough)                                                          \
            kind##_waiting();                                                                      \
    }                                                                                              \
                                                                                                   \
    static int kind##_rival(void *arg) {                                                           \
        (void)arg;                                                                                 \
        while (!guarded.over)                                                                      \
            kind##_waiting();                                                                      \
        return 0;                                                                                  \
    }

SECTIONS(mutex, coir_mutex_lock, coir_mutex_unlock)
SECTIONS(semaphore, coir_semaphore_acquire, coir_semaphore_release)

static const struct setting {
    const char *name;
    bench_op op;
    coir_fn rival; /* NULL: none */
} settings[] = {
    {"mutex", mutex_alone, NULL},
    {"mutex-handed", mutex_lead, mutex_rival},
    {"semaphore", semaphore_alone, NULL},
    {"semaphore-handed", semaphore_lead, semaphore_rival},
};

static int measure(const struct setting *setting) {
    guarded.over = false;
    bench_check("coir_semaphore_init", coir_semaphore_init(&guarded.semaphore, 1, 1));
    COIR_SCOPE(scope, .name = "mutex");
    if (setting->rival != NULL)
        COIR_TRY(coir_spawn(&scope, setting->rival, NULL));
    bench_report(setting->name, "ns", bench_ns(setting->op, NULL));
    guarded.over = true;
    const int rc = coir_scope_close(&scope, 0);
    bench_check("coir_mutex_destroy", coir_mutex_destroy(&guarded.mutex));
    bench_check("coir_semaphore_destroy", coir_semaphore_destroy(&guarded.semaphore));
    return rc;
}

static int app(void *arg) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i)
        if (strcmp(arg, settings[i].name) == 0)
            return measure(&settings[i]);
    return -EINVAL;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        bench_check(argv[i], coir_run(app, argv[i]));
    return 0;
}
