/* coir_yield between tasks of one runtime at its default settings. */
#include <coir.h>

#include "lib/bench.h"

BENCH_INLINE void subject_yield(void) {
    (void)coir_yield();
}

#include "lib/yield.h"

static int app(void *arg) {
    const size_t tasks = (size_t)arg;
    COIR_SCOPE(scope, .name = "yield");
    for (size_t i = 0; i < tasks; ++i)
        COIR_TRY(coir_spawn(&scope, yield_body, (void *)i));
    return coir_scope_close(&scope, 0);
}

static void subject_run(size_t tasks) {
    const int rc = coir_run(app, (void *)tasks);
    if (rc < 0)
        bench_die("yield", rc);
}

int main(int argc, char **argv) {
    return yield_main(argc, argv);
}
