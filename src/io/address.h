/* Addresses as text and as the system has them. No I/O here: names are resolve.c's. */
#ifndef COIR_IO_ADDRESS_H
#define COIR_IO_ADDRESS_H

#include "coir/net.h"
#include "core/runtime.h"

struct coir__address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    } as;
};

#define COIR_HOST_SIZE 256 /* longest host name, with its final zero */

/* A parsed address: complete, or a name that has to be looked up. */
struct coir__target {
    bool is_name; /* host and port below; otherwise address */
    bool any;     /* the host was empty */
    uint16_t port;
    char host[COIR_HOST_SIZE];
    struct coir__address address;
};

/* 0, -EINVAL or -ENAMETOOLONG. */
int coir__address_parse(const char *text, struct coir__target *out);
/* Writes an address as text that coir__address_parse understands. 0 or -ENOSPC. */
int coir__address_format(const struct coir__address *address, char *out, size_t size_bytes);
/* The wildcard address or the loopback one, IPv6 or IPv4. */
void coir__address_any(struct coir__address *out, bool v6, bool loopback, uint16_t port);

/* All addresses a text stands for (resolve.c): how many, or an error. Parks for names. */
#define COIR_ADDRESSES_MAX 16
int coir__resolve(struct coir__runtime *rt, const char *text, bool to_listen,
                  struct coir__address *out, size_t capacity);

#endif
