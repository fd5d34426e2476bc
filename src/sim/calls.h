/* The functions that stand in for the C library's: each does what its namesake does, on the
 * simulated system if there is one on this thread, and otherwise on the real one. libc.h redirects
 * the library's calls to them. */
#ifndef COIR_SIM_CALLS_H
#define COIR_SIM_CALLS_H

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* memory.c, and the clock */
int coir__sim_clock_gettime(clockid_t clock, struct timespec *out);
void *coir__sim_calloc(size_t count, size_t size);
void *coir__sim_realloc(void *memory, size_t size);
int coir__sim_posix_memalign(void **out, size_t alignment, size_t size);
void coir__sim_free(void *memory);
void *coir__sim_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int coir__sim_munmap(void *memory, size_t size);
int coir__sim_mprotect(void *memory, size_t size, int protection);
int coir__sim_madvise(void *memory, size_t size, int advice);
FILE *coir__sim_fopen(const char *path, const char *mode);
FILE *coir__sim_stderr(void);

/* file.c */
ssize_t coir__sim_read(int fd, void *buffer, size_t size);
ssize_t coir__sim_write(int fd, const void *buffer, size_t size);
ssize_t coir__sim_readv(int fd, const struct iovec *parts, int count);
ssize_t coir__sim_writev(int fd, const struct iovec *parts, int count);
ssize_t coir__sim_preadv(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t coir__sim_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t coir__sim_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
ssize_t coir__sim_recv(int fd, void *buffer, size_t size, int flags);
ssize_t coir__sim_send(int fd, const void *buffer, size_t size, int flags);
ssize_t coir__sim_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t coir__sim_sendto(int fd, const void *buffer, size_t size, int flags,
                         const struct sockaddr *to, socklen_t to_size);
ssize_t coir__sim_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                           socklen_t *from_size);
int coir__sim_close(int fd);
int coir__sim_fcntl(int fd, int command, ...);
int coir__sim_fstat(int fd, struct stat *out);
int coir__sim_poll(struct pollfd *ask, nfds_t count, int timeout);

/* epoll.c */
int coir__sim_epoll_create1(int flags);
int coir__sim_epoll_ctl(int queue, int operation, int fd, struct epoll_event *event);
int coir__sim_epoll_wait(int fd, struct epoll_event *out, int most, int timeout_ms);
int coir__sim_eventfd(unsigned initial, int flags);
long coir__sim_syscall(long number, ...);

/* socket.c, stream.c */
int coir__sim_socket(int family, int type, int protocol);
int coir__sim_accept4(int fd, struct sockaddr *from, socklen_t *from_size, int flags);
int coir__sim_connect(int fd, const struct sockaddr *to, socklen_t to_size);
int coir__sim_bind(int fd, const struct sockaddr *to, socklen_t to_size);
int coir__sim_listen(int fd, int backlog);
int coir__sim_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int coir__sim_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int coir__sim_getsockname(int fd, struct sockaddr *out, socklen_t *size);
int coir__sim_getpeername(int fd, struct sockaddr *out, socklen_t *size);
int coir__sim_shutdown(int fd, int how);

/* disk.c */
int coir__sim_lstat(const char *path, struct stat *out);
int coir__sim_unlink(const char *path);
ssize_t coir__sim_readlink(const char *path, char *out, size_t size);

/* resolve.c */
int coir__sim_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                          struct addrinfo **out);
void coir__sim_freeaddrinfo(struct addrinfo *found);

/* thread.c */
int coir__sim_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*fn)(void *),
                             void *arg);
int coir__sim_pthread_join(pthread_t thread, void **result);
int coir__sim_pthread_detach(pthread_t thread);
int coir__sim_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int coir__sim_pthread_mutex_destroy(pthread_mutex_t *mutex);
int coir__sim_pthread_mutex_lock(pthread_mutex_t *mutex);
int coir__sim_pthread_mutex_unlock(pthread_mutex_t *mutex);
int coir__sim_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int coir__sim_pthread_cond_destroy(pthread_cond_t *cond);
int coir__sim_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int coir__sim_pthread_cond_signal(pthread_cond_t *cond);
int coir__sim_pthread_cond_broadcast(pthread_cond_t *cond);

#endif
