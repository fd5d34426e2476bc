/* Descriptors: their numbers, and the system calls that take one and are the same for all kinds.
 *
 * What a call on a kind of file does is that kind's; here are the faults that all of them have in
 * common: interruption, EAGAIN for no reason, short transfers, connections that break. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/sim.h"

#define FIRST_DESCRIPTOR 3

/* ---- The table ---- */

static void destroy_file(struct coir__sim_object *object) {
    free(object);
}

void *coir__sim_file_create(const struct coir__sim_kind *kind, size_t size_bytes,
                            void (*destroy)(struct coir__sim_object *object)) {
    struct coir__sim_file *const file = coir__sim_allocate(size_bytes);
    file->object.references = 1;
    file->object.destroy = destroy != NULL ? destroy : destroy_file;
    file->kind = kind;
    file->fd = -1;
    list_init(&file->watches);
    return file;
}

struct coir__sim_file *coir__sim_file_of(int fd) {
    return fd >= 0 && fd < COIR_SIM_DESCRIPTORS ? coir__sim->files[fd] : NULL;
}

static int most_descriptors(const struct coir__sim *sim) {
    const unsigned most = sim->options.descriptors_max;
    return most == 0 || most > COIR_SIM_DESCRIPTORS ? COIR_SIM_DESCRIPTORS : (int)most;
}

int coir__sim_reserve(void) {
    const struct coir__sim *const sim = coir__sim;
    int rc = coir__sim_failure(COIR_SIM_EMFILE, COIR_SIM_ERRORS(EMFILE, ENFILE));
    if (rc == 0 && coir__sim_fault(COIR_SIM_ENFILE))
        rc = -ENFILE;
    if (rc < 0)
        return rc;
    for (int fd = FIRST_DESCRIPTOR; fd < most_descriptors(sim); fd++)
        if (sim->files[fd] == NULL)
            return fd;
    return -EMFILE;
}

/* The end of a file's life as far as the program is concerned. */
static void close_file(struct coir__sim_file *file) {
    file->fd = -1;
    coir__sim_unwatch(file);
    if (file->kind->closed != NULL)
        file->kind->closed(file);
    coir__sim_drop(file);
}

void coir__sim_install_at(struct coir__sim_file *file, int fd) {
    coir__sim->files[fd] = file;
    file->fd = fd;
    coir__sim->report.descriptors_left++;
}

int coir__sim_install(struct coir__sim_file *file) {
    const int fd = coir__sim_reserve();
    if (fd >= 0)
        coir__sim_install_at(file, fd);
    else
        close_file(file);
    return fd;
}

/* ---- Entering and leaving the kernel ---- */

void coir__sim_enter(void) {
    struct coir__sim *const sim = coir__sim;
    const coir_time most = sim->options.call_time != 0 ? sim->options.call_time : COIR_US(1);
    coir_time duration = coir__sim_draw_time(most);
    if (coir__sim_fault(COIR_SIM_SLOW_CALL))
        duration += coir__sim_draw_time(COIR_MS(100));
    if (coir__sim_fault(COIR_SIM_CLOCK_JUMP))
        duration += COIR_SEC(1) + coir__sim_draw_time(COIR_SEC(300));
    if (sim->thread != NULL) {
        coir__sim_pause(duration);
        return;
    }
    sim->now += duration;
    coir__sim_catch_up();
}

long coir__sim_leave(const char *call, int fd, long rc) {
    coir__sim_note((uint64_t)rc << 16 ^ (uint64_t)(unsigned)fd);
    coir__sim_note((uint64_t)coir__sim->now);
    char result[64];
    if (coir__sim->options.trace != NULL) {
        (void)snprintf(result, sizeof result, "%ld", rc);
        const char *const text = rc < 0 ? coir_strerror((int)rc) : result;
        if (fd >= 0)
            coir__sim_trace("%s(%d) = %s", call, fd, text);
        else
            coir__sim_trace("%s = %s", call, text);
    }
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

/* ---- Parts ---- */

size_t coir__sim_parts_size(const struct iovec *parts, int count) {
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

void coir__sim_copy_parts(const struct iovec *parts, size_t skip, void *memory, size_t size,
                          bool into_parts) {
    unsigned char *place = memory;
    for (; size > 0; parts++) {
        if (skip >= parts->iov_len) {
            skip -= parts->iov_len;
            continue;
        }
        const size_t room = parts->iov_len - skip;
        const size_t count = size < room ? size : room;
        unsigned char *const part = (unsigned char *)parts->iov_base + skip;
        if (into_parts)
            memcpy(part, place, count);
        else
            memcpy(place, part, count);
        place += count;
        size -= count;
        skip = 0;
    }
}

/* ---- Input and output ---- */

static unsigned direction(bool writing) {
    return writing ? EPOLLOUT : EPOLLIN;
}

/* What the system may say of a transfer. */
static const int *errors_of(const struct coir__sim_file *file, bool writing) {
    static const int to_read[] = {ENOMEM, EIO, EINTR, EAGAIN, 0};
    static const int to_write[] = {ENOBUFS, ENOMEM, EIO, EINTR, EAGAIN, 0};
    static const int to_receive[] = {ENOMEM, ETIMEDOUT, EHOSTUNREACH, ECONNRESET, EINTR, EAGAIN, 0};
    static const int to_send[] = {ENOBUFS, ENOMEM, ETIMEDOUT, ECONNRESET, EINTR, EAGAIN, 0};
    if (file->kind->broken != NULL)
        return writing ? to_send : to_receive;
    return writing ? to_write : to_read;
}

/* What befalls a call on any kind of file that could go on: 0, or an error. */
static int mishap(struct coir__sim_file *file, bool writing) {
    if (file->kind->mode == 0) /* an event counter, which never fails */
        return 0;
    if (coir__sim_fault(COIR_SIM_EINTR))
        return -EINTR;
    const int rc = coir__sim_failure(COIR_SIM_ENOBUFS, errors_of(file, writing));
    if (rc < 0 && rc != -EAGAIN && rc != -ECONNRESET)
        return rc;
    if (rc == -ECONNRESET || (file->kind->broken != NULL && coir__sim_fault(COIR_SIM_RESET)))
        file->kind->broken(file);
    if ((file->kind->ready(file) & direction(writing)) &&
        (rc == -EAGAIN || coir__sim_fault(COIR_SIM_EAGAIN))) {
        coir__sim_notify_later(file, direction(writing));
        return -EAGAIN;
    }
    return 0; /* a broken connection tells; one that is not ready says EAGAIN by itself */
}

/* How much of `size` bytes one call may move; all or nothing of a datagram. */
static size_t share(const struct coir__sim_file *file, bool writing, size_t size) {
    const bool divisible = file->kind->broken != NULL || S_ISFIFO(file->kind->mode);
    if (size > 1 && divisible &&
        coir__sim_fault(writing ? COIR_SIM_SHORT_WRITE : COIR_SIM_SHORT_READ))
        return 1 + coir__sim_draw((uint32_t)(size - 1 < 4096 ? size - 1 : 4096));
    return size;
}

static int wrong_direction(const struct coir__sim_file *file) {
    return S_ISFIFO(file->kind->mode) ? -EBADF : -EINVAL;
}

/* TCP gives all that there is: less means that the rest has yet to come, and that will be told. */
static bool is_remote(struct coir__sim_file *file) {
    const struct coir__sim_flow *const flow =
        file->kind->flow != NULL ? file->kind->flow(file, false) : NULL;
    return flow != NULL && flow->remote;
}

static ssize_t input(int fd, const struct iovec *parts, int count,
                     struct coir__sim_message *message) {
    coir__sim_enter();
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (file == NULL)
        return -EBADF;
    if (coir__sim_is_disk(file))
        return coir__sim_disk_transfer(file, false, parts, count, -1);
    if (file->kind->input == NULL)
        return wrong_direction(file);
    const int rc = mishap(file, false);
    if (rc < 0)
        return rc;
    const size_t asked = coir__sim_parts_size(parts, count), most = share(file, false, asked);
    const ssize_t moved = file->kind->input(file, parts, count, most, message);
    if (moved > 0 && most < asked && is_remote(file))
        coir__sim_notify_later(file, EPOLLIN);
    return moved;
}

static ssize_t output(int fd, const struct iovec *parts, int count,
                      const struct coir__sim_message *message) {
    coir__sim_enter();
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (file == NULL)
        return -EBADF;
    if (coir__sim_is_disk(file))
        return coir__sim_disk_transfer(file, true, parts, count, -1);
    if (file->kind->output == NULL)
        return wrong_direction(file);
    const int rc = mishap(file, true);
    if (rc < 0)
        return rc;
    const size_t most = share(file, true, coir__sim_parts_size(parts, count));
    return file->kind->output(file, parts, count, most, message);
}

ssize_t coir__sim_read(int fd, void *buffer, size_t size) {
    const struct iovec part = {.iov_base = buffer, .iov_len = size};
    if (coir__sim == NULL)
        return read(fd, buffer, size);
    return coir__sim_leave("read", fd, input(fd, &part, 1, NULL));
}

ssize_t coir__sim_write(int fd, const void *buffer, size_t size) {
    const struct iovec part = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = size};
    if (coir__sim == NULL)
        return write(fd, buffer, size);
    return coir__sim_leave("write", fd, output(fd, &part, 1, NULL));
}

ssize_t coir__sim_readv(int fd, const struct iovec *parts, int count) {
    if (coir__sim == NULL)
        return readv(fd, parts, count);
    return coir__sim_leave("readv", fd, input(fd, parts, count, NULL));
}

ssize_t coir__sim_writev(int fd, const struct iovec *parts, int count) {
    if (coir__sim == NULL)
        return writev(fd, parts, count);
    return coir__sim_leave("writev", fd, output(fd, parts, count, NULL));
}

static bool is_no_socket(int fd) {
    const struct coir__sim_file *const file = coir__sim_file_of(fd);
    return file != NULL && !S_ISSOCK(file->kind->mode);
}

ssize_t coir__sim_recv(int fd, void *buffer, size_t size, int flags) {
    const struct iovec part = {.iov_base = buffer, .iov_len = size};
    if (coir__sim == NULL)
        return recv(fd, buffer, size, flags);
    return coir__sim_leave("recv", fd, is_no_socket(fd) ? -ENOTSOCK : input(fd, &part, 1, NULL));
}

ssize_t coir__sim_send(int fd, const void *buffer, size_t size, int flags) {
    const struct iovec part = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = size};
    if (coir__sim == NULL)
        return send(fd, buffer, size, flags);
    return coir__sim_leave("send", fd, is_no_socket(fd) ? -ENOTSOCK : output(fd, &part, 1, NULL));
}

ssize_t coir__sim_sendmsg(int fd, const struct msghdr *message, int flags) {
    if (coir__sim == NULL)
        return sendmsg(fd, message, flags);
    const int count = (int)message->msg_iovlen;
    return coir__sim_leave(
        "sendmsg", fd, is_no_socket(fd) ? -ENOTSOCK : output(fd, message->msg_iov, count, NULL));
}

ssize_t coir__sim_sendto(int fd, const void *buffer, size_t size, int flags,
                         const struct sockaddr *to, socklen_t to_size) {
    const struct iovec part = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = size};
    if (coir__sim == NULL)
        return sendto(fd, buffer, size, flags, to, to_size);
    struct coir__sim_message message = {.address.size = to_size};
    memcpy(&message.address.as, to, to_size);
    return coir__sim_leave("sendto", fd,
                           is_no_socket(fd) ? -ENOTSOCK : output(fd, &part, 1, &message));
}

ssize_t coir__sim_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                           socklen_t *from_size) {
    const struct iovec part = {.iov_base = buffer, .iov_len = size};
    if (coir__sim == NULL)
        return recvfrom(fd, buffer, size, flags, from, from_size);
    struct coir__sim_message message = {.address.size = 0};
    const ssize_t rc = is_no_socket(fd) ? -ENOTSOCK : input(fd, &part, 1, &message);
    if (rc >= 0) {
        memcpy(from, &message.address.as, message.address.size);
        *from_size = message.address.size;
    }
    return coir__sim_leave("recvfrom", fd, rc);
}

/* ---- Regular files: at an offset ---- */

static ssize_t at_offset(int fd, bool writing, const struct iovec *parts, int count, off_t offset) {
    coir__sim_enter();
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (file == NULL)
        return -EBADF;
    return coir__sim_is_disk(file) ? coir__sim_disk_transfer(file, writing, parts, count, offset)
                                   : -ESPIPE;
}

ssize_t coir__sim_preadv(int fd, const struct iovec *parts, int count, off_t offset) {
    if (coir__sim == NULL)
        return preadv(fd, parts, count, offset);
    return coir__sim_leave("preadv", fd, at_offset(fd, false, parts, count, offset));
}

ssize_t coir__sim_pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    if (coir__sim == NULL)
        return pwritev(fd, parts, count, offset);
    return coir__sim_leave("pwritev", fd, at_offset(fd, true, parts, count, offset));
}

/* With RWF_NOWAIT, and so without the disk. */
ssize_t coir__sim_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    if (coir__sim == NULL)
        return preadv2(fd, parts, count, offset, flags);
    coir__sim_enter();
    if (coir__sim_fault(COIR_SIM_UNCACHED) ||
        coir__sim_planned(COIR_SIM_UNCACHED, COIR_SIM_ERRORS(EAGAIN)) < 0)
        return coir__sim_leave("preadv2", fd, -EAGAIN);
    return coir__sim_leave("preadv2", fd, at_offset(fd, false, parts, count, offset));
}

/* ---- Close, and asking about a descriptor ---- */

/* Fails only after the descriptor is gone, as on Linux. */
int coir__sim_close(int fd) {
    struct coir__sim *const sim = coir__sim;
    if (sim == NULL)
        return close(fd);
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    const bool aside = file != NULL && file->kind->aside;
    if (!aside)
        coir__sim_enter();
    if (file == NULL)
        return (int)coir__sim_leave("close", fd, -EBADF);
    sim->files[fd] = NULL;
    sim->report.descriptors_left--;
    close_file(file);
    if (aside)
        return 0;
    if (coir__sim_fault(COIR_SIM_EINTR))
        return (int)coir__sim_leave("close", fd, -EINTR);
    return (int)coir__sim_leave(
        "close", fd, coir__sim_failure(COIR_SIM_EIO, COIR_SIM_ERRORS(EIO, ENOSPC, EINTR)));
}

int coir__sim_fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    const int value = command == F_SETFL ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (coir__sim == NULL)
        return fcntl(fd, command, value);
    struct coir__sim_file *const file = coir__sim_file_of(fd);
    int rc = file != NULL ? 0 : -EBADF;
    if (rc == 0 && command == F_GETFL)
        rc = O_RDWR | (file->blocking ? 0 : O_NONBLOCK);
    else if (rc == 0 && command == F_SETFL)
        file->blocking = (value & O_NONBLOCK) == 0;
    else if (rc == 0)
        rc = -EINVAL;
    return (int)coir__sim_leave("fcntl", fd, rc);
}

int coir__sim_fstat(int fd, struct stat *out) {
    if (coir__sim == NULL)
        return fstat(fd, out);
    const struct coir__sim_file *const file = coir__sim_file_of(fd);
    if (file != NULL)
        *out = (struct stat){.st_mode = file->kind->mode | 0600};
    return (int)coir__sim_leave("fstat", fd, file != NULL ? 0 : -EBADF);
}

/* One descriptor, without waiting: all that the library asks for. */
int coir__sim_poll(struct pollfd *ask, nfds_t count, int timeout) {
    if (coir__sim == NULL)
        return poll(ask, count, timeout);
    if (count != 1 || timeout != 0)
        coir__sim_fatal("poll of more than one descriptor, or that waits, is not simulated");
    coir__sim_enter();
    if (coir__sim_fault(COIR_SIM_EINTR))
        return (int)coir__sim_leave("poll", ask->fd, -EINTR);
    struct coir__sim_file *const file = coir__sim_file_of(ask->fd);
    const unsigned wanted = (unsigned)(unsigned short)ask->events | POLLERR | POLLHUP;
    ask->revents = (short)(file != NULL ? file->kind->ready(file) & wanted : POLLNVAL);
    return (int)coir__sim_leave("poll", ask->fd, ask->revents != 0);
}
