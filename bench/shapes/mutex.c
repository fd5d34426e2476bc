/* A section of code that one task at a time may enter.
 *
 * Cases: "mutex": nobody else is there; "mutex-handed": two tasks go in and out and yield inside,
 * so that the other one always comes to wait. The unit is one section, entered and left. */
#include SUBJECT

#include <stdio.h>
#include <string.h>

#ifndef SUBJECT_MUTEX
int main(void) {
    fprintf(stderr, "it has no mutex, or none that two of its tasks could take turns with\n");
    return BENCH_CANNOT;
}
#else
static uint64_t sections; /* entered so far; what is guarded */
static int over;
static const char *setting;

static void section(void) {
    subject_lock();
    ++sections;
    subject_yield();
    subject_unlock();
}

static void alone(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        subject_lock();
        ++sections;
        subject_unlock();
    }
}

static void handed(uint64_t count, void *arg) {
    (void)arg;
    const uint64_t enough = sections + count;
    while (sections < enough)
        section();
}

static int take_part(void *arg) {
    if (arg == NULL) {
        bench_report(setting, "ns", bench_ns(handed, NULL));
        over = 1;
    }
    while (!over)
        section();
    return 0;
}

static void measure(void *arg) {
    setting = (const char *)arg;
    over = 0;
    if (strcmp(setting, "mutex") == 0)
        bench_report(setting, "ns", bench_ns(alone, NULL));
    else
        subject_all(2, take_part);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i) {
        if (strncmp(argv[i], "mutex", 5) != 0) {
            fprintf(stderr, "measured with a mutex only\n");
            return BENCH_CANNOT;
        }
        subject_enter(measure, argv[i]);
    }
    return 0;
}
#endif
