/* What a task waits for: in words, and who could end it. */
#ifndef COIR_DEBUG_WAIT_H
#define COIR_DEBUG_WAIT_H

#include "core/runtime.h"

#define COIR_WAIT_SIZE 512 /* room for the words, names included */

/* The one task that has to act before the wait can end: the owner of the lock, the task that is
 * joined. NULL where there are several, or none is known. */
struct coir__task *coir__wait_holder(const coir_waiter *wait);
/* The scope whose children all have to end first; NULL if it is not that kind of wait. */
coir_scope *coir__wait_scope(const coir_waiter *wait);
/* Whether it is for a descriptor, or for work on a file: its number, then. */
bool coir__wait_on_fd(const coir_waiter *wait);
/* "mutex 0x7f61c2a0 held by task 'writer'", "read on fd 7, 127.0.0.1:80 → 127.0.0.1:51234". Returns
 * `out`. */
const char *coir__wait_text(const coir_waiter *wait, char *out, size_t size_bytes);

#endif
