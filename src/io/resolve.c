/* From text to addresses: numbers at once, names by getaddrinfo on the offload pool.
 *
 * getaddrinfo can block for many seconds and cannot be stopped, so a look-up that is cut is left to
 * its thread; everything it needs is on the heap for that reason. */
#include <netdb.h>
#include <string.h>

#include "io/address.h"
#include "io/fd.h"
#include "io/offload.h"

struct lookup {
    struct coir__job job;
    char host[COIR_HOST_SIZE];
    char port[8];
    struct addrinfo hints, *found;
    int error; /* errno, where getaddrinfo says EAI_SYSTEM */
};

static int run_lookup(void *arg) {
    struct lookup *const it = arg;
    const int rc = getaddrinfo(it->host, it->port, &it->hints, &it->found);
    it->error = errno;
    return rc;
}

static void destroy_lookup(struct coir__job *job) {
    struct lookup *const it = (struct lookup *)(void *)job;
    if (it->found != NULL)
        freeaddrinfo(it->found);
    sys_free(it);
}

static int meaning(int rc, int error) {
    switch (rc) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return -ENOENT;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return error == EMFILE || error == ENFILE || error == ENOMEM ? -error : -EHOSTUNREACH;
    default:
        return -EHOSTUNREACH;
    }
}

static int collect(const struct addrinfo *found, struct coir__address *out, size_t capacity) {
    size_t count = 0;
    for (; found != NULL && count < capacity; found = found->ai_next) {
        if (found->ai_addrlen > sizeof out->as)
            continue;
        memset(&out[count], 0, sizeof out[count]);
        memcpy(&out[count].as, found->ai_addr, found->ai_addrlen);
        out[count++].size = found->ai_addrlen;
    }
    return count > 0 ? (int)count : -ENOENT;
}

static int look_up(struct coir__runtime *rt, const struct coir__target *target, bool to_listen,
                   struct coir__address *out, size_t capacity) {
    struct lookup *const it = sys_allocate(sizeof *it);
    if (it == NULL)
        return -ENOMEM;
    memcpy(it->host, target->host, sizeof it->host);
    (void)snprintf(it->port, sizeof it->port, "%u", (unsigned)target->port);
    it->hints = (struct addrinfo){.ai_family = AF_UNSPEC,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0)};
    it->job = (struct coir__job){.wait = {.what = coir__what_lookup, .object = it->host},
                                 .fn = run_lookup,
                                 .arg = it,
                                 .destroy = destroy_lookup};
    COIR_TRY(coir__offload_run(rt, &it->job)); /* after an error `it` is no longer ours */
    const int rc =
        it->job.rc == 0 ? collect(it->found, out, capacity) : meaning(it->job.rc, it->error);
    destroy_lookup(&it->job);
    return rc;
}

int coir__resolve(struct coir__runtime *rt, const char *text, bool to_listen,
                  struct coir__address *out, size_t capacity) {
    struct coir__target target;
    COIR_TRY(coir__address_parse(text, &target));
    if (target.is_name)
        return look_up(rt, &target, to_listen, out, capacity);
    if (target.any) {
        /* listening: IPv6 first, which takes IPv4 too; connecting: the more common one first */
        coir__address_any(&out[0], to_listen, !to_listen, target.port);
        coir__address_any(&out[1], !to_listen, !to_listen, target.port);
        return 2;
    }
    out[0] = target.address;
    return 1;
}

int coir_resolve(const char *address, char (*out)[COIR_ADDRESS_SIZE], size_t capacity) {
    struct coir__runtime *const rt = coir__rt;
    struct coir__address all[COIR_ADDRESSES_MAX];
    if (rt == NULL)
        return coir__outside();
    if (out == NULL && capacity > 0)
        return -EINVAL;
    COIR_TRY(coir__check(rt, rt->current));
    coir__spend(rt, rt->current);
    const int count = coir__resolve(rt, address, false, all, COIR_ADDRESSES_MAX);
    for (int i = 0; i < count && (size_t)i < capacity; i++)
        COIR_TRY(coir__address_format(&all[i], out[i], COIR_ADDRESS_SIZE));
    return count;
}
