/* What clients have seen of one key, and whether one machine alone could have shown it to them. */
#ifndef EXAMPLES_KV_HISTORY_H
#define EXAMPLES_KV_HISTORY_H

#include "kv.h"

#define HISTORY_MAX 40 /* operations */

struct operation {
    bool writes;
    bool known; /* it was acknowledged; if not, a write may have happened, or happen yet */
    coir_time begin, end; /* the end, if known */
    char value[KV_TEXT]; /* written, or read: "-" before the first write. No two writes' is equal */
};

/* Whether there is an order of the operations in which each read gives the value written last, and
 * in which what ended before another began comes before that. */
bool history_is_linear(const struct operation *operations, unsigned count);

#endif
