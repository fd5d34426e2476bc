/* HTTP/1.x as text: heads of requests and responses, chunked bodies, dates, byte ranges.
 *
 * Pure functions over memory: no input or output, no allocation, nothing kept between calls but
 * what the caller holds. They read what strangers sent and are strict about it (RFC 9110, 9112):
 * what two parsers could understand in two ways is refused. */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define HTTP_HEAD_MAX 8192 /* bytes of a whole head, with the empty line that ends it */
#define HTTP_LINE_MAX 4096 /* bytes of its first line; hence the longest target is shorter */
#define HTTP_FIELDS_MAX 64 /* lines after the first */

/* A piece of the buffer that was parsed: not terminated, alive as long as that buffer. */
struct http_text {
    const char *at;
    size_t size;
};

struct http_field {
    struct http_text name, value; /* the value without the blanks around it */
};

/* The head of a message. Before the parser says HTTP_COMPLETE only `refused` is to be looked at. */
struct http_head {
    bool response;                   /* what it is read as */
    struct http_text method, target; /* of a request */
    int status;                      /* of a response: 100 to 599 */
    int minor;                       /* the version is HTTP/1.minor */
    bool keep_alive;                 /* the sender is willing to go on after this message */
    bool chunked;                    /* the body is (responses only) */
    int64_t content_length;          /* -1: not given */
    int refused;                     /* why it was: the status a server answers with; else 0 */
    size_t size;                     /* bytes of the head; the body begins there */

    size_t field_count;
    struct http_field fields[HTTP_FIELDS_MAX];

    /* Private to the parser. */
    bool started;   /* the first line is done */
    bool coded;     /* there is a Transfer-Encoding */
    bool close;     /* "Connection: close" */
    bool stay;      /* "Connection: keep-alive" */
    unsigned hosts; /* how many Host fields */
    size_t scanned; /* no line ends between `size` and here */
};

enum http_result {
    HTTP_MORE,     /* all is well so far, and the end is not there yet */
    HTTP_COMPLETE, /* the head is complete and valid */
    HTTP_REFUSED   /* it never will be: see head->refused */
};

/* Makes ready to parse one head. */
void http_begin(struct http_head *head, bool response);

/* Goes on with the head that begins at `buffer`, of which `size_bytes` are there by now: call it
 * again, with the same buffer, when more has arrived; each line is parsed once. What follows the
 * head is not looked at. Never asks for more once HTTP_HEAD_MAX bytes are there.
 * Refused with 400 is all that is malformed: a bare CR or LF, control characters, folded lines,
 * blanks before a colon, a second or unclear Content-Length, one beside a Transfer-Encoding, in
 * HTTP/1.1 not exactly one Host; with 414 a first line too long; with 431 too large a head; with
 * 501 a Transfer-Encoding (in a response: other than "chunked"); with 505 a version not 1.x. */
enum http_result http_parse(struct http_head *head, const char *buffer, size_t size_bytes);

/* The value of the first field of that name (in any case); NULL if there is none. */
const struct http_text *http_field(const struct http_head *head, const char *name);

/* Whether the text is `other`, whatever the case of its letters. */
bool http_is(struct http_text text, const char *other);

/* The usual words for a status; "Unknown" if it is not in the list. */
const char *http_reason(int status);

/* ---- Chunked bodies ---- */

/* Zeroed at the beginning of a body. */
struct http_chunks {
    int state;     /* private, as all of it */
    unsigned line; /* bytes of this line, or of all the trailer */
    uint64_t left; /* bytes of this chunk still to come; while its size is read: so far */
};

/* Takes the next `*used` = size_bytes of the body and leaves in their place, at the beginning of
 * `data`, the *payload bytes that are content. Returns HTTP_COMPLETE behind the last chunk and its
 * trailer, with *used less if more follows; HTTP_REFUSED if it is malformed. */
enum http_result http_unchunk(struct http_chunks *chunks, char *data, size_t size_bytes,
                              size_t *used, size_t *payload);

/* ---- Dates and ranges ---- */

#define HTTP_DATE_SIZE 32

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT". A time beyond the year 9999 gives an empty text. */
void http_format_date(time_t time, char out[HTTP_DATE_SIZE]);

/* Reads a date in any of the three forms of RFC 9110. Returns whether it is one. */
bool http_parse_date(struct http_text text, time_t *out);

/* Applies a Range field to content of size_bytes. Returns the status to answer with: 206 and the
 * first and last byte; 416 if none of it exists; 200 if the field is to be ignored, as one that is
 * malformed, in another unit, or asks for several ranges. */
int http_parse_range(struct http_text value, int64_t size_bytes, int64_t *first, int64_t *last);

#endif
