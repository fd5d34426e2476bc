/* What can happen to a descriptor, and what a poller has to report of it: the table that every
 * backend goes through, at its own level (conformance.c) and through coir_poll (public.c).
 *
 * A row says what was so before and what happens then. The directions it must report were not ready
 * before. Rows in which nothing happens are about the state itself. */
#ifndef TESTS_POLL_TABLE_H
#define TESTS_POLL_TABLE_H

#include "io/ends.h"
#include "poll/poll.h"

enum kind {
    KIND_PIPE = ENDS_PIPE,
    KIND_UNIX = ENDS_UNIX,
    KIND_TCP = ENDS_TCP,
    KIND_DATAGRAM, /* a pair of Unix datagram sockets */
    KIND_LISTENER, /* [0] listens; [1] is -1 until it connects */
    KINDS
};

struct happening {
    const char *what;
    unsigned kinds; /* 1 << KIND_... */
    int watched;    /* which of the ends */
    void (*before)(int ends[2]);
    void (*happens)(int ends[2]);
    unsigned reported; /* COIR_POLL_READ, COIR_POLL_WRITE: these must be */
    unsigned silent;   /* and these must not */
};

extern const struct happening happenings[];
extern const size_t happenings_count;

/* A fresh pair of non-blocking ends, and its close; ends that are -1 are closed already. */
void table_open(enum kind kind, int ends[2]);
void table_close(int ends[2]);
/* "tcp: data arrive" */
const char *table_label(const struct happening *row, enum kind kind);

/* Calls check(row, kind) for each row and each kind of descriptor that it is about. */
void table_each(void (*check)(const struct happening *row, enum kind kind));

#endif
