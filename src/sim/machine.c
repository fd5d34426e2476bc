/* Machines: which one a task is on, and what happens to the network's side of one that is killed.
 *
 * A task is on the machine that its local says, a value that lives as long as the world. Killing a
 * machine marks that value, so that those who have it stay on what is dead, and gives whoever asks
 * for the address afterwards a new one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sim/socket.h"

struct machine {
    struct coir__link link;
    struct coir__address address;
    bool dead;
};

static const coir_local machine_key;

int coir__sim_parse_number(const char *text, struct coir__address *out) {
    struct coir__target target;
    char with_port[COIR_ADDRESS_SIZE];
    if (text == NULL || strlen(text) > COIR_ADDRESS_SIZE - 8)
        return -EINVAL;
    (void)snprintf(with_port, sizeof with_port, strchr(text, ':') != NULL ? "[%s]:0" : "%s:0",
                   text);
    if (coir__address_parse(with_port, &target) < 0 || target.is_name || target.any)
        return -EINVAL;
    *out = target.address;
    return 0;
}

/* Not what each machine calls itself: as a machine's number it would be reached by none. */
int coir__sim_parse_host(const char *text, struct coir__address *out) {
    const struct coir__address nobody = {.size = 0};
    COIR_TRY(coir__sim_parse_number(text, out));
    return coir__sim_machine(out, &nobody).size != 0 ? 0 : -EINVAL;
}

/* Of the task that runs; NULL: none does, or it is on none. */
static struct machine *own_machine(void) {
    const bool none = coir__rt == NULL || coir__sim->thread != NULL || coir__sim->looking;
    return none ? NULL : coir_local_get(&machine_key);
}

struct coir__address coir__sim_own_host(void) {
    const struct machine *const machine = own_machine();
    return machine != NULL ? machine->address : (struct coir__address){.size = 0};
}

bool coir__sim_own_host_dead(void) {
    const struct machine *const machine = own_machine();
    return machine != NULL && machine->dead;
}

static struct machine *find_alive(const struct coir__address *address) {
    struct coir__link *const all = &coir__sim->machines;
    for (struct coir__link *link = all->next; link != all; link = link->next) {
        struct machine *const machine = list_entry(link, struct machine, link);
        if (!machine->dead && coir__sim_same_machine(&machine->address, address))
            return machine;
    }
    return NULL;
}

int coir_sim_host(const char *address) {
    struct coir__address host;
    if (coir__sim == NULL || coir__rt == NULL)
        return -EPERM;
    if (coir__sim_parse_host(address, &host) < 0)
        return -EINVAL;
    struct machine *machine = find_alive(&host);
    if (machine == NULL) {
        machine = coir__sim_allocate(sizeof *machine);
        machine->address = host;
        list_append(&coir__sim->machines, &machine->link);
    }
    return coir_local_set(&machine_key, machine);
}

/* What its kernel does with a socket of a process that dies: closes it. The descriptor stays the
 * program's, and is of no use. */
static void kill_socket(struct coir__sim_socket *socket) {
    if (socket->type == SOCK_STREAM)
        coir__sim_stream_abandon(socket);
    else
        coir__sim_datagram_forget(socket);
    socket->bound = false;
    socket->state = COIR_SIM_BROKEN;
    socket->error = ENETDOWN;
    coir__sim_notify(&socket->file, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

int coir_sim_kill(const char *address) {
    struct coir__address host;
    if (coir__sim == NULL)
        return -EPERM;
    if (coir__sim_parse_host(address, &host) < 0)
        return -EINVAL;
    coir__sim_trace("%s is killed", address);
    struct machine *const machine = find_alive(&host);
    if (machine != NULL)
        machine->dead = true;
    struct coir__link *const all = &coir__sim->sockets;
    /* A listener takes its backlog with it, which is behind it; itself its descriptor keeps. */
    for (struct coir__link *link = all->next; link != all; link = link->next) {
        struct coir__sim_socket *const socket = list_entry(link, struct coir__sim_socket, of_world);
        if (socket->file.fd >= 0 && coir__sim_same_machine(&socket->host, &host))
            kill_socket(socket);
    }
    return 0;
}

void coir__sim_machines_fini(void) {
    struct coir__link *const all = &coir__sim->machines;
    for (struct coir__link *next, *link = all->next; link != all; link = next) {
        next = link->next;
        free(list_entry(link, struct machine, link));
    }
    list_init(all);
}
