/* Must die: the first function of a bare context returns, and there is nothing to return to. */
#include <coir.h>

static void return_at_once(void *value, void *arg) {
    (void)value, (void)arg;
}

int main(void) {
    static char stack[64 * 1024];
    static coir_context here, there;
    if (coir_context_init(&there, stack, sizeof stack, return_at_once, NULL) < 0)
        return 1;
    (void)coir_context_switch(&here, &there, NULL);
    return 2;
}
