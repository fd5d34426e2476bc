/* The same program in two worlds: what the simulated system says to a call has to be what Linux
 * says. Each behaviour is a function that makes calls and notes what came of them; it is run on the
 * system that the test runs on, and on the simulated one. Both have to give the text expected. */
#ifndef TESTS_SIM_TWIN_H
#define TESTS_SIM_TWIN_H

#include <coir.h>
#include <errno.h>
#include <string.h>

#include "sim/calls.h" /* pass on to the real system where none is simulated */

struct behaviour {
    const char *name;
    void (*run)(void);
    const char *expected;
};

/* One array a file; ends with a name that is NULL. */
extern const struct behaviour stream_behaviours[], epoll_behaviours[], address_behaviours[];

/* Notes what a call has come to: a number, or the name of an error. */
void note(const char *call, long rc);
/* Notes a word. */
void note_word(const char *word);
/* Of a call of the C library: -errno for -1. */
long said(long rc);
#define NOTE(call, expression) note(call, said((long)(expression)))

/* Two ends: of Unix sockets, of a pipe (the first is to be read), of a TCP connection. Adopted. */
void make_pair(int fds[2]);
void make_pipe(int fds[2]);
void make_tcp(int fds[2]);
/* Closes those that are open (not -1). */
void close_both(const int fds[2]);
/* A name in a folder of the test's own, as "unix:..."; nobody has it. */
const char *path_of(const char *name);
/* A name without a file, of this process's own; valid until the next call. */
const char *abstract_of(const char *name);
/* What was sent has arrived. */
void settle(void);

#endif
