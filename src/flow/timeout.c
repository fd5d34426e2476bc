/* One call within a time limit. In the caller's own task, because nothing is gained by another: its
 * result, locals and locks are the caller's, and no stack is needed. */
#include "coir/combine.h"
#include "coir/runtime.h"

int coir_timeout(coir_time duration, coir_fn fn, void *arg) {
    if (fn == NULL)
        return -EINVAL;
    coir_scope s = {0};
    COIR_TRY(coir_scope_open(&s, .deadline = coir_after(duration), .name = "timeout"));
    return coir_scope_close(&s, fn(arg));
}
