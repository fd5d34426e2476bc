/* What the combinators that take an array of calls have in common. */
#ifndef COIR_FLOW_CALLS_H
#define COIR_FLOW_CALLS_H

#include "coir/combine.h"

/* Whether there is a function in each call. Marks all as not started. */
static inline bool calls_valid(coir_call *calls, size_t n) {
    if (calls == NULL && n > 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (calls[i].fn == NULL)
            return false;
        calls[i].rc = -EINPROGRESS;
    }
    return true;
}

#endif
