/* Must die: a task ends while it holds a mutex that lived in its own frame. */
#include <coir.h>

static int forget_to_unlock(void *arg) {
    coir_mutex mutex = {.coir__lock = {.owner = NULL}};
    (void)arg;
    return coir_mutex_lock(&mutex);
}

static int app(void *arg) {
    (void)arg;
    COIR_SCOPE(s);
    COIR_TRY(coir_spawn_with(&s, forget_to_unlock, NULL,
                             &(const coir_spawn_options){.name = "forgetful"}));
    return coir_scope_close(&s, 0);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
