/* Sockets, as the files that make them up see them: socket.c has what all have in common, stream.c
 * connections, datagram.c the rest. */
#ifndef COIR_SIM_SOCKET_H
#define COIR_SIM_SOCKET_H

#include "sim/sim.h"

enum coir__sim_state {
    COIR_SIM_FRESH,
    COIR_SIM_LISTENING,
    COIR_SIM_CONNECTING,
    COIR_SIM_CONNECTED,
    COIR_SIM_BROKEN /* was connected, or could not be */
};

struct coir__sim_socket {
    struct coir__sim_file file;
    struct coir__link of_world;
    int family, type;
    enum coir__sim_state state;
    bool bound, only_v6;
    struct coir__address own, peer; /* size 0: none */
    struct coir__address host;      /* the machine it is on */
    int error;                      /* positive: to be told by the next call */
    /* Streams */
    struct coir__sim_flow *in, *out; /* of a connection */
    coir_time give_up;               /* connecting */
    struct coir__link backlog;       /* listening: connections to be accepted, by `waiting` */
    struct coir__link waiting;
    int room; /* for connections in the backlog */
    bool aborted;
    /* Datagrams */
    struct coir__link queue;
    size_t queued;
    coir_time last_arrives; /* of those it has sent */
};

/* A socket on a machine, not installed. */
struct coir__sim_socket *coir__sim_socket_create(int family, int type,
                                                 const struct coir__address *host);
/* The socket of a descriptor, or NULL and *rc: -EBADF, -ENOTSOCK. */
struct coir__sim_socket *coir__sim_socket_of(int fd, int *rc);
/* Who is bound to an address that is reached from `host`; NULL if nobody. */
struct coir__sim_socket *coir__sim_socket_at(const struct coir__address *address, int type,
                                             const struct coir__address *host);
/* Gives it an address of its own, if it has none, from which `to` can be reached. */
int coir__sim_socket_bind_any(struct coir__sim_socket *socket, const struct coir__address *to);
/* The address that is reached by the name `to`, as a socket of the family sees it. */
struct coir__address coir__sim_reached(const struct coir__address *to, int family);
bool coir__sim_is_any(const struct coir__address *address);
/* The machine that an address stands for on `host`. */
struct coir__address coir__sim_machine(const struct coir__address *address,
                                       const struct coir__address *host);
bool coir__sim_same_machine(const struct coir__address *a, const struct coir__address *b);
uint16_t coir__sim_port(const struct coir__address *address);

/* stream.c */
extern const struct coir__sim_kind coir__sim_stream_kind;
int coir__sim_stream_connect(struct coir__sim_socket *socket, const struct coir__address *to);
/* Ends a connection with an error; nothing happens if it has ended. */
void coir__sim_stream_break(struct coir__sim_socket *socket, int error);
/* The descriptor is closed, or as good as: the other ends learn of it. */
void coir__sim_stream_abandon(struct coir__sim_socket *socket);

/* datagram.c */
extern const struct coir__sim_kind coir__sim_datagram_kind;
int coir__sim_datagram_connect(struct coir__sim_socket *socket, const struct coir__address *to);
void coir__sim_datagram_forget(struct coir__sim_socket *socket);

#endif
