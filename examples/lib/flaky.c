/* See flaky.h. One request a connection: read its head, wait, answer, end. */
#include "flaky.h"

#include <coir.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "http.h"

/* From the seed and the path alone, so that the order in which requests come does not matter. */
static coir_time delay_of(uint64_t seed, struct http_text path) {
    uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325); /* FNV-1a ... */
    for (size_t i = 0; i < path.size; i++)
        hash = (hash ^ (unsigned char)path.at[i]) * UINT64_C(0x100000001b3);
    hash =
        (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9); /* ... and SplitMix64's last step */
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
    return COIR_MS(100) + (coir_time)(hash % (uint64_t)COIR_MS(2400));
}

static bool begins(struct http_text path, const char *with) {
    return path.size >= strlen(with) && memcmp(path.at, with, strlen(with)) == 0;
}

static int send_text(int fd, const char *text) {
    return coir_write_all(fd, text, strlen(text), NULL);
}

/* The system sends a reset instead of an end when such a socket is closed. */
static int reset_at_close(int fd) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0 ? -errno : 0;
}

static int send_answer(int fd, struct http_text path) {
    if (begins(path, "/plain/"))
        return send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nplain\n");
    if (begins(path, "/chunked/"))
        return send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3\r\nin \r\n7\r\nchunks\n\r\n0\r\n\r\n");
    if (begins(path, "/to-end/"))
        return send_text(fd, "HTTP/1.1 200 OK\r\n\r\nto the end of the connection\n");
    if (begins(path, "/error/"))
        return send_text(fd, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    if (begins(path, "/reset/"))
        return reset_at_close(fd);
    return send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

int flaky_connection(int fd, void *arg) {
    const struct flaky *const flaky = arg;
    char buffer[HTTP_HEAD_MAX];
    size_t used = 0;
    struct http_head head;
    http_begin(&head, false);
    while (http_parse(&head, buffer, used) == HTTP_MORE) {
        const ssize_t size = coir_read(fd, buffer + used, sizeof(buffer) - used);
        if (size <= 0)
            return (int)size;
        used += (size_t)size;
    }
    if (head.refused != 0)
        return send_text(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    COIR_TRY(coir_sleep(delay_of(flaky->seed, head.target)));
    return send_answer(fd, head.target);
}
