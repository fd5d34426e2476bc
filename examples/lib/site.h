/* Answers requests with the files of one folder: whole, in part, or not at all; and with listings
 * of its folders. All that httpd knows about HTTP beyond its syntax. */
#ifndef EXAMPLES_SITE_H
#define EXAMPLES_SITE_H

#include <coir/scope.h>

#include "http.h"

struct site {
    int folder; /* see folder.h */

    /* Private: the Date field, made once a second. */
    time_t date_of;
    char date[HTTP_DATE_SIZE];
};

/* One request and where its answer goes. */
struct exchange {
    struct site *site;
    int fd;
    const struct http_head *head; /* complete, or refused: answered with the reason */
    bool keep;                    /* announce that another request may follow */
    coir_scope *limit;            /* has a deadline; moved whenever the client took something */
    coir_time patience;           /* by that much */

    int status; /* out: the status that was sent; 0 if none was */
};

/* Sends the answer. Returns 0, whatever its status; or a negative errno if it could not be sent
 * completely, and then the connection is of no further use. Parks. */
int site_answer(struct exchange *x);

#endif
