/* See kv.h. One connection a request. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kv.h"

int kv_read_line(struct kv_lines *lines, char line[KV_LINE]) {
    char *end;
    while ((end = memchr(lines->bytes, '\n', lines->size)) == NULL) {
        if (lines->size == sizeof lines->bytes)
            return -EMSGSIZE;
        const ssize_t size =
            coir_read(lines->fd, lines->bytes + lines->size, sizeof lines->bytes - lines->size);
        if (size <= 0)
            return (int)size;
        lines->size += (size_t)size;
    }
    const size_t length = (size_t)(end - lines->bytes);
    memcpy(line, lines->bytes, length);
    line[length] = '\0';
    lines->size -= length + 1;
    memmove(lines->bytes, end + 1, lines->size);
    return 1;
}

static int ask_on(int fd, const char *request, char answer[KV_LINE]) {
    struct kv_lines lines = {.fd = fd};
    char line[KV_LINE];
    const int size = snprintf(line, sizeof line, "%s\n", request);
    if (size >= (int)sizeof line)
        return -EMSGSIZE;
    COIR_TRY(coir_write_all(fd, line, (size_t)size, NULL));
    const int rc = kv_read_line(&lines, answer);
    return rc == 0 ? -EPIPE : rc;
}

int kv_ask(const char *address, const char *request, char answer[KV_LINE]) {
    const int fd = coir_connect(address);
    COIR_TRY(fd);
    const int rc = ask_on(fd, request, answer);
    coir_close(fd);
    return rc < 0 ? rc : 0;
}

static bool is_text(const char *text) {
    return text[0] != '\0' && strlen(text) < KV_TEXT && strpbrk(text, " \t\r\n") == NULL;
}

int kv_get(const char *address, const char *key, char value[KV_TEXT]) {
    char line[KV_LINE];
    if (!is_text(key))
        return -EINVAL;
    (void)snprintf(line, sizeof line, "GET %s", key);
    COIR_TRY(kv_ask(address, line, line));
    if (sscanf(line, "VALUE %23s", value) == 1)
        return 0;
    return strncmp(line, "FAILED", 6) == 0 ? -EAGAIN : -EPROTO;
}

int kv_set(const char *address, const char *key, const char *value) {
    char line[KV_LINE];
    if (!is_text(key) || !is_text(value))
        return -EINVAL;
    (void)snprintf(line, sizeof line, "SET %s %s", key, value);
    COIR_TRY(kv_ask(address, line, line));
    if (strcmp(line, "DONE") == 0)
        return 0;
    return strncmp(line, "FAILED", 6) == 0 ? -EAGAIN : -EPROTO;
}
