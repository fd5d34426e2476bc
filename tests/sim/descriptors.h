/* The descriptors of a program, and what must be true of the bytes that go through them. */
#ifndef TESTS_SIM_DESCRIPTORS_H
#define TESTS_SIM_DESCRIPTORS_H

#include "sim/model.h"
#include "sim/sim.h"

#define SLOTS 24
#define FLOWS_MAX 512
#define TRANSFER_MAX 1500
#define FILE_MAX 8192
#define DATAGRAMS_MAX 1024
#define JOBS_MAX 256

enum slot_kind {
    SLOT_STREAM,
    SLOT_PIPE_IN,
    SLOT_PIPE_OUT,
    SLOT_LISTENER,
    SLOT_DATAGRAM,
    SLOT_FILE
};

/* A descriptor that the program has. */
struct slot {
    bool open;
    enum slot_kind kind;
    int fd;
    unsigned serial;                 /* of the use of the slot */
    char address[COIR_ADDRESS_SIZE]; /* of a datagram socket or a listener */
};

/* One direction of a stream: how many bytes the program has sent and received. The byte at each
 * place is known. */
struct flow_shadow {
    uint64_t sent, received;
    unsigned reading, writing; /* calls in progress */
};

/* One that was sent, by its number: it holds that and a length. */
struct datagram_shadow {
    bool sent;
    bool reliable; /* over a Unix socket: comes once */
    unsigned received;
};

struct job_shadow {
    struct task *task;
    coir_time duration;
    int rc;
    bool begun, ended, left; /* left: its call has returned */
};

struct descriptors {
    struct slot slots[SLOTS];
    unsigned serials;
    struct flow_shadow flows[FLOWS_MAX];
    struct datagram_shadow datagrams[DATAGRAMS_MAX];
    unsigned datagram_count;
    unsigned char written[FILE_MAX]; /* which bytes of the file were */
    struct job_shadow jobs[JOBS_MAX];
    unsigned job_count;
    uint64_t closes; /* by the clock of calls, the last one */
};

extern struct descriptors descriptors;

void descriptors_begin(const struct program *program);
/* Closes what the program has left open. */
void descriptors_end(void);

/* The n-th open slot of a kind; NULL if there is none. */
struct slot *nth_slot(enum slot_kind kind, long n);
/* A descriptor that a call has returned: which has to be known, and new. NULL: no room, closed. */
struct slot *slot_new(enum slot_kind kind, int fd);
/* It is closed, or about to be. */
void slot_gone(struct slot *slot);
/* Whether an error is one that the network may give to a call on the slot. */
bool network_explains(const struct task *task, int rc);

/* A parked call on a descriptor that is ready, and nobody says so. */
void check_idle_descriptor(const struct task *task, const struct call *call);

/* Whether it is ready in one of the directions (COIR_POLL_READ and so on), and no event says so or
 * will. */
bool descriptor_is_forgotten(int fd, unsigned directions);
/* How much has gone through it in both directions: as long as that stays, so does readiness. */
uint64_t descriptor_moved(int fd);
/* Whether it is ready for each of the events (COIR_READABLE and so on), as far as can be told. */
bool descriptor_is_ready(int fd, int events);

#endif
