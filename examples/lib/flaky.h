/* A web server that is slow and unreliable on purpose, so that a client has something to cope with.
 *
 *     /plain/N     a page with a Content-Length      /error/N   status 500
 *     /chunked/N   one in chunks                     /reset/N   the connection breaks
 *     /to-end/N    one that ends with the connection
 *
 * Each answer comes after 0.1 to 2.5 seconds, drawn from the seed and the path. */
#ifndef EXAMPLES_FLAKY_H
#define EXAMPLES_FLAKY_H

#include <stdint.h>

struct flaky {
    uint64_t seed; /* the same seed gives the same delays */
};

/* One connection, for coir_serve; arg is the struct flaky. */
int flaky_connection(int fd, void *arg);

#endif
