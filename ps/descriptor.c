/* What is behind a descriptor of another process, from /proc: the addresses of a socket, in the
 * process's own network, or a path. The kernel's tables of sockets are read once. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/address.h"
#include "listing.h"

struct socket_entry {
    uint64_t inode;
    struct coir__address own, peer; /* size 0: it has none */
};

static struct socket_entry *sockets;
static size_t count;
static bool loaded;

static struct socket_entry *add_socket(uint64_t inode) {
    if ((count & (count - 1)) == 0)
        sockets = enlarge(sockets, (count > 0 ? 2 * count : 1) * sizeof *sockets);
    sockets[count] = (struct socket_entry){.inode = inode};
    return &sockets[count++];
}

/* "0100007F": words of 32 bits in hexadecimal digits, as they lie in memory. */
static void read_ip(const char *digits, unsigned port, struct coir__address *out) {
    uint32_t words[4] = {0};
    const size_t length = strlen(digits);
    for (size_t i = 0; i < 4 && (i + 1) * 8 <= length; i++) {
        char one[9] = "";
        memcpy(one, digits + i * 8, 8);
        words[i] = (uint32_t)strtoul(one, NULL, 16);
    }
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    memcpy(&in4.sin_addr, words, sizeof in4.sin_addr);
    memcpy(&in6.sin6_addr, words, sizeof in6.sin6_addr);
    out->size = port == 0 ? 0 : length == 8 ? sizeof in4 : sizeof in6;
    memcpy(&out->as, length == 8 ? (void *)&in4 : (void *)&in6, out->size);
}

static FILE *open_net(pid_t pid, const char *name) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/net/%s", (int)pid, name);
    return fopen(path, "re");
}

static void load_ip(pid_t pid, const char *name) {
    char line[512], own[33], peer[33];
    unsigned own_port, peer_port;
    uint64_t inode;
    FILE *const file = open_net(pid, name);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, " %*[0-9]: %32[0-9A-F]:%x %32[0-9A-F]:%x %*x %*s %*s %*s %*s %*s %" SCNu64,
                   own, &own_port, peer, &peer_port, &inode) != 5 ||
            inode == 0)
            continue;
        struct socket_entry *const entry = add_socket(inode);
        read_ip(own, own_port, &entry->own);
        read_ip(peer, peer_port, &entry->peer);
    }
    if (file != NULL)
        (void)fclose(file);
}

static void load_unix(pid_t pid) {
    char line[512], path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    uint64_t inode;
    FILE *const file = open_net(pid, "unix");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        path[0] = '\0';
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %" SCNu64 " %108s", &inode, path) < 1)
            continue;
        struct socket_entry *const entry = add_socket(inode);
        const size_t length = strlen(path);
        entry->own.as.local.sun_family = AF_UNIX;
        memcpy(entry->own.as.local.sun_path, path, length);
        if (path[0] == '@')
            entry->own.as.local.sun_path[0] = '\0';
        if (length > 0)
            entry->own.size =
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '@'));
    }
    if (file != NULL)
        (void)fclose(file);
}

static int by_inode(const void *left, const void *right) {
    const struct socket_entry *const a = left, *const b = right;
    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static void load(pid_t pid) {
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        load_ip(pid, tables[i]);
    load_unix(pid);
    if (count > 0)
        qsort(sockets, count, sizeof *sockets, by_inode);
    loaded = true;
}

static bool say_address(struct coir__words *text, const char *before,
                        const struct coir__address *address) {
    char words[COIR_ADDRESS_SIZE] = "";
    if (address->size == 0 || coir__address_format(address, words, sizeof words) < 0 ||
        words[0] == '\0')
        return false;
    coir__say(text, "%s%s", before, words);
    return true;
}

bool say_descriptor(struct coir__words *text, const struct target *target, int64_t fd) {
    char path[64], found[4096];
    if (target->pid == 0)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%" PRId64, (int)target->pid, fd);
    const ssize_t length = readlink(path, found, sizeof found - 1);
    if (length <= 0)
        return false;
    found[length] = '\0';
    struct socket_entry key = {.inode = 0};
    if (sscanf(found, "socket:[%" SCNu64 "]", &key.inode) != 1) {
        coir__say(text, ", %s", found);
        return true;
    }
    if (!loaded)
        load(target->pid);
    const struct socket_entry *const entry =
        count > 0 ? bsearch(&key, sockets, count, sizeof *sockets, by_inode) : NULL;
    const bool own = entry != NULL && say_address(text, ", ", &entry->own);
    const bool peer = entry != NULL && say_address(text, " → ", &entry->peer);
    return own || peer;
}
