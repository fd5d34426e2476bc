/* Must die: a scope is closed while one that was opened inside it is open. */
#include <coir.h>

static int app(void *arg) {
    (void)arg;
    COIR_TRY(coir_task_set_name(coir_self(), "tangled"));
    COIR_SCOPE(outer, .name = "whole");
    COIR_SCOPE(inner, .name = "part");
    return coir_scope_close(&outer, 0);
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
