/* Must die: a task returns while a scope it opened, without a guard, is open. */
#include <coir.h>

static int forget_to_close(void *arg) {
    return coir_scope_open((coir_scope *)arg, .name = "request");
}

static int app(void *arg) {
    (void)arg;
    coir_scope left = {.coir__state = 0};
    COIR_SCOPE(s);
    COIR_TRY(
        coir_spawn_with(&s, forget_to_close, &left, &(const coir_spawn_options){.name = "sloppy"}));
    return coir_scope_close(&s, 0);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
