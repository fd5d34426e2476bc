/* Names of machines: what getaddrinfo knows, after the time that a name server takes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "sim/calls.h"
#include "sim/sim.h"

#define ANSWER_TIME COIR_MS(50)
#define NAMES_MAX 256

struct name {
    struct coir__link link;
    char name[64];
    struct coir__address address;
};

/* One answer, in one block. */
struct answer {
    struct addrinfo info;
    struct sockaddr_storage address;
};

static struct name *keep(const char *text, const struct coir__address *address) {
    struct name *const name = coir__sim_allocate(sizeof *name);
    (void)snprintf(name->name, sizeof name->name, "%s", text);
    name->address = *address;
    list_append(&coir__sim->names, &name->link);
    return name;
}

void coir__sim_names_fini(void) {
    struct coir__link *const all = &coir__sim->names;
    for (struct coir__link *next, *link = all->next; link != all; link = next) {
        next = link->next;
        free(list_entry(link, struct name, link));
    }
    list_init(all);
}

int coir_sim_name(const char *text, const char *address) {
    struct coir__address parsed;
    if (coir__sim == NULL)
        return -EPERM;
    if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof((struct name *)0)->name ||
        coir__sim_parse_number(address, &parsed) < 0)
        return -EINVAL;
    unsigned count = 0;
    for (struct coir__link *link = coir__sim->names.next; link != &coir__sim->names;
         link = link->next)
        count++;
    if (count >= NAMES_MAX)
        return -ENOSPC;
    (void)keep(text, &parsed);
    return 0;
}

/* Hangs one more answer to the list. */
static int add(struct addrinfo ***tail, const struct coir__address *address, const char *port) {
    struct answer *const answer = coir__sim_calloc(1, sizeof *answer);
    if (answer == NULL)
        return EAI_MEMORY;
    memcpy(&answer->address, &address->as, address->size);
    const uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    if (address->as.any.sa_family == AF_INET)
        ((struct sockaddr_in *)&answer->address)->sin_port = number;
    else
        ((struct sockaddr_in6 *)&answer->address)->sin6_port = number;
    answer->info.ai_family = address->as.any.sa_family;
    answer->info.ai_socktype = SOCK_STREAM;
    answer->info.ai_addr = (struct sockaddr *)&answer->address;
    answer->info.ai_addrlen = address->size;
    **tail = &answer->info;
    *tail = &answer->info.ai_next;
    return 0;
}

static int answer_all(const char *host, const char *port, struct addrinfo ***tail) {
    int rc = EAI_NONAME;
    struct coir__link *const all = &coir__sim->names;
    for (struct coir__link *link = all->next; link != all; link = link->next) {
        const struct name *const name = list_entry(link, struct name, link);
        if (name->name[0] == '\0' || strcmp(name->name, host) != 0)
            continue;
        rc = add(tail, &name->address, port);
        if (rc != 0)
            break;
    }
    return rc;
}

static int answer_localhost(const char *port, struct addrinfo ***tail) {
    struct coir__address address;
    coir__address_any(&address, false, true, 0);
    int rc = add(tail, &address, port);
    coir__address_any(&address, true, true, 0);
    return rc == 0 ? add(tail, &address, port) : rc;
}

int coir__sim_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                          struct addrinfo **out) {
    static const struct {
        int rc, error;
    } failures[] = {{EAI_AGAIN, 0}, {EAI_FAIL, 0}, {EAI_SYSTEM, EIO}, {EAI_SYSTEM, EMFILE}};
    static const int errors[] = {EAGAIN, ENOTRECOVERABLE, EIO, EMFILE, 0}; /* that they stand for */
    if (coir__sim == NULL)
        return getaddrinfo(host, port, hints, out);
    coir__sim_pause(coir__sim_draw_time(ANSWER_TIME));
    *out = NULL;
    const int planned = coir__sim_planned(COIR_SIM_NO_ANSWER, errors);
    if (planned < 0 || coir__sim_fault(COIR_SIM_NO_ANSWER)) {
        uint32_t chosen = planned < 0 ? 0 : coir__sim_draw(4);
        while (planned < 0 && errors[chosen] != -planned)
            chosen++;
        errno = failures[chosen].error;
        return failures[chosen].rc;
    }
    struct addrinfo **tail = out;
    const int rc = strcmp(host, "localhost") == 0 ? answer_localhost(port, &tail)
                                                  : answer_all(host, port, &tail);
    if (rc != 0) {
        coir__sim_freeaddrinfo(*out);
        *out = NULL;
    }
    coir__sim_trace("getaddrinfo(%s) = %d", host, rc);
    return rc;
}

void coir__sim_freeaddrinfo(struct addrinfo *found) {
    if (coir__sim == NULL) {
        if (found != NULL)
            freeaddrinfo(found);
        return;
    }
    while (found != NULL) {
        struct addrinfo *const next = found->ai_next;
        coir__sim_free(found);
        found = next;
    }
}
