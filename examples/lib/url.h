/* URLs: taking an http one apart, and turning the path of a request into the path of a file.
 * Pure functions over memory, as those of http.h. */
#ifndef EXAMPLES_URL_H
#define EXAMPLES_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define URL_HOST_SIZE 272    /* a name has at most 253 characters; port and brackets come to it */
#define URL_TARGET_SIZE 2048 /* path and query */

struct url {
    char address[URL_HOST_SIZE];  /* to connect to: always with a port */
    char host[URL_HOST_SIZE];     /* for the Host field: with a port only if there was one */
    char target[URL_TARGET_SIZE]; /* for the request line: begins with a slash */
};

/* Takes "http://host[:port][/path][?query][#fragment]" apart; a host may be "[::1]". Returns 0;
 * -EPROTONOSUPPORT another scheme, such as https; -ENAMETOOLONG; -EINVAL anything else that is
 * wrong, user names and characters that must be encoded among it. */
int url_parse(const char *text, struct url *out);

/* Decodes the target of a request ("/a%20b/?query", "http://host/a") to the path of a file below
 * some folder ("a b"; "." for the folder itself): no slash in front, no empty, "." or ".."
 * segment, no NUL inside. *folder: it ended in a slash. Returns 0; -EINVAL malformed; -EACCES it
 * has a "..", encoded or not; -ENAMETOOLONG. */
int url_to_path(const char *target, size_t size_bytes, char *out, size_t capacity, bool *folder);

/* Writes one segment of a path so that it can stand in a URL. */
void url_write_segment(FILE *out, const char *segment);

#endif
