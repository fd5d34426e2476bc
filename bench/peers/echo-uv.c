/* Link with: -luv
 * The echo server over libuv's callbacks. It tries to write at once, as libuv's guide advises for
 * small answers, and queues a request only for what is left. Prints its process id and its address,
 * then serves until it is killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "../lib/bench.h"

#define BUFFER_SIZE 2048

static char buffer[BUFFER_SIZE]; /* one for all: a read is dealt with before the next */

struct unsent {
    uv_write_t request;
    char data[];
};

static void check(const char *what, int rc) {
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(rc));
        exit(EXIT_FAILURE);
    }
}

static void closed(uv_handle_t *handle) {
    free(handle);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle, (void)suggested;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void written(uv_write_t *request, int status) {
    (void)status;
    free(request);
}

static void write_later(uv_stream_t *stream, const char *data, size_t size) {
    struct unsent *unsent = malloc(sizeof *unsent + size);
    if (unsent == NULL)
        bench_die("malloc", ENOMEM);
    memcpy(unsent->data, data, size);
    uv_buf_t rest = uv_buf_init(unsent->data, (unsigned)size);
    check("uv_write", uv_write(&unsent->request, stream, &rest, 1, written));
}

static void echo(uv_stream_t *stream, ssize_t size, const uv_buf_t *from) {
    if (size < 0) {
        uv_close((uv_handle_t *)stream, closed);
        return;
    }
    uv_buf_t answer = uv_buf_init(from->base, (unsigned)size);
    const int sent = uv_try_write(stream, &answer, 1);
    const size_t done = sent > 0 ? (size_t)sent : 0;
    if (done < (size_t)size)
        write_later(stream, from->base + done, (size_t)size - done);
}

static void greet(uv_stream_t *listener, int status) {
    check("listen", status);
    uv_tcp_t *connection = malloc(sizeof *connection);
    if (connection == NULL)
        bench_die("malloc", ENOMEM);
    uv_tcp_init(listener->loop, connection);
    check("uv_accept", uv_accept(listener, (uv_stream_t *)connection));
    uv_tcp_nodelay(connection, 1);
    uv_read_start((uv_stream_t *)connection, give_buffer, echo);
}

int main(void) {
    uv_tcp_t listener;
    struct sockaddr_in address;
    int size = sizeof address;
    uv_tcp_init(uv_default_loop(), &listener);
    check("uv_ip4_addr", uv_ip4_addr("127.0.0.1", 0, &address));
    check("uv_tcp_bind", uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0));
    check("uv_listen", uv_listen((uv_stream_t *)&listener, 4096, greet));
    check("getsockname", uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size));
    printf("%d 127.0.0.1:%d\n", (int)getpid(), ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
