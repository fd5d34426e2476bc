/* See url.h. Decoding happens once, segment by segment, and the checks look at what was decoded:
 * "%2e%2e" is "..", "%2f" inside a segment is no separator but an error. */
#include "url.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c) != NULL;
}

static int hex_value(char c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- http://host:port/path ---- */

/* The length of "name", "1.2.3.4" or "[v6]" at the beginning of `text`; 0 if none is there. */
static size_t host_length(const char *text) {
    size_t n = 0;
    if (text[0] != '[') {
        while (is_alphanumeric(text[n]) || is_one_of(text[n], ".-_"))
            n++;
        return n;
    }
    do
        n++;
    while (is_alphanumeric(text[n]) || is_one_of(text[n], ":.%-_"));
    return n > 1 && text[n] == ']' ? n + 1 : 0;
}

/* ":8080" at the beginning of `text`, or nothing, or a colon alone. Returns its length, and the
 * port; -EINVAL if it is none. */
static int port_length(const char *text, int *port) {
    int n = 1;
    *port = 80;
    if (text[0] != ':')
        return 0;
    if (!is_digit(text[1]))
        return 1;
    for (*port = 0; is_digit(text[n]) && *port <= 65535; n++)
        *port = *port * 10 + (text[n] - '0');
    return *port >= 1 && *port <= 65535 ? n : -EINVAL;
}

static int parse_target(const char *text, struct url *out) {
    const size_t length = strcspn(text, "#");
    if (!is_one_of(text[0], "/?#") && text[0] != '\0')
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return -EINVAL;
    }
    const char *const slash = text[0] == '/' ? "" : "/";
    const int size = snprintf(out->target, sizeof(out->target), "%s%.*s", slash,
                              length < URL_TARGET_SIZE ? (int)length : URL_TARGET_SIZE, text);
    return size < URL_TARGET_SIZE ? 0 : -ENAMETOOLONG;
}

int url_parse(const char *text, struct url *out) {
    const size_t scheme = strcspn(text, ":/?#");
    if (strncmp(text + scheme, "://", 3) != 0 || scheme == 0)
        return -EINVAL;
    if (scheme != 4 || strncasecmp(text, "http", 4) != 0)
        return -EPROTONOSUPPORT;
    const char *const authority = text + scheme + 3;
    const size_t host = host_length(authority);
    int port;
    const int port_text = port_length(authority + host, &port);
    if (host == 0 || port_text < 0)
        return -EINVAL;
    if (host + (size_t)port_text + sizeof(":65535") > URL_HOST_SIZE)
        return -ENAMETOOLONG;
    const size_t shown = host + (port_text > 1 ? (size_t)port_text : 0);
    snprintf(out->host, sizeof(out->host), "%.*s", (int)shown, authority);
    snprintf(out->address, sizeof(out->address), "%.*s:%d", (int)host, authority, port);
    return parse_target(authority + host + port_text, out);
}

/* ---- The path of a request ---- */

/* Takes one character, which may be written as %20. Returns it, or -EINVAL. */
static int take_character(const char **at, const char *end) {
    const char c = *(*at)++;
    if (c != '%')
        return c > 0x20 && c < 0x7f && c != '#' ? c : -EINVAL;
    if (end - *at < 2)
        return -EINVAL;
    const int high = hex_value((*at)[0]), low = hex_value((*at)[1]);
    *at += 2;
    const int value = high * 16 + low;
    return high < 0 || low < 0 || value == '\0' || value == '/' ? -EINVAL : value;
}

/* Decodes up to the next slash. Returns the length of what was written. */
static int take_segment(const char **at, const char *end, char *out, size_t capacity) {
    size_t n = 0;
    while (*at < end && **at != '/') {
        const int c = take_character(at, end);
        if (c < 0)
            return c;
        if (n + 1 >= capacity)
            return -ENAMETOOLONG;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return (int)n;
}

/* The form with a scheme is for proxies, but servers must take it (RFC 9112, 3.2.2). */
static const char *skip_authority(const char *target, const char *end) {
    const size_t size = (size_t)(end - target);
    if (size < 7 || strncasecmp(target, "http://", 7) != 0)
        return target;
    const char *const slash = memchr(target + 7, '/', size - 7);
    return slash != NULL ? slash : end;
}

int url_to_path(const char *target, size_t size_bytes, char *out, size_t capacity, bool *folder) {
    const char *const query = memchr(target, '?', size_bytes);
    const char *const end = query != NULL ? query : target + size_bytes;
    const char *at = skip_authority(target, end);
    size_t used = 0;
    *folder = at == end;
    if (capacity < 2 || (at < end ? *at != '/' : at == target))
        return -EINVAL;
    while (at < end) {
        at++; /* the slash */
        const size_t begin = used > 0 ? used + 1 : 0;
        if (begin >= capacity)
            return -ENAMETOOLONG;
        const int length = take_segment(&at, end, out + begin, capacity - begin);
        if (length < 0)
            return length;
        if (strcmp(out + begin, "..") == 0)
            return -EACCES;
        *folder = length == 0 || strcmp(out + begin, ".") == 0;
        if (*folder)
            continue;
        if (begin > 0)
            out[used] = '/';
        used = begin + (size_t)length;
    }
    if (used == 0)
        out[used++] = '.';
    out[used] = '\0';
    return 0;
}

void url_write_segment(FILE *out, const char *segment) {
    for (; *segment != '\0'; segment++) {
        if (is_alphanumeric(*segment) || is_one_of(*segment, "-._~"))
            fputc(*segment, out);
        else
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*segment);
    }
}
