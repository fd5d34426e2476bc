/* All calls at once, and their results in the order of the calls. */
#include "coir/combine.h"
#include "flow/calls.h"

int coir_gather(coir_call *calls, size_t n, coir_policy policy) {
    if ((policy != COIR_FAIL_FAST && policy != COIR_SUPERVISE) || !calls_valid(calls, n))
        return -EINVAL;
    COIR_SCOPE(s, .policy = policy, .name = "gather");
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = coir_spawn_with(&s, calls[i].fn, calls[i].arg,
                             &(const coir_spawn_options){.result = &calls[i].rc});
    return coir_scope_close(&s, rc);
}
