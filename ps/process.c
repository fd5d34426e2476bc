/* A process that lives. Its memory is read by process_vm_readv, which does not stop it; so that
 * what is read belongs together, the threads that run tasks are held meanwhile, and no other ones.
 *
 * A thread is held by PTRACE_INTERRUPT, of which the program notices nothing but that a system call
 * which waits may return early, as by a signal: epoll_wait does. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "copy.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 1024     /* ranges that the kernel takes in one call */
#define SHARE_MIN 4096   /* ranges that are worth a thread of their own */
#define SHARES_MAX 16    /* threads */
#define PATIENCE_MS 3000 /* for a thread to stop */

struct held {
    pid_t tid;
    long thread; /* the number that it has for itself */
    int signal;  /* that was about to be delivered; 0: none */
};

struct process {
    struct held *held;
    size_t count;
};

/* ---- What /proc tells ---- */

/* A line of /proc/PID/status, from behind its name on; empty if there is none. */
static void status_line(pid_t pid, const char *name, char *out, size_t size_bytes) {
    char path[64], line[512];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    out[0] = '\0';
    FILE *const file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            (void)snprintf(out, size_bytes, "%s", line + strlen(name) + 1);
    (void)fclose(file);
}

/* The last of the numbers in a line, and how many there are. */
static long last_number(const char *line, unsigned *count) {
    long number = 0;
    char *end;
    for (*count = 0;; line = end, ++*count) {
        const long next = strtol(line, &end, 10);
        if (end == line)
            return number;
        number = next;
    }
}

/* The thread with that number for itself: in a container it has another one there than here. */
static pid_t tid_of(pid_t pid, long thread) {
    char line[256], path[64];
    unsigned count;
    status_line(pid, "NSpid", line, sizeof line);
    (void)last_number(line, &count);
    if (count <= 1)
        return (pid_t)thread;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *const folder = opendir(path);
    pid_t found = 0;
    const struct dirent *entry;
    while (found == 0 && folder != NULL && (entry = readdir(folder)) != NULL) {
        const pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        status_line(tid, "NSpid", line, sizeof line);
        if (tid > 0 && last_number(line, &count) == thread)
            found = tid;
    }
    if (folder != NULL)
        (void)closedir(folder);
    return found;
}

static _Noreturn void die_of_permission(const struct target *target) {
    char line[64] = "";
    unsigned count;
    status_line(target->pid, "VmSize", line, sizeof line);
    if (line[0] == '\0') /* of one that is ending nobody may look into what is left */
        die("%s has ended", target->name);
    status_line(target->pid, "TracerPid", line, sizeof line);
    const long tracer = last_number(line, &count);
    if (tracer != 0)
        die("%s is held by process %ld, a debugger: two at a time cannot look into it",
            target->name, tracer);
    FILE *const file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    const bool restricted =
        file != NULL && fgets(line, sizeof line, file) != NULL && line[0] != '0';
    if (file != NULL)
        (void)fclose(file);
    if (restricted)
        die("%s may not be looked into: here a user may not even look into processes of his own "
            "(/proc/sys/kernel/yama/ptrace_scope is %c): sudo coir-ps %d",
            target->name, line[0], (int)target->pid);
    die("%s may not be looked into: that takes its user, or root (sudo coir-ps %d), and in a "
        "container the capability SYS_PTRACE",
        target->name, (int)target->pid);
}

/* ---- Memory ---- */

static bool read_process(const struct target *target, uint64_t address, void *out,
                         size_t size_bytes) {
    const struct iovec to = {.iov_base = out, .iov_len = size_bytes};
    const struct iovec from = {.iov_base = (void *)(uintptr_t)address, .iov_len = size_bytes};
    const ssize_t size = process_vm_readv(target->pid, &to, 1, &from, 1, 0);
    if (size < 0 && errno == EPERM)
        die_of_permission(target);
    if (size < 0 && errno == ESRCH)
        die("%s has ended", target->name);
    return size == (ssize_t)size_bytes;
}

/* In one call, from the first on; returns how many could be read in whole. */
static size_t read_some(const struct target *target, const struct piece *pieces, size_t count) {
    struct iovec to[AT_ONCE], from[AT_ONCE];
    for (size_t i = 0; i < count; i++) {
        const size_t size = pieces[i].high - pieces[i].low;
        to[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].bytes, .iov_len = size};
        from[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].low, .iov_len = size};
    }
    ssize_t size = process_vm_readv(target->pid, to, count, from, count, 0);
    size_t done = 0;
    for (; done < count && size >= (ssize_t)to[done].iov_len; done++)
        size -= (ssize_t)to[done].iov_len;
    return done;
}

struct share {
    const struct target *target;
    struct piece *pieces;
    size_t count;
};

static void *read_share(void *arg) {
    const struct share *const share = arg;
    for (size_t done = 0; done < share->count;) {
        const size_t wanted = share->count - done < AT_ONCE ? share->count - done : AT_ONCE;
        const size_t read = read_some(share->target, share->pieces + done, wanted);
        done += read;
        if (read < wanted)
            share->pieces[done++].bytes = NULL;
    }
    return NULL;
}

/* Many by several threads: what takes the time is the kernel's look-up of each page, and the
 * processor of the thread that is held has nothing else to do. */
static void read_all_process(const struct target *target, struct piece *pieces, size_t count) {
    struct share shares[SHARES_MAX];
    pthread_t threads[SHARES_MAX];
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t number = count / SHARE_MIN + 1, begun = 0;
    if (number > SHARES_MAX)
        number = SHARES_MAX;
    if (processors > 0 && number > (size_t)processors)
        number = (size_t)processors;
    for (size_t i = 0; i < number; i++) {
        const size_t from = count * i / number, to = count * (i + 1) / number;
        shares[i] = (struct share){.target = target, .pieces = pieces + from, .count = to - from};
    }
    while (begun + 1 < number &&
           pthread_create(&threads[begun], NULL, read_share, &shares[begun]) == 0)
        begun++;
    for (size_t i = begun; i < number; i++)
        (void)read_share(&shares[i]);
    while (begun > 0)
        (void)pthread_join(threads[--begun], NULL);
}

static FILE *open_maps(const struct target *target) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)target->pid);
    FILE *const maps = fopen(path, "re");
    if (maps == NULL && errno == ENOENT)
        die("there is no process %d", (int)target->pid);
    if (maps == NULL)
        die_of_permission(target);
    return maps;
}

static void search_process(const struct target *target, target_visit *visit, void *context) {
    char line[4352], path[2];
    uint64_t low, high;
    FILE *const maps = open_maps(target);
    while (fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-p %*s %*s %*s %1[/]", &low, &high, path) ==
                3 &&
            visit(target, low, high, context))
            break;
    (void)fclose(maps);
}

/* ---- Threads ---- */

/* How it stopped: the signal it was about to be given, or 0. -1: it is gone. */
static int await_stop(const struct target *target, pid_t tid) {
    for (int waited_us = 0; waited_us < PATIENCE_MS * 1000; waited_us += 50) {
        int status;
        const pid_t pid = waitpid(tid, &status, __WALL | WNOHANG);
        if (pid == tid && WIFSTOPPED(status))
            return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
        if (pid != 0)
            return -1;
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
    die("%s does not stop: its thread %d is in a wait of the kernel's that nothing interrupts. Try "
        "again",
        target->name, (int)tid);
}

static void hold_thread(struct target *target, long thread) {
    struct process *const process = target->own;
    const pid_t tid = tid_of(target->pid, thread);
    if (tid == 0 || ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
        if (tid != 0 && errno != ESRCH)
            die_of_permission(target);
        return;
    }
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
        return;
    const int signal_number = await_stop(target, tid);
    if (signal_number < 0)
        return;
    process->held = enlarge(process->held, (process->count + 1) * sizeof *process->held);
    process->held[process->count++] =
        (struct held){.tid = tid, .thread = thread, .signal = signal_number};
}

static bool read_registers(const struct target *target, long thread, struct registers *out) {
    const struct process *const process = target->own;
    uint64_t saved[64];
    struct iovec to = {.iov_base = saved, .iov_len = sizeof saved};
    for (size_t i = 0; i < process->count; i++) {
        const struct held *const held = &process->held[i];
        if (held->thread == thread &&
            ptrace(PTRACE_GETREGSET, held->tid, (void *)NT_PRSTATUS, &to) == 0) {
            target_registers(target, saved, out);
            return true;
        }
    }
    return false;
}

static void release_process(struct target *target) {
    struct process *const process = target->own;
    for (size_t i = 0; i < process->count; i++)
        (void)ptrace(PTRACE_DETACH, process->held[i].tid, NULL,
                     (void *)(intptr_t)process->held[i].signal);
    process->count = 0;
}

/* ---- Program files ---- */

/* Opens a file as the process sees it: below its root, and also if it has been deleted or replaced
 * since. */
static int open_mapped(pid_t pid, const char *path, uint64_t start) {
    static const char deleted[] = " (deleted)";
    const size_t length = strlen(path);
    char there[4352], here[64];
    if (length <= strlen(deleted) || strcmp(path + length - strlen(deleted), deleted) != 0) {
        (void)snprintf(there, sizeof there, "/proc/%d/root%s", (int)pid, path);
        return open(there, O_RDONLY | O_CLOEXEC);
    }
    (void)snprintf(here, sizeof here, "/proc/%d/exe", (int)pid);
    const ssize_t size = readlink(here, there, sizeof there - 1);
    if (size == (ssize_t)length && memcmp(there, path, length) == 0)
        return open(here, O_RDONLY | O_CLOEXEC);
    (void)snprintf(here, sizeof here, "/proc/%d/map_files", (int)pid);
    DIR *const folder = opendir(here);
    const struct dirent *entry;
    int fd = -1;
    while (fd < 0 && folder != NULL && (entry = readdir(folder)) != NULL)
        if (strtoull(entry->d_name, NULL, 16) == start)
            fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
    if (folder != NULL)
        (void)closedir(folder);
    return fd;
}

static pid_t reported; /* libdwfl hands its callbacks nothing of ours */

static int find_file(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                     char **file_name, Elf **elf) {
    Dwarf_Addr start = base;
    (void)dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    const int fd = name[0] == '/' ? open_mapped(reported, name, start) : -1;
    if (fd < 0)
        return dwfl_linux_proc_find_elf(module, userdata, name, base, file_name, elf);
    *file_name = strdup(name);
    return fd;
}

static void report_process(struct target *target) {
    static const Dwfl_Callbacks callbacks = {.find_elf = find_file,
                                             .find_debuginfo = dwfl_standard_find_debuginfo};
    reported = target->pid;
    target->dwfl = dwfl_begin(&callbacks);
    if (target->dwfl == NULL || dwfl_linux_proc_report(target->dwfl, target->pid) != 0 ||
        dwfl_report_end(target->dwfl, NULL, NULL) != 0)
        die("the files of %s cannot be found: %s", target->name, dwfl_errmsg(-1));
}

/* ---- Opening and closing ---- */

static void close_process(struct target *target) {
    struct process *const process = target->own;
    free(process->held);
    free(process);
}

static const struct target_kind kind = {
    .read = read_process,
    .read_all = read_all_process,
    .search = search_process,
    .hold = hold_thread,
    .registers = read_registers,
    .release = release_process,
    .report = report_process,
    .close = close_process,
};

void target_open_process(struct target *target, pid_t pid) {
    char path[64];
    unsigned char header[64];
    *target = (struct target){.kind = &kind, .pid = pid, .own = allocate(sizeof(struct process))};
    (void)snprintf(target->name, sizeof target->name, "process %d", (int)pid);
    FILE *const maps = open_maps(target);
    const bool empty = fgetc(maps) == EOF;
    (void)fclose(maps);
    if (empty)
        die("%s has no memory: it has ended, or is one of the kernel's", target->name);
    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die_of_permission(target);
    const ssize_t size = read(fd, header, sizeof header);
    (void)close(fd);
    target_check_header(target, header, size > 0 ? (size_t)size : 0);
}
