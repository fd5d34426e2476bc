/* Functions without frame pointers: the Makefile has this file compiled so. */
#include "debug/frames.h"

KEPT static int frameless_too(coir_fn fn, void *arg) {
    return fn(arg) + 1;
}

KEPT static int frameless(coir_fn fn, void *arg) {
    return frameless_too(fn, arg) + 1;
}

int call_frameless(coir_fn fn, void *arg) {
    return frameless(fn, arg) + 1;
}
