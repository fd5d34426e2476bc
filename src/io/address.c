/* Parsing and printing addresses. */
#include "io/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static const char unix_prefix[] = "unix:";

/* A decimal number from 0 to 65535 and nothing else. */
static int parse_port(const char *text, uint16_t *out) {
    unsigned value = 0;
    if (*text == '\0' || strlen(text) > 5)
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (value > UINT16_MAX)
        return -EINVAL;
    *out = (uint16_t)value;
    return 0;
}

static int parse_unix(const char *path, struct coir__address *out) {
    const size_t length = strlen(path);
    struct sockaddr_un *const local = &out->as.local;
    const bool abstract = *path == '@';
    if (length == 0 || (abstract && (length == 1 || !SYS_ABSTRACT_NAMES)))
        return -EINVAL;
    if (length + !abstract > sizeof local->sun_path)
        return -ENAMETOOLONG;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, length);
    if (abstract)
        local->sun_path[0] = '\0';
    out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
    return 0;
}

static int parse_v4(const char *host, uint16_t port, struct coir__address *out) {
    struct sockaddr_in *const v4 = (struct sockaddr_in *)&out->as.storage;
    if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
        return -EINVAL;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out->size = sizeof *v4;
    return 0;
}

/* "::1", or "fe80::1%eth0" with the interface by name or number. */
static int parse_v6(const char *host, uint16_t port, struct coir__address *out) {
    struct sockaddr_in6 *const v6 = (struct sockaddr_in6 *)&out->as.storage;
    char number[INET6_ADDRSTRLEN];
    const char *const zone = strchr(host, '%');
    const size_t length = zone != NULL ? (size_t)(zone - host) : strlen(host);
    if (length >= sizeof number)
        return -EINVAL;
    memcpy(number, host, length);
    number[length] = '\0';
    if (inet_pton(AF_INET6, number, &v6->sin6_addr) != 1)
        return -EINVAL;
    if (zone != NULL) {
        v6->sin6_scope_id = if_nametoindex(zone + 1);
        if (v6->sin6_scope_id == 0) {
            char *end;
            const unsigned long index = strtoul(zone + 1, &end, 10);
            if (zone[1] < '0' || zone[1] > '9' || *end != '\0' || index == 0 || index > UINT32_MAX)
                return -EINVAL;
            v6->sin6_scope_id = (uint32_t)index;
        }
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out->size = sizeof *v6;
    return 0;
}

/* Whether the C library would take a host for an address written in one of the old ways, such as
 * "0x7f.1": if its last part is a number. */
static bool looks_like_number(const char *host) {
    const char *const dot = strrchr(host, '.');
    const char *const last = dot != NULL ? dot + 1 : host;
    char *end;
    (void)strtoull(last, &end, 0);
    return *last >= '0' && *last <= '9' && *end == '\0';
}

/* Letters, digits, '-', '.' and '_': what a name server can be asked. */
static bool is_host_name(const char *host) {
    for (const char *c = host; *c != '\0'; c++) {
        const bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!letter && !(*c >= '0' && *c <= '9') && *c != '-' && *c != '.' && *c != '_')
            return false;
    }
    return !looks_like_number(host) && host[0] != '.' && host[0] != '-';
}

int coir__address_parse(const char *text, struct coir__target *out) {
    memset(out, 0, sizeof *out);
    if (text == NULL)
        return -EINVAL;
    if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0)
        return parse_unix(text + sizeof unix_prefix - 1, &out->address);
    const bool brackets = *text == '[';
    const char *const colon = strrchr(text, ':');
    if (colon == NULL || parse_port(colon + 1, &out->port) < 0)
        return -EINVAL;
    const char *const start = text + brackets;
    const char *const end = colon - brackets;
    if (end < start || (brackets && *end != ']'))
        return -EINVAL;
    const size_t length = (size_t)(end - start);
    if (length >= sizeof out->host)
        return -ENAMETOOLONG;
    memcpy(out->host, start, length);
    if (brackets)
        return parse_v6(out->host, out->port, &out->address);
    out->any = length == 0;
    if (out->any || parse_v4(out->host, out->port, &out->address) == 0)
        return 0;
    out->is_name = is_host_name(out->host);
    return out->is_name ? 0 : -EINVAL;
}

void coir__address_any(struct coir__address *out, bool v6, bool loopback, uint16_t port) {
    memset(out, 0, sizeof *out);
    if (v6)
        (void)parse_v6(loopback ? "::1" : "::", port, out);
    else
        (void)parse_v4(loopback ? "127.0.0.1" : "0.0.0.0", port, out);
}

static int format_unix(const struct coir__address *address, char *out, size_t size_bytes) {
    const struct sockaddr_un *const local = &address->as.local;
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->size > head ? address->size - head : 0;
    const bool abstract = SYS_ABSTRACT_NAMES && length > 0 && local->sun_path[0] == '\0';
    if (!abstract)
        length = strnlen(local->sun_path, length);
    const int count = snprintf(out, size_bytes, "unix:%s%.*s", abstract ? "@" : "",
                               (int)(length - abstract), local->sun_path + abstract);
    return count < 0 || (size_t)count >= size_bytes ? -ENOSPC : 0;
}

int coir__address_format(const struct coir__address *address, char *out, size_t size_bytes) {
    char host[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";
    int count;
    if (address->as.any.sa_family == AF_UNIX)
        return format_unix(address, out, size_bytes);
    if (address->as.any.sa_family == AF_INET) {
        const struct sockaddr_in *const v4 = (const struct sockaddr_in *)&address->as.storage;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        count = snprintf(out, size_bytes, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
    } else if (address->as.any.sa_family != AF_INET6) {
        return -EAFNOSUPPORT;
    } else {
        const struct sockaddr_in6 *const v6 = (const struct sockaddr_in6 *)&address->as.storage;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        if (v6->sin6_scope_id != 0) {
            zone[0] = '%';
            if (if_indextoname(v6->sin6_scope_id, zone + 1) == NULL)
                (void)snprintf(zone + 1, sizeof zone - 1, "%u", (unsigned)v6->sin6_scope_id);
        }
        count = snprintf(out, size_bytes, "[%s%s]:%u", host, zone, (unsigned)ntohs(v6->sin6_port));
    }
    return count < 0 || (size_t)count >= size_bytes ? -ENOSPC : 0;
}
