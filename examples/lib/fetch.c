/* See fetch.h. Each function here reads like blocking code, and none of them knows about timeouts:
 * when time is up the call that waits returns -ECANCELED, and so does everything up to fetch. */
#include "fetch.h"

#include <coir.h>
#include <stdio.h>
#include <string.h>

#include "http.h"

#define BUFFER_SIZE ((size_t)16 * 1024)
_Static_assert(BUFFER_SIZE >= HTTP_HEAD_MAX, "a whole head must fit");

static int send_request(int fd, const struct url *url) {
    char request[URL_TARGET_SIZE + URL_HOST_SIZE + 128];
    const int size = snprintf(request, sizeof(request),
                              "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: coir-scrape\r\n"
                              "Accept: */*\r\nConnection: close\r\n\r\n",
                              url->target, url->host);
    return coir_write_all(fd, request, (size_t)size, NULL);
}

/* Reads at least the head of the answer. What followed it is then at the beginning of the buffer:
 * *used bytes. Answers such as "100 Continue" only announce the real one. */
static int read_head(int fd, struct http_head *head, char *buffer, size_t *used) {
    do {
        http_begin(head, true);
        while (http_parse(head, buffer, *used) == HTTP_MORE) {
            const ssize_t size = coir_read(fd, buffer + *used, BUFFER_SIZE - *used);
            if (size <= 0)
                return size < 0 ? (int)size : -EPIPE;
            *used += (size_t)size;
        }
        if (head->refused != 0)
            return -EPROTO;
        *used -= head->size;
        memmove(buffer, buffer + head->size, *used);
    } while (head->status < 200);
    return 0;
}

static int read_chunked(int fd, char *buffer, size_t used, uint64_t *bytes) {
    struct http_chunks chunks = {.state = 0};
    size_t taken, payload;
    ssize_t size = (ssize_t)used;
    enum http_result result;
    while ((result = http_unchunk(&chunks, buffer, (size_t)size, &taken, &payload)) == HTTP_MORE) {
        *bytes += payload;
        size = coir_read(fd, buffer, BUFFER_SIZE);
        if (size <= 0)
            return size < 0 ? (int)size : -EPIPE;
    }
    *bytes += payload;
    return result == HTTP_COMPLETE ? 0 : -EPROTO;
}

/* A body of `length` bytes, or all until the end of the connection if that is negative. */
static int read_plain(int fd, char *buffer, size_t used, int64_t length, uint64_t *bytes) {
    const uint64_t wanted = length < 0 ? UINT64_MAX : (uint64_t)length;
    *bytes = used < wanted ? used : wanted;
    while (*bytes < wanted) {
        const uint64_t left = wanted - *bytes;
        const ssize_t size = coir_read(fd, buffer, left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE);
        if (size == 0)
            return length < 0 ? 0 : -EPIPE;
        COIR_TRY(size);
        *bytes += (uint64_t)size;
    }
    return 0;
}

static int read_answer(int fd, struct fetched *out) {
    struct http_head head;
    char buffer[BUFFER_SIZE];
    size_t used = 0;
    COIR_TRY(read_head(fd, &head, buffer, &used));
    out->status = head.status;
    if (head.status == 204 || head.status == 304)
        return 0; /* these have no body */
    if (head.chunked)
        return read_chunked(fd, buffer, used, &out->bytes);
    return read_plain(fd, buffer, used, head.content_length, &out->bytes);
}

int fetch(const struct url *url, struct fetched *out) {
    *out = (struct fetched){.status = 0};
    const int fd = coir_connect(url->address);
    COIR_TRY(fd);
    int rc = send_request(fd, url);
    if (rc == 0)
        rc = read_answer(fd, out);
    coir_close(fd);
    return rc;
}
