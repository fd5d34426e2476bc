/* Files with a name: regular ones, in memory, and the names of Unix sockets. A transfer takes the
 * time a disk does, in the threads that wait for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/sim.h"

#define DISK_TIME COIR_MS(20)
#define FILE_SIZE_MAX ((size_t)64 << 20)

struct inode {
    struct coir__sim_object object; /* the list of names and open files refer to it */
    struct coir__link link;         /* in the list; next is NULL once it is unlinked */
    char *path;
    bool socket;
    unsigned char *bytes;
    size_t size, room;
};

struct disk_file {
    struct coir__sim_file file;
    struct inode *inode;
    off_t position;
};

/* ---- Names ---- */

static void destroy_inode(struct coir__sim_object *object) {
    struct inode *const inode = (struct inode *)object;
    free(inode->path);
    free(inode->bytes);
    free(inode);
}

static struct inode *find(const char *path) {
    struct coir__link *const all = &coir__sim->disk;
    for (struct coir__link *link = all->next; link != all; link = link->next) {
        struct inode *const inode = list_entry(link, struct inode, link);
        if (strcmp(inode->path, path) == 0)
            return inode;
    }
    return NULL;
}

static struct inode *make(const char *path, bool socket) {
    struct inode *const inode = coir__sim_allocate(sizeof *inode);
    inode->object = (struct coir__sim_object){.references = 1, .destroy = destroy_inode};
    inode->path = coir__sim_allocate(strlen(path) + 1);
    memcpy(inode->path, path, strlen(path) + 1);
    inode->socket = socket;
    list_append(&coir__sim->disk, &inode->link);
    return inode;
}

static void remove_name(struct inode *inode) {
    list_take(&inode->link);
    coir__sim_drop(inode);
}

void coir__sim_disk_fini(void) {
    while (!list_empty(&coir__sim->disk))
        remove_name(list_entry(coir__sim->disk.next, struct inode, link));
}

bool coir__sim_path_exists(const char *path) {
    return find(path) != NULL;
}

int coir__sim_path_bind(const char *path) {
    if (find(path) != NULL)
        return -EADDRINUSE;
    (void)make(path, true);
    return 0;
}

int coir__sim_lstat(const char *path, struct stat *out) {
    if (coir__sim == NULL)
        return lstat(path, out);
    coir__sim_enter();
    const struct inode *const inode = find(path);
    if (inode != NULL)
        *out = (struct stat){.st_mode = inode->socket ? S_IFSOCK : S_IFREG,
                             .st_size = (off_t)inode->size};
    return (int)coir__sim_leave("lstat", -1, inode != NULL ? 0 : -ENOENT);
}

int coir__sim_unlink(const char *path) {
    if (coir__sim == NULL)
        return unlink(path);
    coir__sim_enter();
    struct inode *const inode = find(path);
    int rc =
        inode != NULL ? coir__sim_failure(COIR_SIM_EIO, COIR_SIM_ERRORS(EIO, EACCES)) : -ENOENT;
    if (rc == 0)
        remove_name(inode);
    return (int)coir__sim_leave("unlink", -1, rc);
}

/* Of /proc, which the simulated machine does not have. */
ssize_t coir__sim_readlink(const char *path, char *out, size_t size) {
    if (coir__sim == NULL)
        return readlink(path, out, size);
    return coir__sim_leave("readlink", -1, -ENOENT);
}

/* ---- Open files ---- */

static void destroy_file(struct coir__sim_object *object) {
    struct disk_file *const file = (struct disk_file *)object;
    coir__sim_drop(file->inode);
    free(file);
}

static unsigned always_ready(struct coir__sim_file *file) {
    (void)file;
    return 0x1 | 0x4; /* POLLIN | POLLOUT */
}

static const struct coir__sim_kind disk_kind = {
    .name = "file", .mode = S_IFREG, .ready = always_ready};

bool coir__sim_is_disk(const struct coir__sim_file *file) {
    return file->kind == &disk_kind;
}

int coir_sim_file(const char *path) {
    if (coir__sim == NULL)
        return -EPERM;
    struct inode *inode = path != NULL ? find(path) : NULL;
    if (path == NULL || (inode != NULL && inode->socket))
        return -EINVAL;
    coir__sim_enter();
    inode = find(path); /* time has passed */
    if (inode == NULL)
        inode = make(path, false);
    struct disk_file *const file = coir__sim_file_create(&disk_kind, sizeof *file, destroy_file);
    file->inode = coir__sim_hold(inode);
    return coir__sim_install(&file->file);
}

/* ---- Transfers ---- */

static void grow(struct inode *inode, size_t size) {
    if (size > inode->room) {
        const size_t room = size < 4096 ? 4096 : 2 * size;
        inode->bytes = realloc(inode->bytes, room);
        if (inode->bytes == NULL)
            coir__sim_fatal("there is no memory for the simulation itself");
        memset(inode->bytes + inode->room, 0, room - inode->room);
        inode->room = room;
    }
    inode->size = size > inode->size ? size : inode->size;
}

/* How many bytes this one call moves. */
static size_t share(size_t asked, bool writing) {
    if (asked > 1 && coir__sim_fault(writing ? COIR_SIM_SHORT_WRITE : COIR_SIM_SHORT_READ))
        return 1 + coir__sim_draw((uint32_t)(asked - 1));
    return asked;
}

static ssize_t move(struct inode *inode, bool writing, const struct iovec *parts, size_t size,
                    size_t at) {
    if (writing) {
        if (size > FILE_SIZE_MAX || at > FILE_SIZE_MAX - size)
            return -EFBIG;
        grow(inode, at + size);
    } else {
        const size_t there = at < inode->size ? inode->size - at : 0;
        size = size < there ? size : there;
    }
    if (size > 0)
        coir__sim_copy_parts(parts, 0, inode->bytes + at, size, !writing);
    return (ssize_t)size;
}

ssize_t coir__sim_disk_transfer(struct coir__sim_file *file, bool writing,
                                const struct iovec *parts, int count, off_t offset) {
    struct disk_file *const it = (struct disk_file *)coir__sim_hold(file);
    coir__sim_pause(coir__sim_draw_time(DISK_TIME));
    static const int to_read[] = {EIO, ENOMEM, EINTR, 0},
                     to_write[] = {EIO, ENOSPC, EDQUOT, EINTR, 0};
    ssize_t rc = coir__sim_fault(COIR_SIM_EINTR)
                     ? -EINTR
                     : coir__sim_failure(COIR_SIM_EIO, writing ? to_write : to_read);
    if (rc == 0)
        rc = move(it->inode, writing, parts, share(coir__sim_parts_size(parts, count), writing),
                  (size_t)(offset < 0 ? it->position : offset));
    if (rc > 0 && offset < 0)
        it->position += rc;
    coir__sim_drop(it);
    return rc;
}
