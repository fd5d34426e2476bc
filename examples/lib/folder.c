/* See folder.h. On Linux the kernel keeps a path below a folder (openat2), and tells whether it
 * could do so from its caches alone: then the call took about a microsecond and was made right
 * here; a trip to the pool and back would cost ten times that. Only what needs the disk goes there.
 * Elsewhere, or where a sandbox forbids the call, the path is walked a step at a time, and no link
 * is followed at all. */
#define _GNU_SOURCE 1 /* syscall, open_memstream */

#include "folder.h"

#include <coir/offload.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "url.h"

#if defined(SYS_openat2) && !defined(FOLDER_WITHOUT_OPENAT2)
#include <linux/openat2.h>
#define HAVE_OPENAT2 1
#ifndef RESOLVE_CACHED /* headers older than Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif
#else
#define HAVE_OPENAT2 0
#define RESOLVE_CACHED 0x20
#endif

#define LISTED_MAX 10000 /* names on one page */

/* O_NONBLOCK: so that opening a pipe does not wait for its writer. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

int folder_open(const char *path) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* ---- Opening ---- */

struct opening {
    int folder;
    const char *path;
    int flags;
};

/* Opens with the kernel's help. -ENOSYS if there is none. */
static int open_beneath(const struct opening *o, unsigned cached) {
#if HAVE_OPENAT2
    const struct open_how how = {
        .flags = (unsigned)o->flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | cached,
    };
    const long fd = syscall(SYS_openat2, o->folder, o->path, &how, sizeof(how));
    if (fd >= 0)
        return (int)fd;
    return errno == EPERM ? -ENOSYS : -errno; /* EPERM: how sandboxes forbid a call */
#else
    (void)o, (void)cached;
    return -ENOSYS;
#endif
}

/* Opens one segment of a path, which must be no link. */
static int open_segment(int folder, const char *segment, size_t length, int flags) {
    char name[NAME_MAX + 1];
    if (length > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, segment, length);
    name[length] = '\0';
    if (strcmp(name, "..") == 0)
        return -EXDEV;
    const int fd = openat(folder, name, flags | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Opens without the kernel's help: each folder on the way in turn. */
static int open_by_steps(const struct opening *o) {
    const char *segment = o->path;
    int folder = o->folder;
    for (;;) {
        const size_t length = strcspn(segment, "/");
        const bool last = segment[length] == '\0';
        const int flags = last ? o->flags : O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        const int next = open_segment(folder, segment, length, flags);
        if (folder != o->folder)
            close(folder);
        if (next < 0 || last)
            return next;
        folder = next;
        segment += length + 1;
    }
}

/* On a thread of the pool. -EAGAIN: somebody renamed a folder on the way meanwhile. */
static int open_waiting(void *arg) {
    const struct opening *const o = arg;
    int fd = -EAGAIN;
    for (int attempts = 0; fd == -EAGAIN && attempts < 16; attempts++)
        fd = open_beneath(o, 0);
    return fd == -ENOSYS ? open_by_steps(o) : fd;
}

int folder_open_below(int folder, const char *path, bool must_be_folder) {
    struct opening o = {folder, path, READ_FLAGS | (must_be_folder ? O_DIRECTORY : 0)};
    const int fd = open_beneath(&o, RESOLVE_CACHED);
    /* EAGAIN: not in the caches. EINVAL: a kernel that can not tell. */
    if (fd != -EAGAIN && fd != -EINVAL && fd != -ENOSYS)
        return fd;
    return coir_offload(open_waiting, &o);
}

/* ---- Listing ---- */

struct entry {
    char *name;
    bool is_folder;
};

struct listing {
    int folder;
    const char *path;
    char **page;
    size_t *size_bytes;

    struct entry *entries;
    size_t count, capacity;
    bool more; /* than LISTED_MAX */
};

static bool is_folder(int folder, const struct dirent *entry) {
    struct stat st;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int add_entry(struct listing *list, const struct dirent *entry) {
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        struct entry *const grown = realloc(list->entries, capacity * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        list->entries = grown;
        list->capacity = capacity;
    }
    struct entry *const added = &list->entries[list->count];
    added->name = strdup(entry->d_name);
    if (added->name == NULL)
        return -ENOMEM;
    added->is_folder = is_folder(list->folder, entry);
    list->count++;
    return 0;
}

static int read_entries(struct listing *list, DIR *dir) {
    const struct dirent *entry;
    int rc = 0;
    while (rc == 0 && !list->more && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (list->count == LISTED_MAX)
            list->more = true;
        else
            rc = add_entry(list, entry);
    }
    return rc;
}

static void write_escaped(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (strchr("<>&\"'", *text) != NULL)
            fprintf(out, "&#%d;", *text);
        else
            fputc(*text, out);
    }
}

/* "./" keeps a name like "javascript:x" from being read as a scheme. */
static void write_entry(FILE *out, const struct entry *entry) {
    const char *const slash = entry->is_folder ? "/" : "";
    fputs("<li><a href=\"./", out);
    url_write_segment(out, entry->name);
    fprintf(out, "%s\">", slash);
    write_escaped(out, entry->name);
    fprintf(out, "%s</a></li>\n", slash);
}

static void write_page(FILE *out, const struct listing *list) {
    const bool top = strcmp(list->path, ".") == 0;
    fputs("<!doctype html>\n<meta charset=\"utf-8\">\n<title>/", out);
    write_escaped(out, top ? "" : list->path);
    fputs("</title>\n<h1>/", out);
    write_escaped(out, top ? "" : list->path);
    fputs("</h1>\n<ul>\n", out);
    if (!top)
        fputs("<li><a href=\"../\">../</a></li>\n", out);
    for (size_t i = 0; i < list->count; i++)
        write_entry(out, &list->entries[i]);
    fputs("</ul>\n", out);
    if (list->more)
        fputs("<p>and more</p>\n", out);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int print_page(struct listing *list) {
    FILE *const out = open_memstream(list->page, list->size_bytes);
    if (out == NULL)
        return -ENOMEM;
    if (list->count > 0)
        qsort(list->entries, list->count, sizeof(*list->entries), by_name);
    write_page(out, list);
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

/* On a thread of the pool: reading a folder may wait for the disk at every step. */
static int list_waiting(void *arg) {
    struct listing *const list = arg;
    const int fd = openat(list->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        const int error = errno;
        if (fd >= 0)
            close(fd);
        return -error;
    }
    int rc = read_entries(list, dir);
    closedir(dir);
    if (rc == 0)
        rc = print_page(list);
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i].name);
    free(list->entries);
    return rc;
}

int folder_list(int folder, const char *path, char **page, size_t *size_bytes) {
    struct listing list = {.folder = folder, .path = path, .page = page, .size_bytes = size_bytes};
    *page = NULL;
    const int rc = coir_offload(list_waiting, &list);
    if (rc < 0) {
        free(*page);
        *page = NULL;
    }
    return rc;
}
