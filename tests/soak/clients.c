/* Clients on the real kernel: those that want something, and get it or are counted as lost; and
 * those that make trouble, of which nothing is expected but that the others do not notice.
 *
 * More connect than the server has descriptors for. So one waits long before it calls itself lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "soak/soak.h"

#define WORKERS 48
#define HOARDERS 2 /* of them, who hold as many connections as they get */
#define HOARD 40   /* connections */
#define PATIENCE COIR_SEC(120)

struct counts {
    uint64_t answered, turned_away, lost, troubled;
};

struct world {
    const char *address;
    bool http;
    coir_time end;
    struct counts counts;
};

unsigned char soak_content(size_t i) {
    return (unsigned char)(i * 31 + (i >> 8) * 7);
}

/* Closes a connection: in order, or with a reset. */
static void leave(int fd) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (pick(2) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    coir_close(fd);
}

/* ---- Requests that are to be answered ---- */

static int write_slowly(int fd, const char *bytes, size_t size, bool slowly) {
    if (!slowly)
        return coir_write_all(fd, bytes, size, NULL);
    for (size_t i = 0; i < size; i++) {
        COIR_TRY(coir_write_all(fd, bytes + i, 1, NULL));
        COIR_TRY(coir_sleep(COIR_MS(1) * pick(20)));
    }
    return 0;
}

/* What is sent comes back; with `ends`, and then the end. */
static int check_echo(int fd, bool slowly, bool ends) {
    char sent[20000], back[sizeof sent];
    const size_t size = 1 + pick(slowly ? 40 : sizeof sent);
    for (size_t i = 0; i < size; i++)
        sent[i] = (char)pick(256);
    COIR_TRY(write_slowly(fd, sent, size, slowly));
    if (ends)
        COIR_TRY(coir_shutdown_write(fd));
    COIR_TRY(coir_read_exact(fd, back, size, NULL));
    if (memcmp(sent, back, size) != 0)
        return -EBADMSG;
    const ssize_t more = ends ? coir_read(fd, back, 1) : 0;
    return more > 0 ? -EBADMSG : (int)more;
}

/* Reads the head of an answer; returns its status. */
static int read_head(int fd, char *head, size_t room) {
    size_t size = 0;
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        if (size + 1 == room)
            return -EMSGSIZE;
        COIR_TRY(coir_read_exact(fd, head + size, 1, NULL));
        size++;
    }
    head[size] = '\0';
    int status;
    return sscanf(head, "HTTP/1.1 %d ", &status) == 1 ? status : -EPROTO;
}

static int check_file(int fd, size_t first, size_t last) {
    unsigned char body[8192];
    for (size_t at = first; at <= last;) {
        const size_t left = last + 1 - at;
        const ssize_t size = coir_read(fd, body, left < sizeof body ? left : sizeof body);
        if (size <= 0)
            return size < 0 ? (int)size : -EPIPE;
        for (ssize_t i = 0; i < size; i++)
            if (body[i] != soak_content(at + (size_t)i))
                return -EBADMSG;
        at += (size_t)size;
    }
    return 0;
}

/* Returns 1 if the server said that it can not. */
static int check_http(int fd, bool slowly, bool ends) {
    char text[512];
    const size_t first = pick(SOAK_FILE_SIZE),
                 last = first + pick((uint32_t)(SOAK_FILE_SIZE - first));
    const int size = snprintf(text, sizeof text,
                              "GET /big.bin HTTP/1.1\r\nHost: soak\r\nRange: bytes=%zu-%zu\r\n"
                              "%s\r\n",
                              first, last, ends ? "Connection: close\r\n" : "");
    COIR_TRY(write_slowly(fd, text, (size_t)size, slowly));
    if (ends)
        COIR_TRY(coir_shutdown_write(fd));
    const int status = read_head(fd, text, sizeof text);
    if (status < 0 || status >= 500 || status == 408)
        return status < 0 ? status : 1;
    if (status != 206)
        return -EBADMSG;
    COIR_TRY(check_file(fd, first, last));
    const ssize_t more = ends ? coir_read(fd, text, 1) : 0;
    return more > 0 ? -EBADMSG : (int)more;
}

static int ask_on(const struct world *world, int fd) {
    const bool slowly = pick(8) == 0;
    for (unsigned count = 1 + pick(6); count > 0; count--) {
        const bool ends = count == 1 && pick(2) == 0;
        const int rc = world->http ? check_http(fd, slowly, ends) : check_echo(fd, slowly, ends);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int ask(const struct world *world) {
    COIR_SCOPE(patience, .deadline = coir_after(PATIENCE));
    const int fd = coir_connect(world->address);
    COIR_TRY(coir_scope_close(&patience, fd));
    COIR_SCOPE(more, .deadline = coir_after(PATIENCE));
    const int rc = ask_on(world, fd);
    leave(fd);
    return coir_scope_close(&more, rc);
}

static void count_ask(struct world *world) {
    const int rc = ask(world);
    world->counts.answered += rc == 0;
    world->counts.turned_away += rc > 0;
    if (rc >= 0)
        return;
    world->counts.lost++;
    (void)fprintf(stderr, "soak: lost a request: %s\n", coir_strerror(rc));
}

/* ---- Trouble ---- */

static const char *request(const struct world *world) {
    return world->http ? "GET /big.bin HTTP/1.1\r\nHost: soak\r\n\r\n" : "a line to echo\n";
}

/* Sends and never reads, until nothing more is taken. */
static int flood(const struct world *world, int fd) {
    const char *const text = request(world);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(300)), .move_on = true);
    int rc = 0;
    for (int i = 0; i < 20000 && rc == 0; i++)
        rc = coir_write_all(fd, text, strlen(text), NULL);
    return coir_scope_close(&s, rc);
}

/* Half a request, or half of the answer, and then nothing for a while, or for good. */
static int break_off(const struct world *world, int fd) {
    const char *const text = request(world);
    char some[1000];
    const size_t size = 1 + pick((uint32_t)strlen(text));
    COIR_TRY(write_slowly(fd, text, size, pick(3) == 0));
    if (pick(2) == 0)
        COIR_TRY(coir_sleep(COIR_MS(1) * pick(500)));
    if (size == strlen(text) && pick(2) == 0)
        COIR_TRY((int)coir_read(fd, some, sizeof some));
    return pick(4) == 0 ? coir_shutdown_write(fd) : 0;
}

static int make_trouble(const struct world *world) {
    COIR_SCOPE(patience, .deadline = coir_after(COIR_SEC(10)), .move_on = true);
    const int fd = coir_connect(world->address);
    int rc = fd;
    if (fd >= 0) {
        rc = pick(3) == 0 ? flood(world, fd) : break_off(world, fd);
        leave(fd);
    }
    return coir_scope_close(&patience, rc);
}

static int hoard(const struct world *world) {
    int fds[HOARD];
    unsigned count = 0;
    COIR_SCOPE(patience, .deadline = coir_after(COIR_SEC(2)), .move_on = true);
    while (count < HOARD && (fds[count] = coir_connect(world->address)) >= 0)
        count++;
    const int rc = coir_sleep(COIR_MS(500));
    while (count-- > 0)
        leave(fds[count]);
    return coir_scope_close(&patience, rc);
}

/* ---- All of them ---- */

static int work(size_t i, void *arg) {
    struct world *const world = arg;
    while (coir_now() < world->end) {
        if (i >= HOARDERS && i % 2 == 0) {
            count_ask(world);
            continue;
        }
        (void)(i < HOARDERS ? hoard(world) : make_trouble(world));
        world->counts.troubled++;
        COIR_TRY(coir_sleep(COIR_MS(1) * pick(i < HOARDERS ? 3000 : 50)));
    }
    return 0;
}

/* When all are gone the server is as it was. */
static int run_all(void *arg) {
    struct world *const world = arg;
    world->end += coir_now();
    COIR_TRY(coir_map(WORKERS, WORKERS, work, world));
    count_ask(world);
    coir_stats stats;
    COIR_TRY(coir_stats_get(&stats));
    world->counts.lost += stats.descriptors + stats.io_waiting + stats.tasks_alive - 1;
    return 0;
}

uint64_t run_clients(const char *address, bool http, coir_time duration) {
    struct world world = {.address = address, .http = http, .end = duration};
    const int rc = coir_run(run_all, &world);
    if (rc < 0) {
        (void)fprintf(stderr, "soak: the clients failed: %s\n", coir_strerror(rc));
        world.counts.lost++;
    }
    (void)printf("%s: %llu conversations, %llu times trouble made, %llu turned away, %llu lost\n",
                 http ? "httpd" : "echo", (unsigned long long)world.counts.answered,
                 (unsigned long long)world.counts.troubled,
                 (unsigned long long)world.counts.turned_away,
                 (unsigned long long)world.counts.lost);
    return world.counts.lost + (world.counts.answered == 0);
}
