/* Reading and writing descriptors without blocking the thread.
 *
 * A descriptor must be known to the runtime: made by it (net.h), or handed to it by coir_adopt.
 * One task may read and one may write it at a time; a second gets -EBUSY. Each call first checks
 * for cancellation (-ECANCELED, no effect), then tries the system call, and parks only if that says
 * it would block. Regular files, which no poller can wait for, are read and written on the offload
 * pool where the page cache cannot serve them at once, by any number of tasks at a time.
 *
 * Errors common to all: -ECANCELED; -EBADF the descriptor is not known, or was closed by
 * coir_close meanwhile; -EBUSY another task is at it in the same direction; -EPERM outside the
 * runtime; and whatever the system call itself reports (-ECONNRESET, -EPIPE, ...; no SIGPIPE is
 * raised on sockets). */
#ifndef COIR_IO_H
#define COIR_IO_H

#include <sys/uio.h>

#include "base.h"

COIR_BEGIN_DECLS

/* Makes a descriptor from elsewhere known to this runtime: a pipe, a terminal, a socket, a regular
 * file. It is switched to non-blocking mode (of the open file description, which duplicates and
 * other processes share). Its ownership does not change; coir_close forgets and closes it, and
 * coir_release forgets it without closing. Adopting again is harmless. Returns 0; -EBADF it is not
 * open; -ENOMEM; -EBUSY tasks are waiting for it; -EPERM outside the runtime. Never parks. */
COIR_API COIR_MUST_CHECK int coir_adopt(int fd);

/* Makes the runtime forget a descriptor without closing it; it stays non-blocking. Errors: -EBADF
 * not known; -EBUSY tasks are waiting for it; -EPERM. Never parks. */
COIR_API int coir_release(int fd);

/* Wakes the tasks that wait for the descriptor with -EBADF, then closes it. Never parks, is not
 * stopped by cancellation. A regular file on which a thread is at work is closed when that is done,
 * and what it does then counts. Errors: -EBADF not known; -EIO and the like from close itself (the
 * descriptor is gone all the same); -EPERM outside the runtime. */
COIR_API int coir_close(int fd);

/* Reads at most size_bytes into buffer, once something is there. Returns the number of bytes; 0 at
 * the end of the stream. */
COIR_API COIR_MUST_CHECK ssize_t coir_read(int fd, void *buffer, size_t size_bytes);
COIR_API COIR_MUST_CHECK ssize_t coir_readv(int fd, const struct iovec *parts, int count);

/* Writes at least one byte of the buffer, once there is room. Returns the number written. */
COIR_API COIR_MUST_CHECK ssize_t coir_write(int fd, const void *buffer, size_t size_bytes);
COIR_API COIR_MUST_CHECK ssize_t coir_writev(int fd, const struct iovec *parts, int count);

/* Reads exactly size_bytes. Returns 0; -EPIPE if the stream ended before (a clean end is *done 0);
 * or an error. In each case *done (may be NULL) is how many bytes were read. */
COIR_API COIR_MUST_CHECK int coir_read_exact(int fd, void *buffer, size_t size_bytes, size_t *done);

/* Writes all of it. Returns 0 or an error; *done (may be NULL) is how many bytes were written. */
COIR_API COIR_MUST_CHECK int coir_write_all(int fd, const void *buffer, size_t size_bytes,
                                            size_t *done);

/* Read and write a regular file at an offset, leaving its position alone. -ESPIPE otherwise. */
COIR_API COIR_MUST_CHECK ssize_t coir_pread(int fd, void *buffer, size_t size_bytes, off_t offset);
COIR_API COIR_MUST_CHECK ssize_t coir_pwrite(int fd, const void *buffer, size_t size_bytes,
                                             off_t offset);

#define COIR_READABLE 1
#define COIR_WRITABLE 2

/* Waits until the descriptor is ready in one of the directions of `events` (COIR_READABLE |
 * COIR_WRITABLE) and returns those that are. For libraries that do their own system calls: asks
 * the system each time. A regular file is always ready. Errors further: -EINVAL no or unknown
 * events. */
COIR_API COIR_MUST_CHECK int coir_poll(int fd, int events);

COIR_END_DECLS

#endif
