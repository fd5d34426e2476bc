/* Included before anything else in each file of the library that goes into libcoir-sim.a: from here
 * on, calls of the C library that touch the outside world are the simulation's (calls.h).
 *
 * Macros with parameters, so that only calls are redirected. All headers that the library uses
 * come first, so that declarations stay as they are. */
#ifndef COIR_SIM_LIBC_H
#define COIR_SIM_LIBC_H

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "sim/messages.h"

#define clock_gettime(clock, out) coir__sim_clock_gettime(clock, out)
#define calloc(count, size) coir__sim_calloc(count, size)
#define realloc(memory, size) coir__sim_realloc(memory, size)
#define posix_memalign(out, alignment, size) coir__sim_posix_memalign(out, alignment, size)
#define free(memory) coir__sim_free(memory)
#define mmap(address, size, protection, flags, fd, offset)                                         \
    coir__sim_mmap(address, size, protection, flags, fd, offset)
#define munmap(memory, size) coir__sim_munmap(memory, size)
#define mprotect(memory, size, protection) coir__sim_mprotect(memory, size, protection)
#define madvise(memory, size, advice) coir__sim_madvise(memory, size, advice)
#define fopen(path, mode) coir__sim_fopen(path, mode)

#define read(fd, buffer, size) coir__sim_read(fd, buffer, size)
#define write(fd, buffer, size) coir__sim_write(fd, buffer, size)
#define readv(fd, parts, count) coir__sim_readv(fd, parts, count)
#define writev(fd, parts, count) coir__sim_writev(fd, parts, count)
#define preadv(fd, parts, count, offset) coir__sim_preadv(fd, parts, count, offset)
#define pwritev(fd, parts, count, offset) coir__sim_pwritev(fd, parts, count, offset)
#define preadv2(fd, parts, count, offset, flags) coir__sim_preadv2(fd, parts, count, offset, flags)
#define recv(fd, buffer, size, flags) coir__sim_recv(fd, buffer, size, flags)
#define send(fd, buffer, size, flags) coir__sim_send(fd, buffer, size, flags)
#define sendmsg(fd, message, flags) coir__sim_sendmsg(fd, message, flags)
#define sendto(fd, buffer, size, flags, to, to_size)                                               \
    coir__sim_sendto(fd, buffer, size, flags, to, to_size)
#define recvfrom(fd, buffer, size, flags, from, from_size)                                         \
    coir__sim_recvfrom(fd, buffer, size, flags, from, from_size)
#define close(fd) coir__sim_close(fd)
#define fcntl(...) coir__sim_fcntl(__VA_ARGS__)
#define fstat(fd, out) coir__sim_fstat(fd, out)
#define poll(ask, count, timeout) coir__sim_poll(ask, count, timeout)

#define epoll_create1(flags) coir__sim_epoll_create1(flags)
#define epoll_ctl(queue, operation, fd, event) coir__sim_epoll_ctl(queue, operation, fd, event)
#define epoll_wait(fd, out, most, timeout) coir__sim_epoll_wait(fd, out, most, timeout)
#define eventfd(initial, flags) coir__sim_eventfd(initial, flags)
#define syscall(...) coir__sim_syscall(__VA_ARGS__)

#define socket(family, type, protocol) coir__sim_socket(family, type, protocol)
#define accept4(fd, from, size, flags) coir__sim_accept4(fd, from, size, flags)
#define connect(fd, to, size) coir__sim_connect(fd, to, size)
#define bind(fd, to, size) coir__sim_bind(fd, to, size)
#define listen(fd, backlog) coir__sim_listen(fd, backlog)
#define setsockopt(fd, level, option, value, size)                                                 \
    coir__sim_setsockopt(fd, level, option, value, size)
#define getsockopt(fd, level, option, value, size)                                                 \
    coir__sim_getsockopt(fd, level, option, value, size)
#define getsockname(fd, out, size) coir__sim_getsockname(fd, out, size)
#define getpeername(fd, out, size) coir__sim_getpeername(fd, out, size)
#define shutdown(fd, how) coir__sim_shutdown(fd, how)
#define lstat(path, out) coir__sim_lstat(path, out)
#define unlink(path) coir__sim_unlink(path)
#define readlink(path, out, size) coir__sim_readlink(path, out, size)
#define getaddrinfo(host, port, hints, out) coir__sim_getaddrinfo(host, port, hints, out)
#define freeaddrinfo(found) coir__sim_freeaddrinfo(found)

#define pthread_create(out, attributes, fn, arg) coir__sim_pthread_create(out, attributes, fn, arg)
#define pthread_join(thread, result) coir__sim_pthread_join(thread, result)
#define pthread_detach(thread) coir__sim_pthread_detach(thread)
#define pthread_mutex_init(mutex, attributes) coir__sim_pthread_mutex_init(mutex, attributes)
#define pthread_mutex_destroy(mutex) coir__sim_pthread_mutex_destroy(mutex)
#define pthread_mutex_lock(mutex) coir__sim_pthread_mutex_lock(mutex)
#define pthread_mutex_unlock(mutex) coir__sim_pthread_mutex_unlock(mutex)
#define pthread_cond_init(cond, attributes) coir__sim_pthread_cond_init(cond, attributes)
#define pthread_cond_destroy(cond) coir__sim_pthread_cond_destroy(cond)
#define pthread_cond_wait(cond, mutex) coir__sim_pthread_cond_wait(cond, mutex)
#define pthread_cond_signal(cond) coir__sim_pthread_cond_signal(cond)
#define pthread_cond_broadcast(cond) coir__sim_pthread_cond_broadcast(cond)

#endif
