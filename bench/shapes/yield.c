/* The yield measure over a library of tasks; lib/yield.h says what is measured. */
#include SUBJECT

#include "../lib/yield.h"

static void run_all(void *arg) {
    subject_all((size_t)arg, yield_body);
}

static void subject_run(size_t tasks) {
    subject_enter(run_all, (void *)tasks);
}

int main(int argc, char **argv) {
    return yield_main(argc, argv);
}
