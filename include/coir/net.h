/* TCP over IPv4 and IPv6, Unix sockets, datagrams.
 *
 * Addresses are text:
 *   "127.0.0.1:8080"   "[::1]:8080"   "[fe80::1%eth0]:80"   "example.org:80"
 *   ":8080"            all addresses of this machine (to listen); this machine (to connect)
 *   "unix:/run/app.sock"   "unix:@name" (Linux's abstract names)
 * Port 0 lets the system choose (to listen): coir_socket_address tells what it chose. Names are
 * looked up by getaddrinfo on the offload pool; numbers never leave the loop.
 *
 * Errors of addresses, common to all calls that take one: -EINVAL a form not listed above, or a
 * port that is no number from 0 to 65535 (to connect: from 1); -ENAMETOOLONG a path that does not
 * fit; -ENOENT no such name; -EHOSTUNREACH the name could not be looked up now. Common to all:
 * -ECANCELED, -EPERM, -EINVAL for NULL, -EMFILE, -ENFILE, -ENOMEM, and what else the system itself
 * says (-ENOBUFS, -EACCES, ...). Sockets are made non-blocking, close-on-exec, and TCP ones without
 * Nagle's delay (accepted ones as their listener). */
#ifndef COIR_NET_H
#define COIR_NET_H

#include "base.h"
#include "io.h"

COIR_BEGIN_DECLS

/* Room for any address as text. */
#define COIR_ADDRESS_SIZE 128

/* A listening stream socket. Returns the descriptor. A Unix socket's file that nobody listens to
 * any more is replaced. Parks only to look up a name. Errors further: -EADDRINUSE,
 * -EADDRNOTAVAIL, -EACCES. */
COIR_API COIR_MUST_CHECK int coir_listen(const char *address);

/* Waits for a connection and returns its descriptor. Connections that break before they are
 * accepted are passed over. When the process or the system is out of descriptors or memory it
 * waits a little (10 ms, or until coir_close gives one back or another connection comes) and tries
 * again. */
COIR_API COIR_MUST_CHECK int coir_accept(int listener);

/* Connects a stream and returns its descriptor. Tries each address of a name in the order of
 * getaddrinfo; returns the error of the last: -ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT (the
 * system's own, after minutes; for a shorter one, open a scope with a deadline). */
COIR_API COIR_MUST_CHECK int coir_connect(const char *address);

/* Looks up an address and writes the numeric forms it stands for into out, at most `capacity` of
 * them. Returns how many there are, up to 16. Parks for names. */
COIR_API COIR_MUST_CHECK int coir_resolve(const char *address, char (*out)[COIR_ADDRESS_SIZE],
                                          size_t capacity);

/* The address of a socket's own end, and of the other end, as text into out. Returns 0;
 * -ENOTSOCK, -ENOTCONN, -ENOSPC if it does not fit, -EAFNOSUPPORT if it is of another kind. Never
 * parks; works outside the runtime. */
COIR_API int coir_socket_address(int fd, char *out, size_t size_bytes);
COIR_API int coir_peer_address(int fd, char *out, size_t size_bytes);

/* Ends the writing direction of a stream: the peer reads the end after what was written. -EBADF,
 * -ENOTCONN, -EPERM. Never parks. */
COIR_API int coir_shutdown_write(int fd);

/* A datagram socket bound to an address. Returns the descriptor. */
COIR_API COIR_MUST_CHECK int coir_bind_datagram(const char *address);

/* Sends one datagram to a numeric or Unix address (no look-up). Returns its size. */
COIR_API COIR_MUST_CHECK ssize_t coir_send_to(int fd, const void *buffer, size_t size_bytes,
                                              const char *address);

/* Waits for a datagram; stores its sender as text if `from` is not NULL. Returns its size; what
 * does not fit is lost, as the system does it. */
COIR_API COIR_MUST_CHECK ssize_t coir_receive_from(int fd, void *buffer, size_t size_bytes,
                                                   char (*from)[COIR_ADDRESS_SIZE]);

typedef struct coir_serve_options {
    size_t connections_max;  /* further ones wait in the backlog; default: no bound */
    coir_time grace;         /* how long handlers may finish after a cancel; default: none, they are
                                cut at once */
    size_t stack_size_bytes; /* of the handlers' tasks; default: the runtime's */
} coir_serve_options;

/* One connection: the descriptor is the handler's until it returns, then it is closed, unless the
 * handler has done so. The return value changes nothing: one bad connection does not stop the
 * server. */
typedef int (*coir_handler)(int fd, void *arg);

/* Accepts connections and runs handler(fd, arg) for each in a task of its own, until cancelled;
 * then stops accepting, lets the handlers finish within the grace period, cuts those that are left,
 * and returns -ECANCELED. The listener stays the caller's and open; when it is closed meanwhile the
 * handlers are drained in the same way, and -EBADF is returned. Other errors are accept's; -EINVAL
 * for a NULL handler, a negative grace or a stack size out of its range. */
COIR_API COIR_MUST_CHECK int coir_serve(int listener, coir_handler handler, void *arg,
                                        const coir_serve_options *options);

COIR_END_DECLS

#endif
