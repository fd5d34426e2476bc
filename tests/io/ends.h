/* What the tests of I/O share: both ends of a connection in one process, tasks that wait at one of
 * them, and the want of further descriptors.
 *
 * The ends are made by plain system calls, so that the tests of descriptors do not lean on the
 * code that makes sockets. Pipes and Unix sockets hand over at once, so they go with the virtual
 * clock; the loopback device may take its time, so waits on TCP have no virtual deadline. */
#ifndef TESTS_IO_ENDS_H
#define TESTS_IO_ENDS_H

#include <sys/resource.h>
#include <sys/socket.h>

#include "support.h"

enum ends_kind { ENDS_PIPE, ENDS_UNIX, ENDS_TCP, ENDS_KINDS };

/* [0] is for reading, [1] for writing; ends of sockets do both. Not adopted. */
void ends_open_raw(enum ends_kind kind, int ends[2]);
/* The same, adopted. */
void ends_open(enum ends_kind kind, int ends[2]);
/* Closes those that are not negative, by coir_close. */
void ends_close(const int ends[2]);
const char *ends_name(enum ends_kind kind);

/* Lets every other task run until all of them wait: under the virtual clock alone. */
void settle(void);

/* Spawns; a failure ends the test. */
void start(coir_scope *scope, coir_fn fn, void *arg);

/* The runtime's counters. */
coir_stats stats(void);

/* One call of coir_read, by a task: fill in `fd`, and start read_some with its address. */
struct reading {
    int fd;
    ssize_t rc; /* what the call returned; READING until then */
    char text[64];
    size_t size_bytes; /* how much to ask for; 0: all of text but its final zero */
};
#define READING ((ssize_t)-100000)
int read_some(void *reading);

/* One call of coir_write of a byte, by a task, to a full descriptor. */
struct writing {
    int fd;
    ssize_t rc;
};
int write_byte(void *writing);

/* System calls, not Coir: send until it would block, and the opposite. Return the bytes moved. The
 * descriptor must be non-blocking. */
size_t raw_fill(int fd);
size_t raw_drain(int fd);
/* Writes the text whole, by write(2). */
void raw_write(int fd, const char *text);
/* Whether recv or read has nothing for us now (and no end of stream). */
bool raw_empty(int fd);
/* Closes so that the peer of a TCP connection is reset. */
void raw_reset(int fd);

/* From now on no descriptor is to be had, but those that are closed meanwhile. Skips the test under
 * Valgrind, which keeps that limit itself: its accept loses the connection. */
void no_more_descriptors(struct rlimit *before);
void descriptors_again(const struct rlimit *before);

/* Fills a buffer with bytes that tell where they belong, and checks that. */
void pattern_fill(void *buffer, size_t size_bytes, size_t offset);
bool pattern_holds(const void *buffer, size_t size_bytes, size_t offset);

/* A folder of its own for this test below the system's temporary one; removed with what lies in
 * it. path_in gives the path of a file there, good until the next call. */
void folder_make(void);
void folder_remove(void);
const char *path_in(const char *name);

/* Whether this machine has the IPv6 loopback address. */
bool has_ipv6(void);

#endif
