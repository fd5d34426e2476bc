/* Fetches one page over HTTP. */
#ifndef EXAMPLES_FETCH_H
#define EXAMPLES_FETCH_H

#include <stdint.h>

#include "url.h"

struct fetched {
    int status;     /* of the answer; 0 while there is none */
    uint64_t bytes; /* of its body, so far */
};

/* Connects, asks, reads the answer to its end and closes, for as long as it takes: how long that
 * may be is for the scope around it to say. Returns 0, whatever the status; -EPIPE the connection
 * ended too early; -EPROTO the answer is not HTTP; errors of coir_connect and of reading and
 * writing. The body is counted and dropped. Parks. */
int fetch(const struct url *url, struct fetched *out);

#endif
