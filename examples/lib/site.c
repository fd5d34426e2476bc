/* See site.h. Every answer is begun by begin_head, gets its fields by add, and leaves together with
 * the beginning of its body in one system call. */
#include "site.h"

#include <coir.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "url.h"

#define CHUNK_SIZE ((size_t)64 * 1024) /* of an answer at a time */
#define INDEX_NAME "index.html"
#define PATH_SIZE (HTTP_LINE_MAX + sizeof("/" INDEX_NAME))

/* The head of an answer while it is put together. */
struct answer {
    size_t size;
    char text[HTTP_LINE_MAX + 1024]; /* a Location is as long as the target was, at most */
};

static bool is_method(const struct http_head *head, const char *name) {
    return head->method.size == strlen(name) &&
           memcmp(head->method.at, name, head->method.size) == 0;
}

/* ---- Answers ---- */

__attribute__((format(printf, 2, 3))) static void add(struct answer *a, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const int size = vsnprintf(a->text + a->size, sizeof(a->text) - a->size, format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= sizeof(a->text) - a->size)
        abort(); /* the sizes above are wrong */
    a->size += (size_t)size;
}

static const char *date_now(struct site *site) {
    const time_t now = time(NULL);
    if (now != site->date_of)
        http_format_date(now, site->date);
    site->date_of = now;
    return site->date;
}

/* Begins an answer. Fields are added behind it; finish_head ends it. */
static void begin_head(struct exchange *x, struct answer *a, int status) {
    x->status = status;
    a->size = 0;
    add(a, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status), date_now(x->site));
    if (!x->keep)
        add(a, "Connection: close\r\n");
    else if (x->head->minor == 0)
        add(a, "Connection: keep-alive\r\n");
}

static void finish_head(struct answer *a, const char *type, int64_t size_bytes) {
    add(a, "Content-Type: %s\r\nContent-Length: %lld\r\n", type, (long long)size_bytes);
    add(a, "X-Content-Type-Options: nosniff\r\n\r\n");
}

/* Writes a head and what there is of the body by then with, as a rule, a single system call. */
static int write_both(int fd, const struct answer *a, const void *body, size_t size_bytes) {
    const struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)a->text, .iov_len = a->size},
        {.iov_base = (void *)(uintptr_t)body, .iov_len = size_bytes},
    };
    const ssize_t n = coir_writev(fd, parts, size_bytes > 0 ? 2 : 1);
    COIR_TRY(n);
    const size_t done = (size_t)n;
    if (done < a->size)
        COIR_TRY(coir_write_all(fd, a->text + done, a->size - done, NULL));
    const size_t of_body = done > a->size ? done - a->size : 0;
    if (of_body == size_bytes)
        return 0;
    return coir_write_all(fd, (const char *)body + of_body, size_bytes - of_body, NULL);
}

/* The client has taken a piece of the answer, and gets time for the next. */
static void move_deadline(const struct exchange *x) {
    coir_scope_set_deadline(x->limit, coir_after(x->patience));
}

/* Sends a body that lies in memory. */
static int send_page(struct exchange *x, struct answer *a, const char *type, const char *body,
                     size_t size_bytes) {
    finish_head(a, type, (int64_t)size_bytes);
    if (is_method(x->head, "HEAD"))
        return write_both(x->fd, a, NULL, 0);
    size_t sent = size_bytes < CHUNK_SIZE ? size_bytes : CHUNK_SIZE;
    COIR_TRY(write_both(x->fd, a, body, sent));
    while (sent < size_bytes) {
        const size_t left = size_bytes - sent;
        const size_t piece = left < CHUNK_SIZE ? left : CHUNK_SIZE;
        move_deadline(x);
        COIR_TRY(coir_write_all(x->fd, body + sent, piece, NULL));
        sent += piece;
    }
    return 0;
}

/* An answer that only says its status. `fields` are further lines of its head. */
static int send_status(struct exchange *x, int status, const char *fields) {
    struct answer a;
    char body[64];
    const int size = snprintf(body, sizeof(body), "%d %s\n", status, http_reason(status));
    begin_head(x, &a, status);
    add(&a, "%s", fields);
    return send_page(x, &a, "text/plain; charset=utf-8", body, (size_t)size);
}

/* What a client is told when a file can not be had. */
static int status_of(int error) {
    switch (-error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ENXIO: /* a socket, or a device that is not there */
        return 404;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EXDEV: /* it leads out of the folder */
        return 403;
    case EINVAL:
        return 400;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    default:
        return 500;
    }
}

static int send_error(struct exchange *x, int error) {
    if (error == -ECANCELED)
        return error; /* the connection is over: nothing can be sent */
    const int status = status_of(error);
    return send_status(x, status, status == 503 ? "Retry-After: 1\r\n" : "");
}

/* ---- Files ---- */

static const char *type_of(const char *path) {
    static const struct {
        const char *extension, *type;
    } types[] = {
        {"css", "text/css; charset=utf-8"},
        {"csv", "text/csv; charset=utf-8"},
        {"gif", "image/gif"},
        {"gz", "application/gzip"},
        {"htm", "text/html; charset=utf-8"},
        {"html", "text/html; charset=utf-8"},
        {"ico", "image/vnd.microsoft.icon"},
        {"jpeg", "image/jpeg"},
        {"jpg", "image/jpeg"},
        {"js", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"md", "text/markdown; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"mp3", "audio/mpeg"},
        {"mp4", "video/mp4"},
        {"pdf", "application/pdf"},
        {"png", "image/png"},
        {"svg", "image/svg+xml"},
        {"tar", "application/x-tar"},
        {"txt", "text/plain; charset=utf-8"},
        {"wasm", "application/wasm"},
        {"webp", "image/webp"},
        {"woff2", "font/woff2"},
        {"xml", "application/xml"},
        {"zip", "application/zip"},
    };
    const char *const dot = strrchr(path, '.');
    if (dot == NULL || strchr(dot, '/') != NULL)
        return "application/octet-stream";
    const struct http_text extension = {dot + 1, strlen(dot + 1)};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (http_is(extension, types[i].extension))
            return types[i].type;
    }
    return "application/octet-stream";
}

/* Whether the client has the file already. Dates have no fractions: hence no fraction here. */
static bool is_known(const struct http_head *head, const struct stat *st) {
    const struct http_text *const since = http_field(head, "if-modified-since");
    time_t date;
    return since != NULL && http_field(head, "if-none-match") == NULL &&
           http_parse_date(*since, &date) && st->st_mtime <= date;
}

/* Which part is wanted: 200 all of it, 206 from *first to *last, 416 one that does not exist. With
 * If-Range a part counts only if the file has not changed since. */
static int part_of(const struct http_head *head, const struct stat *st, int64_t *first,
                   int64_t *last) {
    const struct http_text *const range = http_field(head, "range");
    const struct http_text *const unchanged = http_field(head, "if-range");
    time_t date;
    *first = 0;
    *last = st->st_size - 1;
    if (range == NULL || !is_method(head, "GET"))
        return 200;
    if (unchanged != NULL && !(http_parse_date(*unchanged, &date) && date == st->st_mtime))
        return 200;
    return http_parse_range(*range, st->st_size, first, last);
}

/* Sends a part of a file behind its head, a buffer full at a time. As the deadline moves with each,
 * a slow client may take hours, but one that has gone away may not. A file that shrank meanwhile
 * breaks the promise of its Content-Length; all that is left is to end there. */
static int stream(struct exchange *x, const struct answer *a, int file, int64_t first,
                  int64_t size_bytes, char *buffer) {
    int64_t sent = 0;
    do {
        const int64_t left = size_bytes - sent;
        const size_t want = left < (int64_t)CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;
        const ssize_t got = coir_pread(file, buffer, want, (off_t)(first + sent));
        if (got <= 0)
            return got < 0 ? (int)got : -EIO;
        if (sent == 0)
            COIR_TRY(write_both(x->fd, a, buffer, (size_t)got));
        else
            COIR_TRY(coir_write_all(x->fd, buffer, (size_t)got, NULL));
        sent += got;
        move_deadline(x);
    } while (sent < size_bytes);
    return 0;
}

/* The buffer is held only while an answer is under way, and is no larger than it: thousands of idle
 * connections hold none. */
static int send_part(struct exchange *x, const struct answer *a, int file, int64_t first,
                     int64_t size_bytes) {
    if (size_bytes == 0 || is_method(x->head, "HEAD"))
        return write_both(x->fd, a, NULL, 0);
    const int adopted = coir_adopt(file);
    if (adopted < 0)
        return send_error(x, adopted);
    char *const buffer = malloc(size_bytes < (int64_t)CHUNK_SIZE ? (size_t)size_bytes : CHUNK_SIZE);
    const int rc =
        buffer != NULL ? stream(x, a, file, first, size_bytes, buffer) : send_error(x, -ENOMEM);
    free(buffer);
    coir_release(file);
    return rc;
}

static int send_file(struct exchange *x, const char *path, int file, const struct stat *st) {
    struct answer a;
    char text[64];
    int64_t first, last;
    const int part = part_of(x->head, st, &first, &last);
    const int status = is_known(x->head, st) ? 304 : part;
    if (status == 416) {
        snprintf(text, sizeof(text), "Content-Range: bytes */%lld\r\n", (long long)st->st_size);
        return send_status(x, 416, text);
    }
    begin_head(x, &a, status);
    http_format_date(st->st_mtime, text);
    add(&a, "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n", text);
    if (status == 304) {
        add(&a, "\r\n");
        return write_both(x->fd, &a, NULL, 0);
    }
    if (status == 206)
        add(&a, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)first, (long long)last,
            (long long)st->st_size);
    finish_head(&a, type_of(path), last - first + 1);
    return send_part(x, &a, file, first, last - first + 1);
}

/* ---- Folders ---- */

/* Relative links on a page work only if the folder it is for ends in a slash. */
static int send_redirect(struct exchange *x) {
    struct answer a;
    const struct http_text target = x->head->target;
    const char *const query = memchr(target.at, '?', target.size);
    size_t size = query != NULL ? (size_t)(query - target.at) : target.size;
    const char *path = target.at;
    for (; size > 1 && path[0] == '/' && path[1] == '/'; size--)
        path++; /* "//host" would lead elsewhere */
    begin_head(x, &a, 301);
    add(&a, "Location: %.*s/\r\n", (int)size, path);
    return send_page(x, &a, "text/plain; charset=utf-8", "", 0);
}

static int send_listing(struct exchange *x, const char *path, int folder) {
    struct answer a;
    char *page;
    size_t size;
    const int listed = folder_list(folder, path, &page, &size);
    if (listed < 0)
        return send_error(x, listed);
    begin_head(x, &a, 200);
    const int rc = send_page(x, &a, "text/html; charset=utf-8", page, size);
    free(page);
    return rc;
}

/* ---- A request ---- */

/* The index of a folder if that is what was asked for and there is one; else what was. */
static int open_path(struct exchange *x, char *path, bool slash) {
    const size_t length = strlen(path);
    if (slash) {
        memcpy(path + length, "/" INDEX_NAME, sizeof("/" INDEX_NAME));
        const int index = folder_open_below(x->site->folder, path, false);
        if (index != -ENOENT)
            return index;
        path[length] = '\0';
    }
    return folder_open_below(x->site->folder, path, slash);
}

/* Sends whatever has been opened. */
static int send_opened(struct exchange *x, const char *path, int fd, bool slash) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return send_error(x, -errno);
    if (S_ISDIR(st.st_mode))
        return slash ? send_listing(x, path, fd) : send_redirect(x);
    if (!S_ISREG(st.st_mode))
        return send_status(x, 403, "");
    return send_file(x, path, fd, &st);
}

static int send_target(struct exchange *x) {
    const struct http_text target = x->head->target;
    char path[PATH_SIZE];
    bool slash;
    const int rc = url_to_path(target.at, target.size, path, HTTP_LINE_MAX, &slash);
    const int fd = rc < 0 ? rc : open_path(x, path, slash);
    if (fd < 0)
        return send_error(x, fd);
    const int sent = send_opened(x, path, fd, slash);
    close(fd);
    return sent;
}

int site_answer(struct exchange *x) {
    x->status = 0;
    if (x->head->refused != 0)
        return send_status(x, x->head->refused, "");
    if (!is_method(x->head, "GET") && !is_method(x->head, "HEAD"))
        return send_status(x, 405, "Allow: GET, HEAD\r\n");
    return send_target(x);
}
