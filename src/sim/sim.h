/* The simulated system, as its own files see it: one world a thread, made and unmade by run.c.
 *
 * The library is compiled against libc.h, which redirects its calls of the C library to functions
 * here; while no world exists they pass on to the real ones. Within the world:
 *   - all choices come from coir__sim_draw, so that a seed determines the run;
 *   - time passes only in calls (coir__sim_enter) and while the poller sleeps;
 *   - what happens later is an event, which keeps the object it concerns alive. */
#ifndef COIR_SIM_SIM_H
#define COIR_SIM_SIM_H

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "coir/sim.h"
#include "core/runtime.h"
#include "io/address.h"

#define COIR_SIM_DESCRIPTORS 1024
#define COIR_SIM_START COIR_SEC(3600)

/* ---- Objects and events (world.c) ---- */

/* What descriptors, events and other objects refer to; destroyed with the last reference. */
struct coir__sim_object {
    unsigned references;
    void (*destroy)(struct coir__sim_object *object);
};

typedef void coir__sim_action(struct coir__sim_object *object, uint64_t number);

struct coir__sim_event {
    coir_time time;
    uint64_t order; /* of those at the same time */
    coir__sim_action *action;
    struct coir__sim_object *object; /* a reference is held; may be NULL */
    uint64_t number;
};

struct coir__sim_thread;

/* For the tests of the library itself. */
struct coir__sim_hooks {
    void (*on_idle)(void *context, coir_time until); /* nothing is ready: time is about to pass */
    void (*on_message)(void *context, const char *text, size_t size);
    /* fail_nth makes a call fail, with the error, which is one of `kinds` that it may give. */
    void (*on_failure)(void *context, int error, unsigned kinds);
    void *context;
    unsigned fail_kind; /* which of them: of those of the n-th call, from 0 */
    bool fail_alike;    /* for ever: only what fails for the same reason */
};

struct coir__sim {
    coir_sim_options options;
    coir_sim_report report;
    uint64_t random;
    coir_time now;
    coir_time told; /* the time that clock_gettime said last */

    struct coir__sim_event *events; /* a heap, the next to happen first */
    size_t event_count, event_room;
    uint64_t event_order;

    struct coir__sim_file *files[COIR_SIM_DESCRIPTORS];
    struct coir__link sockets;       /* all of them: socket.c */
    struct coir__link disk;          /* files and names of sockets: disk.c */
    struct coir__link names;         /* resolve.c */
    struct coir__link machines;      /* machine.c */
    struct coir__link cuts;          /* partitions: link.c */
    struct coir__link threads;       /* thread.c */
    struct coir__sim_thread *thread; /* that runs now; NULL: the runtime's own */
    uint16_t next_port;
    uint64_t flows; /* made so far */
    unsigned spell; /* order.c: picks left in the present order */
    bool looking; /* order.c: the loop's work is done between two tasks, the current one is over */
    coir_sim_order order;

    FILE *messages;         /* what the library says on stderr goes there; made when it is needed */
    coir_sim_fault failing; /* what fail_nth has made fail */
    struct coir__sim_hooks hooks;
};

/* The world of this thread; NULL outside of a simulation. */
extern __thread struct coir__sim *coir__sim;
/* The hooks that the next run on this thread shall have. */
extern __thread struct coir__sim_hooks coir__sim_next_hooks;

/* A number below `count`, at least 1. */
uint32_t coir__sim_draw(uint32_t count);
/* A time from 0 to `most`, short ones more often. */
coir_time coir__sim_draw_time(coir_time most);
/* Whether a fault happens here: by its rate. Counts it. */
bool coir__sim_fault(coir_sim_fault fault);
/* The errors that a call may give. Those after which it has to be tried again come last. */
#define COIR_SIM_ERRORS(...) ((const int[]){__VA_ARGS__, 0})
/* Whether a call that can fail does so here, because it is the n-th one or because of the fault,
 * which is then counted: by chance with the first of the errors. Returns -error or 0. */
int coir__sim_failure(coir_sim_fault fault, const int *errors);
/* The same without the chance. */
int coir__sim_planned(coir_sim_fault fault, const int *errors);

/* Something of the run that goes into its digest. */
void coir__sim_note(uint64_t number);

void *coir__sim_hold(void *object);
void coir__sim_drop(void *object);
/* Has action(object, number) called at `time`, or at once if that is past. */
void coir__sim_at(coir_time time, coir__sim_action *action, void *object, uint64_t number);
/* Lets the next event happen, advancing time to it; false if there is none until `limit`. */
bool coir__sim_step(coir_time limit);
/* Lets all happen whose time has come. */
void coir__sim_catch_up(void);
/* Says what is wrong with the program or the library, and ends the program. */
_Noreturn void coir__sim_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
void coir__sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Memory of the simulation itself, zeroed; ends the program if there is none. */
void *coir__sim_allocate(size_t size_bytes);

/* ---- Files: what descriptors stand for (file.c) ---- */

struct coir__sim_file;

/* What came with a datagram, or is to go with it. */
struct coir__sim_message {
    struct coir__address address; /* size 0: none */
};

struct coir__sim_kind {
    const char *name;
    mode_t mode; /* for fstat */
    bool aside;  /* to open and to close it takes no time, and to close it never fails */
    /* Which of epoll's events hold now. */
    unsigned (*ready)(struct coir__sim_file *file);
    /* Bytes moved, at most `most`, or -errno. `message` may be NULL. Without one: EINVAL. */
    ssize_t (*input)(struct coir__sim_file *file, const struct iovec *parts, int count, size_t most,
                     struct coir__sim_message *message);
    ssize_t (*output)(struct coir__sim_file *file, const struct iovec *parts, int count,
                      size_t most, const struct coir__sim_message *message);
    /* The network breaks the connection. Without one: it can not. */
    void (*broken)(struct coir__sim_file *file);
    /* The descriptor was closed. */
    void (*closed)(struct coir__sim_file *file);
    /* The flow that it reads from, or writes to. Without one: NULL. */
    struct coir__sim_flow *(*flow)(struct coir__sim_file *file, bool writing);
};

struct coir__sim_file {
    struct coir__sim_object object; /* the descriptor holds a reference */
    const struct coir__sim_kind *kind;
    struct coir__link watches; /* struct watch of epoll.c */
    int fd;                    /* -1 once closed */
    unsigned promised;         /* events that coir__sim_notify_later has promised */
    bool blocking;
};

/* Makes a file: `size_bytes` of zeroed memory that begins with struct coir__sim_file. Destroyed by
 * `destroy`, which frees what is in it (NULL: nothing); the memory itself is freed here. */
void *coir__sim_file_create(const struct coir__sim_kind *kind, size_t size_bytes,
                            void (*destroy)(struct coir__sim_object *object));
/* The lowest free number, or -EMFILE or -ENFILE: there is none, or a fault. */
int coir__sim_reserve(void);
/* Gives the file that number, which takes over the caller's reference. */
void coir__sim_install_at(struct coir__sim_file *file, int fd);
/* Both. If there is no number the file is closed and the reference dropped. */
int coir__sim_install(struct coir__sim_file *file);
/* The file of a number, or NULL. */
struct coir__sim_file *coir__sim_file_of(int fd);
/* A system call begins: takes time, lets due events happen. */
void coir__sim_enter(void);
/* It ends: traces it, and returns rc as the C library would. `fd` may be -1. */
long coir__sim_leave(const char *call, int fd, long rc);
/* Something has changed that makes some of epoll's `events` hold. */
void coir__sim_notify(struct coir__sim_file *file, unsigned events);
/* The same for a call that just said EAGAIN for no reason: later, and certainly. */
void coir__sim_notify_later(struct coir__sim_file *file, unsigned events);
/* Whether an event of the file is on its way to the poller. */
bool coir__sim_notified(const struct coir__sim_file *file);
/* Forgets those who watch a file that is gone. */
void coir__sim_unwatch(struct coir__sim_file *file);

size_t coir__sim_parts_size(const struct iovec *parts, int count);
/* Copies between the `size` bytes that lie `skip` bytes into the parts, which have them, and
 * memory. */
void coir__sim_copy_parts(const struct iovec *parts, size_t skip, void *memory, size_t size,
                          bool into_parts);

/* ---- Flows: one direction of a stream or a pipe (flow.c) ---- */

struct coir__sim_flow {
    struct coir__sim_object object;
    uint64_t number;                        /* counts the flows of the world */
    struct coir__sim_file *writer, *reader; /* NULL once closed */
    unsigned char *ring;
    size_t room;
    uint64_t sent, arrived, taken; /* bytes: 0 <= taken <= arrived <= sent <= taken + room */
    uint64_t end;                  /* the position where it ends, if `ending` */
    bool ending;                   /* the writer has finished */
    bool ended;                    /* that has arrived */
    bool starved;                  /* the writer was told EAGAIN */
    bool remote;                   /* goes through the network */
    bool pipe;                     /* small writes go as a whole */
    unsigned acknowledged;         /* reads that the writer has yet to hear of */
    coir_time busy_until;          /* when the last of it on its way arrives */
    coir_time stuck_since;         /* 0: nothing waits for a partition to end */
    struct coir__address from, to; /* remote: the machines */
    void (*lost)(struct coir__sim_flow *flow); /* the network has given up */
};

struct coir__sim_flow *coir__sim_flow_create(size_t room, bool remote);
size_t coir__sim_flow_readable(const struct coir__sim_flow *flow);
bool coir__sim_flow_writable(const struct coir__sim_flow *flow);
ssize_t coir__sim_flow_read(struct coir__sim_flow *flow, const struct iovec *parts, int count,
                            size_t most);
ssize_t coir__sim_flow_write(struct coir__sim_flow *flow, const struct iovec *parts, int count,
                             size_t most);
/* The writer has finished: the reader learns so after all bytes. */
void coir__sim_flow_finish(struct coir__sim_flow *flow);
/* How long something takes through the network from `from` to `to`; COIR_NEVER: it does not. */
coir_time coir__sim_latency(const struct coir__address *from, const struct coir__address *to);

/* ---- Disk: names of files (disk.c) ---- */

bool coir__sim_path_exists(const char *path);
/* Makes the name of a socket; -EADDRINUSE. */
int coir__sim_path_bind(const char *path);
ssize_t coir__sim_disk_transfer(struct coir__sim_file *file, bool writing,
                                const struct iovec *parts, int count, off_t offset);
bool coir__sim_is_disk(const struct coir__sim_file *file);
void coir__sim_disk_fini(void);

/* ---- The rest ---- */

/* Names (resolve.c), partitions (link.c), machines (machine.c): what is left at the end. */
void coir__sim_names_fini(void);
void coir__sim_cuts_fini(void);
void coir__sim_machines_fini(void);
/* An address without a port: "10.0.0.1", "::1" or so. 0 or -EINVAL. */
int coir__sim_parse_number(const char *text, struct coir__address *out);
/* The same for a machine, which is not 127.0.0.1, ::1 or all addresses. */
int coir__sim_parse_host(const char *text, struct coir__address *out);
/* The machine of the calling task: an address, or size 0; whether it was killed. */
struct coir__address coir__sim_own_host(void);
bool coir__sim_own_host_dead(void);
/* Makes a pair of connected streams. */
int coir__sim_pair_create(int fds[2]);
int coir__sim_pipe_create(int fds[2]);
/* In a thread that was started (thread.c): lets others run for so long. Nothing elsewhere. */
void coir__sim_pause(coir_time duration);
/* Lets threads that are left run to their end; how many are left all the same. */
size_t coir__sim_threads_fini(void);
/* What madvise does on the simulated machine, where it does not fail (memory.c). */
int coir__sim_advise(void *memory, size_t size, int advice);
/* How many threads do not wait for another to wake them. */
size_t coir__sim_threads_busy(void);
/* How the runtime shall pick (order.c). */
struct coir__chooser coir__sim_chooser(struct coir__sim *sim);

#endif
