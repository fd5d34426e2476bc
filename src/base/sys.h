/* Every call to the operating system, each behind one inline function.
 *
 * All return >= 0 or -errno and never block where the descriptor does not. EINTR is retried here
 * where that is right, so that callers do not see it. A simulated system replaces this file.
 * Threads (src/io/offload.c, src/io/resolve.c) and signal handlers are set up by the modules they
 * belong to. */
#ifndef COIR_BASE_SYS_H
#define COIR_BASE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/auxv.h>
#include <sys/syscall.h>
#endif

#include "base/sanitizer.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define SYS_PIDFD_SELF (-10000) /* the calling process, as a pidfd (Linux 6.14 and later) */
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* OpenBSD kills a program whose stack pointer leaves what was mapped as a stack. Elsewhere but on
 * Linux the flag means memory that grows downwards by itself, which the slots of an arena do not.
 */
#if defined(__linux__) || defined(__OpenBSD__)
#define SYS_MAP_STACK MAP_STACK
#else
#define SYS_MAP_STACK 0
#endif

/* macOS makes its CLOCK_MONOTONIC, in microseconds, from a clock that is adjusted. */
#ifdef __APPLE__
#define SYS_CLOCK CLOCK_UPTIME_RAW
#else
#define SYS_CLOCK CLOCK_MONOTONIC
#endif

/* Whether Unix sockets may have names that are no paths. */
#ifdef __linux__
#define SYS_ABSTRACT_NAMES true
#else
#define SYS_ABSTRACT_NAMES false
#endif

/* The result of a system call that reports through errno. */
static inline long sys_result(long result) {
    return result >= 0 ? result : -(long)errno;
}

/* The number by which the system's tools know the calling thread; 0 where there is none. */
static inline long sys_thread_id(void) {
#ifdef __linux__
    return syscall(SYS_gettid);
#else
    return 0;
#endif
}

/* Whether this process sent the signal to one of its threads: true where no signal says so. */
static inline bool sys_sent_to_thread(const siginfo_t *info) {
#ifdef SI_TKILL
    return info->si_code == SI_TKILL && info->si_pid == getpid();
#else
    (void)info;
    return true;
#endif
}

/* ---- Time ---- */

static inline int64_t sys_clock(void) {
    struct timespec now;
    clock_gettime(SYS_CLOCK, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The same clock as of the system's last tick, some milliseconds ago: an eighth of the cost. */
static inline int64_t sys_clock_coarse(void) {
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#else
    return sys_clock();
#endif
}

/* What a thread has had of the processor so far; 0 where that is not to be had. */
static inline int64_t sys_thread_time(pthread_t thread) {
#ifndef __APPLE__
    clockid_t clock;
    struct timespec now;
    if (pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &now) == 0)
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#else
    (void)thread;
#endif
    return 0;
}

/* A condition for sys_cond_wait, which takes a duration. */
static inline void sys_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
#ifndef __APPLE__
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    (void)pthread_cond_init(cond, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static inline void sys_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t duration) {
#ifdef __APPLE__
    const struct timespec wait = {duration / 1000000000, duration % 1000000000};
    (void)pthread_cond_timedwait_relative_np(cond, mutex, &wait);
#else
    const int64_t end = sys_clock() + duration;
    const struct timespec until = {end / 1000000000, end % 1000000000};
    (void)pthread_cond_timedwait(cond, mutex, &until);
#endif
}

/* ---- Memory ---- */

static inline void *sys_allocate(size_t size_bytes) {
    return calloc(1, size_bytes);
}

static inline void *sys_reallocate(void *memory, size_t size_bytes) {
    return realloc(memory, size_bytes);
}

static inline void *sys_allocate_aligned(size_t alignment, size_t size_bytes) {
    void *memory;
    return posix_memalign(&memory, alignment, size_bytes) == 0 ? memory : NULL;
}

static inline void sys_free(void *memory) {
    free(memory);
}

/* What a signal handler's frame takes of its stack beyond what the compiler knows of: the
 * registers.
 */
static inline size_t sys_signal_frame_size(void) {
#if defined(__linux__) && defined(AT_MINSIGSTKSZ)
    return (size_t)getauxval(AT_MINSIGSTKSZ);
#else
    return 0;
#endif
}

static inline size_t sys_page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static inline void *sys_map(void *place, size_t size_bytes, int flags) {
    return mmap(place, size_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | SYS_MAP_STACK | flags, -1, 0);
}

/* Address space for stacks: zero pages on demand, never huge ones. NULL if there is none. */
static inline void *sys_map_stacks(size_t size_bytes) {
    void *const memory = sys_map(NULL, size_bytes, 0);
    if (memory == MAP_FAILED)
        return NULL;
#ifdef MADV_NOHUGEPAGE
    (void)madvise(memory, size_bytes, MADV_NOHUGEPAGE);
#endif
    return memory;
}

static inline void sys_unmap(void *memory, size_t size_bytes) {
    (void)munmap(memory, size_bytes);
}

#ifdef __linux__
#ifdef SYS_process_madvise
/* process_madvise on the calling process. How much of the ranges was done, or -errno. */
static inline long sys_advise_self(const struct iovec *ranges, size_t count, int advice) {
    long done = sys_result(syscall(SYS_process_madvise, SYS_PIDFD_SELF, ranges, count, advice, 0));
    if (done != -EBADF)
        return done;
    const int self = (int)sys_result(syscall(SYS_pidfd_open, getpid(), 0));
    if (self < 0)
        return self;
    done = sys_result(syscall(SYS_process_madvise, self, ranges, count, advice, 0));
    close(self);
    return done;
}
#endif

/* Applies one piece of advice to many ranges in one call, or one by one where that is not to be
 * had, which is then remembered. False if some range was refused. */
static inline bool sys_advise_all(const struct iovec *ranges, size_t count, int advice,
                                  bool *one_by_one) {
#ifdef SYS_process_madvise
    if (!*one_by_one && count > 1 && !sanitizer_on_valgrind()) { /* which does not know it */
        size_t total = 0;
        for (size_t i = 0; i < count; i++)
            total += ranges[i].iov_len;
        const long done = sys_advise_self(ranges, count, advice);
        if (done >= 0 && (size_t)done == total)
            return true;
        /* If it was done in part, or did not find what it needs, it is the next time's as well. */
        *one_by_one =
            done < 0 && done != -EMFILE && done != -ENFILE && done != -ENOMEM && done != -EAGAIN;
    }
#endif
    bool all = true;
    for (size_t i = 0; i < count; i++)
        all &= madvise(ranges[i].iov_base, ranges[i].iov_len, advice) == 0;
    return all;
}
#endif

/* Gives the pages back; they read as zero afterwards. */
static inline bool sys_discard_all(const struct iovec *ranges, size_t count) {
#ifdef __linux__
    static __thread bool one_by_one;
    return sys_advise_all(ranges, count, MADV_DONTNEED, &one_by_one);
#else
    bool all = true; /* to ask for zeros is more than advice can do: the pages are made anew */
    for (size_t i = 0; i < count; i++)
        all &= sys_map(ranges[i].iov_base, ranges[i].iov_len, MAP_FIXED) != MAP_FAILED;
    return all;
#endif
}

/* Guards that do not split the mapping (Linux 6.13 and later). */
static inline bool sys_guard_light(const struct iovec *ranges, size_t count) {
#ifdef __linux__
    static __thread bool one_by_one;
    return sys_advise_all(ranges, count, MADV_GUARD_INSTALL, &one_by_one);
#else
    (void)ranges, (void)count;
    return false;
#endif
}

/* Guards by protection: two mappings more for each. */
static inline bool sys_guard_protect(void *memory, size_t size_bytes) {
    return mprotect(memory, size_bytes, PROT_NONE) == 0;
}

/* Whether the kernel, asked to read a string there, faults. Tells whether a guard really guards: an
 * emulator may accept the advice and do nothing. */
static inline bool sys_faults(const void *address) {
    return access((const char *)address, F_OK) != 0 && errno == EFAULT;
}

/* How many mappings a process may have. Elsewhere nobody counts, but each costs the kernel memory:
 * as many as Linux thinks decent. */
static inline size_t sys_mappings_max(void) {
    size_t most = 65530;
#ifdef __linux__
    FILE *const file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        if (fscanf(file, "%zu", &most) != 1)
            most = 65530;
        fclose(file);
    }
#endif
    return most;
}

/* Which of `pages` pages from `memory` on are in memory; one byte each, lowest bit. */
static inline bool sys_resident(void *memory, size_t size_bytes, unsigned char *pages) {
#ifdef __OpenBSD__ /* does not tell */
    (void)memory, (void)size_bytes, (void)pages;
    return false;
#else
    return mincore(memory, size_bytes, (void *)pages) == 0; /* of char on some systems */
#endif
}

/* ---- Descriptors ---- */

/* A socket of macOS is told here, once, what others are told at each send: no SIGPIPE. */
static inline int sys_set_nonblocking(int fd) {
#ifdef __APPLE__
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on); /* unless it is no socket */
#endif
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    if (flags & O_NONBLOCK)
        return 0;
    return (int)sys_result(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

static inline int sys_close(int fd) {
    const int rc = close(fd);
    return rc == 0 || errno == EINTR || errno == EINPROGRESS ? 0 : -errno;
}

static inline int sys_stat(int fd, struct stat *out) {
    return (int)sys_result(fstat(fd, out));
}

#define SYS_RETRY(call)                                                                            \
    __extension__({                                                                                \
        long sys__result;                                                                          \
        do                                                                                         \
            sys__result = (long)(call);                                                            \
        while (sys__result < 0 && errno == EINTR);                                                 \
        sys_result(sys__result);                                                                   \
    })

static inline ssize_t sys_read(int fd, void *buffer, size_t size_bytes) {
    return SYS_RETRY(read(fd, buffer, size_bytes));
}

static inline ssize_t sys_write(int fd, const void *buffer, size_t size_bytes) {
    return SYS_RETRY(write(fd, buffer, size_bytes));
}

static inline ssize_t sys_readv(int fd, const struct iovec *parts, int count) {
    return SYS_RETRY(readv(fd, parts, count));
}

static inline ssize_t sys_writev(int fd, const struct iovec *parts, int count) {
    return SYS_RETRY(writev(fd, parts, count));
}

static inline ssize_t sys_preadv(int fd, const struct iovec *parts, int count, off_t offset) {
    return SYS_RETRY(preadv(fd, parts, count, offset));
}

static inline ssize_t sys_pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return SYS_RETRY(pwritev(fd, parts, count, offset));
}

/* Reads a regular file only as far as that needs no waiting; offset -1: at its position. -EAGAIN
 * if it would wait, or if the system cannot tell. */
static inline ssize_t sys_read_cached(int fd, const struct iovec *parts, int count, off_t offset) {
#if defined(__linux__) && defined(RWF_NOWAIT)
    const ssize_t result = SYS_RETRY(preadv2(fd, parts, count, offset, RWF_NOWAIT));
    return result == -EOPNOTSUPP || result == -ENOSYS ? -EAGAIN : result;
#else
    (void)fd, (void)parts, (void)count, (void)offset;
    return -EAGAIN;
#endif
}

static inline ssize_t sys_receive(int fd, void *buffer, size_t size_bytes) {
    return SYS_RETRY(recv(fd, buffer, size_bytes, 0));
}

/* macOS has learnt of it late; sys_set_nonblocking does the same there. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static inline ssize_t sys_send(int fd, const void *buffer, size_t size_bytes) {
    return SYS_RETRY(send(fd, buffer, size_bytes, MSG_NOSIGNAL));
}

static inline ssize_t sys_send_message(int fd, const struct iovec *parts, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts};
    message.msg_iovlen = (__typeof__(message.msg_iovlen))count; /* size_t, int, unsigned */
    return SYS_RETRY(sendmsg(fd, &message, MSG_NOSIGNAL));
}

static inline ssize_t sys_send_to(int fd, const void *buffer, size_t size_bytes,
                                  const struct sockaddr *to, socklen_t to_size) {
    const ssize_t result = SYS_RETRY(sendto(fd, buffer, size_bytes, MSG_NOSIGNAL, to, to_size));
#ifndef __linux__ /* where a full Unix socket says something else */
    if (result == -ENOBUFS && to->sa_family == AF_UNIX)
        return -EAGAIN;
#endif
    return result;
}

static inline ssize_t sys_receive_from(int fd, void *buffer, size_t size_bytes,
                                       struct sockaddr *from, socklen_t *from_size) {
    return SYS_RETRY(recvfrom(fd, buffer, size_bytes, 0, from, from_size));
}

#ifndef SOCK_NONBLOCK
/* Makes a fresh socket what it could not be made at once, or closes it. */
static inline int sys_fresh(int fd) {
    int rc = fd < 0 ? fd : sys_set_nonblocking(fd);
    if (rc == 0)
        rc = (int)sys_result(fcntl(fd, F_SETFD, FD_CLOEXEC));
    if (rc < 0 && fd >= 0)
        close(fd);
    return rc < 0 ? rc : fd;
}
#endif

/* A socket, non-blocking and closed on exec. */
static inline int sys_socket(int family, int type, int protocol) {
#ifdef SOCK_NONBLOCK
    return (int)sys_result(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
#else
    return sys_fresh((int)sys_result(socket(family, type, protocol)));
#endif
}

static inline int sys_accept(int fd) {
#ifdef SOCK_NONBLOCK
    return (int)SYS_RETRY(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
#else
    return sys_fresh((int)SYS_RETRY(accept(fd, NULL, NULL)));
#endif
}

static inline int sys_connect(int fd, const struct sockaddr *to, socklen_t to_size) {
    return (int)sys_result(connect(fd, to, to_size));
}

static inline int sys_bind(int fd, const struct sockaddr *to, socklen_t to_size) {
    return (int)sys_result(bind(fd, to, to_size));
}

static inline int sys_listen(int fd, int backlog) {
    return (int)sys_result(listen(fd, backlog));
}

static inline int sys_set_option(int fd, int level, int option, int value) {
    return (int)sys_result(setsockopt(fd, level, option, &value, sizeof value));
}

static inline int sys_get_option(int fd, int level, int option, int *value) {
    socklen_t size = sizeof *value;
    return (int)sys_result(getsockopt(fd, level, option, value, &size));
}

/* The address family of a socket. */
static inline int sys_socket_domain(int fd, int *domain) {
#ifdef SO_DOMAIN
    return sys_get_option(fd, SOL_SOCKET, SO_DOMAIN, domain);
#else
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    const int rc = (int)sys_result(getsockname(fd, (struct sockaddr *)&address, &size));
    *domain = address.ss_family;
    return rc;
#endif
}

static inline int sys_shutdown(int fd, int how) {
    return (int)sys_result(shutdown(fd, how));
}

static inline int sys_own_address(int fd, struct sockaddr *out, socklen_t *size) {
    return (int)sys_result(getsockname(fd, out, size));
}

static inline int sys_peer_address(int fd, struct sockaddr *out, socklen_t *size) {
    return (int)sys_result(getpeername(fd, out, size));
}

/* Whether a path names a socket. */
static inline bool sys_is_socket(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISSOCK(info.st_mode);
}

static inline int sys_unlink(const char *path) {
    return (int)sys_result(unlink(path));
}

/* What the system says a descriptor is, such as a path; without a zero at its end. The length, or
 * -errno. */
static inline int sys_path_of(int fd, char *out, size_t size_bytes) {
#ifdef __linux__
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return (int)sys_result(readlink(link, out, size_bytes));
#else
    (void)fd, (void)out, (void)size_bytes;
    return -ENOSYS;
#endif
}

/* Which of the poll(2) events hold for `fd` now. */
static inline int sys_poll_now(int fd, short events) {
    struct pollfd ask = {.fd = fd, .events = events};
    const long count = SYS_RETRY(poll(&ask, 1, 0));
    return count < 0 ? (int)count : ask.revents;
}

#endif
