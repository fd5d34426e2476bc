/* Readiness of descriptors: what edge-triggered polling may get wrong.
 *
 * A short read must never be taken for the end of what is there where it is not; events of a
 * descriptor that is gone must reach nobody; a task whose calls succeed at once must let others
 * on; and thousands of descriptors that nobody waits for must cost nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECT pipes, posix_openpt */
#endif
#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/inotify.h>
#endif

#include "ends.h"

SUITE(io_fd_ready);

/* ---- Law 15: what succeeds at once yields all the same ---- */

#define BUSY_CALLS 2000

struct busy {
    int fd;
    long (*call)(int fd);
    bool done;
};

static long one_byte_read(int fd) {
    char byte;
    return coir_read(fd, &byte, 1);
}

static long one_byte_write(int fd) {
    return coir_write(fd, "x", 1);
}

static long one_byte_exactly(int fd) {
    char byte;
    return coir_read_exact(fd, &byte, 1, NULL) == 0;
}

static long poll_for_room(int fd) {
    return coir_poll(fd, COIR_WRITABLE) == COIR_WRITABLE;
}

static int stay_busy(void *arg) {
    struct busy *const busy = arg;
    for (int i = 0; i < BUSY_CALLS; i++)
        check_rc(busy->call(busy->fd), 1);
    busy->done = true;
    return 0;
}

struct bystander {
    const struct busy *busy;
    int fd;
    bool was_in_time;
};

static int read_meanwhile(void *arg) {
    struct bystander *const bystander = arg;
    check_rc(one_byte_read(bystander->fd), 1);
    bystander->was_in_time = !bystander->busy->done;
    return 0;
}

static int run_meanwhile(void *arg) {
    struct bystander *const bystander = arg;
    bystander->was_in_time = !bystander->busy->done;
    return 0;
}

/* One task is ready to run, another waits for a pipe that has something: both get their turn. */
static void check_lets_others_on(int fd, long (*call)(int fd)) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    struct busy busy = {.fd = fd, .call = call};
    struct bystander waiting = {.busy = &busy, .fd = ends[0]}, ready = {.busy = &busy};
    COIR_SCOPE(s);
    start(&s, read_meanwhile, &waiting);
    settle();
    raw_write(ends[1], "x");
    start(&s, stay_busy, &busy);
    start(&s, run_meanwhile, &ready);
    check_rc(coir_scope_close(&s, 0), 0);
    check(busy.done);
    check(waiting.was_in_time);
    check(ready.was_in_time);
    ends_close(ends);
}

TASK_TEST_SEEDS(io_fd_ready, calls_that_succeed_at_once_let_others_on) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    check_lets_others_on(ends[1], one_byte_write);
    check_lets_others_on(ends[0], one_byte_read);
    check_lets_others_on(ends[1], one_byte_write);
    check_lets_others_on(ends[0], one_byte_exactly);
    check_lets_others_on(ends[1], poll_for_room);
    ends_close(ends);
    return 0;
}

static int sleep_once(void *arg) {
    check_rc(coir_sleep(COIR_MS(1)), 0);
    *(bool *)arg = true;
    return 0;
}

TASK_TEST_REAL(io_fd_ready, timers_fire_while_calls_succeed_at_once) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    bool slept = false;
    COIR_SCOPE(s);
    start(&s, sleep_once, &slept);
    while (!slept) {
        check_rc(one_byte_write(ends[1]), 1);
        check_rc(one_byte_read(ends[0]), 1);
    }
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}

TASK_TEST_REAL(io_fd_ready, a_deadline_cuts_calls_that_succeed_at_once) {
    int ends[2];
    ends_open(ENDS_PIPE, ends);
    COIR_SCOPE(s, .deadline = coir_after(COIR_MS(5)));
    long rc = 0;
    while (rc >= 0) {
        rc = one_byte_write(ends[1]);
        if (rc >= 0)
            rc = one_byte_read(ends[0]);
    }
    check_rc(rc, -ECANCELED);
    check_rc(coir_scope_close(&s, (int)rc), -ETIMEDOUT);
    ends_close(ends);
    return 0;
}

/* ---- Short reads: nothing is lost, in any split ---- */

#define SPLIT_TEXT "abcdef"
#define SPLIT_SIZE 6
#define SPLIT_GAPS (SPLIT_SIZE - 1)
#define SPLIT_WAYS 243 /* 3 to the number of gaps: in one piece, two at once, two with a pause */

struct split {
    enum ends_kind kind;
    int ways; /* base 3, a digit a gap */
    size_t read_size_bytes;
    bool end_together; /* the end of the stream comes with the last piece */
};

struct split_reader {
    int fd;
    size_t size_bytes;
    char text[SPLIT_SIZE + 2];
    int rc;
};

static int read_to_the_end(void *arg) {
    struct split_reader *const reader = arg;
    size_t length = 0;
    ssize_t n;
    while (length <= SPLIT_SIZE) {
        char block[16];
        n = coir_read(reader->fd, block, reader->size_bytes);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n && length <= SPLIT_SIZE; i++)
            reader->text[length++] = block[i];
    }
    reader->text[length] = '\0';
    reader->rc = (int)n;
    return 0;
}

static void write_split(int fd, const struct split *split) {
    char piece[SPLIT_SIZE + 1];
    size_t length = 0;
    int ways = split->ways;
    for (size_t i = 0; i < SPLIT_SIZE; i++, ways /= 3) {
        piece[length++] = SPLIT_TEXT[i];
        const bool last = i == SPLIT_SIZE - 1;
        if (ways % 3 == 0 && !last)
            continue;
        piece[length] = '\0';
        raw_write(fd, piece);
        length = 0;
        if (last ? !split->end_together : ways % 3 == 2)
            settle();
    }
}

static void check_split(const struct split *split) {
    int ends[2];
    ends_open(split->kind, ends);
    struct split_reader reader = {.fd = ends[0], .size_bytes = split->read_size_bytes};
    const bool prompt = split->kind != ENDS_TCP;
    COIR_SCOPE(s, .deadline = prompt ? coir_after(COIR_SEC(1000)) : 0);
    start(&s, read_to_the_end, &reader);
    settle();
    write_split(ends[1], split);
    check_rc(coir_close(ends[1]), 0);
    const int rc = coir_scope_close(&s, 0);
    cr_assert(rc == 0 && reader.rc == 0 && strcmp(reader.text, SPLIT_TEXT) == 0,
              "%s, split %d, read in pieces of %zu, end %s: \"%s\", then %s%s",
              ends_name(split->kind), split->ways, split->read_size_bytes,
              split->end_together ? "with the data" : "later", reader.text, rc_text(reader.rc),
              run_label());
    check_rc(coir_close(ends[0]), 0);
}

TASK_TEST(io_fd_ready, no_split_of_a_stream_loses_data_or_its_end) {
    const int stride = scaled(50) < 50 ? 17 : 1;
    for (enum ends_kind kind = 0; kind < ENDS_KINDS; kind++) {
        for (int ways = 0; ways < SPLIT_WAYS; ways += kind == ENDS_TCP ? 5 * stride : stride) {
            for (size_t size_bytes = 1; size_bytes <= SPLIT_SIZE + 1; size_bytes++) {
                check_split(&(struct split){kind, ways, size_bytes, false});
                check_split(&(struct split){kind, ways, size_bytes, true});
            }
        }
    }
    return 0;
}

/* The writer is a task too, in any order with the reader. */
struct pieces {
    int fd;
    unsigned random;
    size_t total;
};

static unsigned draw(unsigned *random, unsigned below) {
    *random = *random * 1103515245u + 12345u;
    return (*random >> 16) % below;
}

static int write_pieces(void *arg) {
    struct pieces *const it = arg;
    char block[512];
    for (size_t done = 0; done < it->total;) {
        size_t n = 1 + draw(&it->random, sizeof block);
        if (n > it->total - done)
            n = it->total - done;
        pattern_fill(block, n, done);
        check_rc(coir_write_all(it->fd, block, n, NULL), 0);
        done += n;
        if (draw(&it->random, 3) == 0)
            check_rc(coir_yield(), 0);
    }
    return coir_close(it->fd);
}

static int read_pieces(void *arg) {
    struct pieces *const it = arg;
    char block[600];
    size_t done = 0;
    ssize_t n;
    while ((n = coir_read(it->fd, block, 1 + draw(&it->random, sizeof block))) > 0) {
        check(pattern_holds(block, (size_t)n, done));
        done += (size_t)n;
        if (draw(&it->random, 3) == 0)
            check_rc(coir_yield(), 0);
    }
    check_rc(n, 0);
    check_int(done, it->total);
    return coir_close(it->fd);
}

TASK_TEST_SEEDS(io_fd_ready, many_streams_of_random_pieces_arrive_whole) {
    struct pieces readers[30], writers[30];
    COIR_SCOPE(s);
    for (unsigned i = 0; i < COUNT_OF(readers); i++) {
        int ends[2];
        ends_open(i % ENDS_KINDS, ends);
        readers[i] = (struct pieces){ends[0], i, 100 + i * 131};
        writers[i] = (struct pieces){ends[1], i + 1000, 100 + i * 131};
        start(&s, read_pieces, &readers[i]);
        start(&s, write_pieces, &writers[i]);
    }
    return coir_scope_close(&s, 0);
}

/* ---- Short reads that are not the end of what is there ---- */

struct messages {
    int fd;
    size_t count, expected_size;
};

static int read_messages(void *arg) {
    const struct messages *const messages = arg;
    for (size_t i = 0; i < messages->count; i++) {
        char block[64];
        check_rc(coir_read(messages->fd, block, sizeof block), messages->expected_size);
    }
    return 0;
}

/* The reader waits; three messages come at once, and each read takes one of them. */
static void check_messages(const int ends[2]) {
    check_rc(coir_adopt(ends[0]), 0);
    struct messages messages = {.fd = ends[0], .count = 3, .expected_size = 2};
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
    start(&s, read_messages, &messages);
    settle();
    raw_write(ends[1], "ab");
    raw_write(ends[1], "cd");
    raw_write(ends[1], "ef");
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(ends[0]), 0);
    close(ends[1]);
}

TASK_TEST(io_fd_ready, messages_of_sockets_come_one_a_read) {
    const int types[] = {SOCK_SEQPACKET, SOCK_DGRAM};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        int ends[2];
        check_int(socketpair(AF_UNIX, types[i], 0, ends), 0);
        check_messages(ends);
    }
    return 0;
}

#ifdef __linux__
TASK_TEST(io_fd_ready, messages_of_packet_pipes_come_one_a_read) {
    int ends[2];
    check_int(pipe2(ends, O_DIRECT), 0);
    check_messages(ends);
    return 0;
}

TASK_TEST(io_fd_ready, a_counter_read_in_units_is_read_to_its_end) {
    const int fd = eventfd(0, EFD_SEMAPHORE);
    check_rc(coir_adopt(fd), 0);
    struct messages messages = {.fd = fd, .count = 3, .expected_size = 8};
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
    start(&s, read_messages, &messages);
    settle();
    check_int(write(fd, &(uint64_t){3}, 8), 8);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(fd), 0);
    return 0;
}

static int read_notices(void *arg) {
    for (int i = 0; i < 3; i++) {
        char block[48]; /* room for one notice and a half */
        check_rc(coir_read(*(const int *)arg, block, sizeof block), 32);
    }
    return 0;
}

TASK_TEST(io_fd_ready, notices_that_do_not_fit_come_with_the_next_read) {
    folder_make();
    int fd = inotify_init();
    check(fd >= 0);
    check(inotify_add_watch(fd, path_in("."), IN_CREATE) >= 0);
    check_rc(coir_adopt(fd), 0);
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
    start(&s, read_notices, &fd);
    settle();
    static const char *const names[] = {"one", "two", "three"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        close(open(path_in(names[i]), O_CREAT | O_WRONLY, 0600));
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(fd), 0);
    folder_remove();
    return 0;
}
#endif

static int read_lines(void *arg) {
    char block[64];
    check_rc(coir_read(*(const int *)arg, block, sizeof block), 2);
    check_rc(coir_read(*(const int *)arg, block, sizeof block), 3);
    return 0;
}

TASK_TEST(io_fd_ready, a_terminal_gives_one_line_a_read) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        skip_test("no pseudo-terminal to be had here");
    check_int(grantpt(master), 0);
    check_int(unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    check(slave >= 0);
    check_rc(coir_adopt(slave), 0);
    COIR_SCOPE(s);
    start(&s, read_lines, &slave);
    settle();
    raw_write(master, "a\nbb\n");
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(slave), 0);
    close(master);
    return 0;
}

static void send_with_descriptor(int socket_fd, const char *text, int passed) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    check_int(sendmsg(socket_fd, &message, 0), (ssize_t)strlen(text));
}

/* A Unix stream ends a read after a piece that carries a descriptor, though more bytes follow. */
TASK_TEST(io_fd_ready, a_passed_descriptor_in_the_stream_hides_nothing_behind_it) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    struct split_reader reader = {.fd = ends[0], .size_bytes = 16};
    COIR_SCOPE(s, .deadline = coir_after(COIR_SEC(1000)));
    start(&s, read_to_the_end, &reader);
    settle();
    send_with_descriptor(ends[1], "ab", ends[1]);
    raw_write(ends[1], "cd");
    send_with_descriptor(ends[1], "ef", ends[1]);
    raw_write(ends[1], "g");
    check_rc(coir_scope_close(&s, 0), 0);
    check_str(reader.text, "abcdefg");
    ends_close(ends);
    return 0;
}

static int read_abcd(void *arg) {
    char block[16], text[16];
    size_t length = 0;
    while (length < 4) {
        const ssize_t n = coir_read(*(const int *)arg, block, sizeof block);
        check(n > 0);
        memcpy(text + length, block, (size_t)n);
        length += (size_t)n;
    }
    check_int(length, 4);
    check(memcmp(text, "abcd", 4) == 0);
    return 0;
}

/* TCP ends a read at the urgent mark. A peer may set one whenever it likes. */
TASK_TEST(io_fd_ready, urgent_data_in_the_stream_hides_nothing_behind_it) {
    int ends[2];
    ends_open(ENDS_TCP, ends);
    COIR_SCOPE(s);
    start(&s, read_abcd, &ends[0]);
    settle();
    raw_write(ends[1], "ab");
    check_int(send(ends[1], "!", 1, MSG_OOB), 1);
    raw_write(ends[1], "cd");
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}

/* ---- Stale events ---- */

/* What a number of looks at the poller costs when nothing happens, or what happens is stale. */
struct cost {
    uint64_t switches, polls;
};

static struct cost cost_of_settling(void) {
    const coir_stats before = stats();
    for (int i = 0; i < 50; i++)
        settle();
    const coir_stats after = stats();
    return (struct cost){after.switches - before.switches, after.polls - before.polls};
}

static void check_stale(int old_peer, const int new[2], struct reading *fresh) {
    const struct cost quiet = cost_of_settling();
    raw_write(old_peer, "stale");
    const struct cost with_event = cost_of_settling();
    check_int(with_event.switches, quiet.switches);
    check(with_event.polls <= quiet.polls + 2);
    check_int(fresh->rc, READING);
    raw_write(new[1], "fresh");
    settle();
    check_str(fresh->text, "fresh");
}

/* A duplicate keeps the old file open, and with it what epoll was told of it. */
static int check_duplicate(bool release) {
    int old[2], new[2];
    ends_open(ENDS_UNIX, old);
    const int number = old[0], duplicate = dup(old[0]);
    struct reading before = {.fd = old[0]};
    COIR_SCOPE(s);
    start(&s, read_some, &before); /* its wait is what registers it */
    settle();
    raw_write(old[1], "before");
    settle();
    check_str(before.text, "before");
    if (release) {
        check_rc(coir_release(old[0]), 0);
        close(old[0]);
    } else {
        check_rc(coir_close(old[0]), 0);
    }
    ends_open(ENDS_UNIX, new);
    check_int(new[0], number);

    struct reading fresh = {.fd = new[0]};
    start(&s, read_some, &fresh);
    settle();
    check_stale(old[1], new, &fresh);
    check_int(raw_drain(duplicate), strlen("stale"));
    check_rc(coir_scope_close(&s, 0), 0);
    close(duplicate);
    ends_close(new);
    return coir_close(old[1]);
}

TASK_TEST_SEEDS(io_fd_ready, events_of_a_closed_descriptor_reach_nobody) {
    return check_duplicate(false);
}

TASK_TEST_SEEDS(io_fd_ready, events_of_a_released_descriptor_reach_nobody) {
    return check_duplicate(true);
}

TASK_TEST(io_fd_ready, both_duplicates_may_be_waited_for) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    const int twin = dup(ends[0]);
    check_rc(coir_adopt(twin), 0);
    struct reading first = {.fd = ends[0], .size_bytes = 3}, second = {.fd = twin};
    COIR_SCOPE(s);
    start(&s, read_some, &first);
    start(&s, read_some, &second);
    settle();
    raw_write(ends[1], "onetwo");
    settle();
    if (first.rc == READING || second.rc == READING)
        raw_write(ends[1], "three"); /* the other one took all; that is the system's affair */
    check_rc(coir_scope_close(&s, 0), 0);
    check(first.rc > 0);
    check(second.rc > 0);
    check_rc(coir_close(twin), 0);
    ends_close(ends);
    return 0;
}

/* Ready tasks have been promised that their descriptor is readable. Between the promise and
 * their turn somebody closes it, and the number becomes another file. */
struct thief {
    int trigger, victim;
    int new[2];
};

static int replace_descriptor(void *arg) {
    struct thief *const thief = arg;
    check_rc(one_byte_read(thief->trigger), 1);
    check_rc(coir_close(thief->victim), 0);
    ends_open(ENDS_UNIX, thief->new);
    check_int(thief->new[0], thief->victim);
    raw_write(thief->new[1], "new");
    return 0;
}

TASK_TEST_SEEDS(io_fd_ready, a_woken_reader_does_not_read_what_took_over_its_number) {
    int trigger[2], old[2];
    ends_open(ENDS_PIPE, trigger);
    ends_open(ENDS_UNIX, old);
    struct thief thief = {.trigger = trigger[0], .victim = old[0]};
    struct reading reading = {.fd = old[0]};
    COIR_SCOPE(s);
    start(&s, replace_descriptor, &thief);
    start(&s, read_some, &reading);
    settle();
    raw_write(trigger[1], "x");
    raw_write(old[1], "old");
    check_rc(coir_scope_close(&s, 0), 0);
    if (reading.rc != -EBADF)
        check_str(reading.text, "old");
    struct reading fresh = {.fd = thief.new[0]};
    read_some(&fresh);
    check_str(fresh.text, "new");
    ends_close(thief.new);
    ends_close(trigger);
    check_rc(coir_close(old[1]), 0);
    return 0;
}

TASK_TEST_SEEDS(io_fd_ready, a_woken_writer_does_not_write_to_what_took_over_its_number) {
    int trigger[2], old[2];
    ends_open(ENDS_PIPE, trigger);
    ends_open(ENDS_UNIX, old);
    raw_fill(old[0]);
    struct thief thief = {.trigger = trigger[0], .victim = old[0]};
    struct writing writing = {.fd = old[0]};
    COIR_SCOPE(s);
    start(&s, replace_descriptor, &thief);
    start(&s, write_byte, &writing);
    settle();
    raw_write(trigger[1], "x");
    raw_drain(old[1]);
    check_rc(coir_scope_close(&s, 0), 0);
    check(writing.rc == 1 || writing.rc == -EBADF);
    check(raw_empty(thief.new[1]));
    ends_close(thief.new);
    ends_close(trigger);
    check_rc(coir_close(old[1]), 0);
    return 0;
}

/* Woken for nothing, because another took the data first, and cancelled before it could look: it
 * must not wait again. */
struct spoiler {
    int trigger, data;
    coir_scope *scope;
};

static int spoil(void *arg) {
    const struct spoiler *const spoiler = arg;
    check_rc(one_byte_read(spoiler->trigger), 1);
    raw_drain(spoiler->data);
    coir_scope_cancel(spoiler->scope);
    return 0;
}

static int poll_or_read(void *arg) {
    struct reading *const reading = arg;
    reading->rc = READING;
    if (reading->size_bytes == 0)
        reading->rc = coir_poll(reading->fd, COIR_READABLE);
    else
        reading->rc = coir_read(reading->fd, reading->text, reading->size_bytes);
    return 0;
}

TASK_TEST_SEEDS(io_fd_ready, a_wake_for_nothing_does_not_hide_a_cut) {
    for (size_t size_bytes = 0; size_bytes < 2; size_bytes++) {
        int trigger[2], ends[2];
        ends_open(ENDS_PIPE, trigger);
        ends_open(ENDS_UNIX, ends);
        COIR_SCOPE(outer);
        COIR_SCOPE(inner);
        struct spoiler spoiler = {trigger[0], ends[0], &inner};
        struct reading reading = {.fd = ends[0], .size_bytes = size_bytes};
        start(&outer, spoil, &spoiler);
        start(&inner, poll_or_read, &reading);
        settle();
        raw_write(trigger[1], "x");
        raw_write(ends[1], "y");
        check_rc(coir_scope_close(&inner, 0), 0);
        check_rc(coir_scope_close(&outer, 0), 0);
        check(reading.rc == 1 || reading.rc == -ECANCELED);
        ends_close(trigger);
        ends_close(ends);
    }
    return 0;
}

struct long_write {
    int fd, rc;
    size_t done;
};

static int write_long(void *arg) {
    static const char block[1 << 20];
    struct long_write *const it = arg;
    it->rc = coir_write_all(it->fd, block, sizeof block, &it->done);
    return 0;
}

/* The same between two pieces of one call, after a wait or after a yield. */
TASK_TEST_SEEDS(io_fd_ready, a_full_write_does_not_go_on_in_what_took_over_its_number) {
    for (int pieces = 0; pieces < 4; pieces++) {
        int old[2], new[2];
        ends_open(ENDS_UNIX, old);
        struct long_write writing = {.fd = old[0]};
        COIR_SCOPE(s);
        start(&s, write_long, &writing);
        settle();
        size_t arrived = 0;
        for (int i = 0; i < pieces; i++) {
            arrived += raw_drain(old[1]);
            check_rc(coir_yield(), 0);
        }
        check_rc(coir_close(old[0]), 0);
        ends_open(ENDS_UNIX, new);
        check_int(new[0], old[0]);
        check_rc(coir_scope_close(&s, 0), 0);
        arrived += raw_drain(old[1]);
        check_rc(writing.rc, -EBADF);
        check_int(writing.done, arrived);
        check(raw_empty(new[1]));
        ends_close(new);
        check_rc(coir_close(old[1]), 0);
    }
    return 0;
}

/* ---- Very many ---- */

#define PAIRS_MAX 12000

static int pairs[PAIRS_MAX][2];
static struct reading readings[PAIRS_MAX];

/* Opens pairs until there are no more descriptors to be had; returns how many. */
static size_t open_pairs(size_t most) {
    size_t count = 0;
    while (count < most && socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[count]) == 0)
        count++;
    return count;
}

static void close_pairs(size_t count) {
    for (size_t i = 0; i < count; i++) {
        check_rc(coir_close(pairs[i][0]), 0);
        close(pairs[i][1]);
    }
}

TASK_TEST(io_fd_ready, every_descriptor_there_is_may_be_waited_for) {
    skip_over_libkqueue(LIBKQUEUE_LOSES_EVENTS);
    const size_t count = open_pairs(scaled(PAIRS_MAX));
    check(count >= 100);
    const coir_stats before = stats();
    COIR_SCOPE(s);
    for (size_t i = 0; i < count; i++) {
        check_rc(coir_adopt(pairs[i][0]), 0);
        readings[i] = (struct reading){.fd = pairs[i][0]};
        start(&s, read_some, &readings[i]);
    }
    settle();
    check_int(stats().io_waiting, count);
    check_int(stats().descriptors, before.descriptors + count);
    for (size_t i = 0; i < count; i += 2) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        raw_write(pairs[i][1], number);
    }
    settle();
    check_int(stats().io_waiting, count / 2);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    for (size_t i = 0; i < count; i++) {
        if (i % 2 == 0)
            check_int(atol(readings[i].text), i);
        else
            check_rc(readings[i].rc, -ECANCELED);
    }
    close_pairs(count);
    return 0;
}

static int echo(void *arg) {
    const int fd = *(const int *)arg;
    char byte;
    while (coir_read(fd, &byte, 1) == 1)
        check_rc(coir_write(fd, &byte, 1), 1);
    return 0;
}

static struct cost cost_of_rounds(const int ends[2]) {
    const coir_stats before = stats();
    for (int i = 0; i < 200; i++) {
        check_rc(one_byte_write(ends[0]), 1);
        check_rc(one_byte_read(ends[0]), 1);
    }
    const coir_stats after = stats();
    return (struct cost){after.switches - before.switches, after.polls - before.polls};
}

/* Also when all the idle ones have something to read that nobody asks for. */
TASK_TEST(io_fd_ready, thousands_of_idle_descriptors_cost_nothing) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    COIR_SCOPE(s);
    start(&s, echo, &ends[1]);
    const struct cost alone = cost_of_rounds(ends);
    const size_t count = open_pairs(scaled(5000));
    for (size_t i = 0; i < count; i++)
        check_rc(coir_adopt(pairs[i][0]), 0);
    settle();
    const struct cost quiet = cost_of_rounds(ends);
    for (size_t i = 0; i < count; i++)
        raw_write(pairs[i][1], "unread");
    settle();
    const struct cost ready = cost_of_rounds(ends);
    const uint64_t batches = count / 64 + 8;
    check(quiet.switches <= alone.switches + batches);
    check(quiet.polls <= alone.polls + batches);
    check(ready.switches <= alone.switches + batches);
    check(ready.polls <= alone.polls + batches);

    for (size_t i = 0; i < count; i += 97) { /* what came while nobody waited is there */
        struct reading reading = {.fd = pairs[i][0]};
        read_some(&reading);
        check_str(reading.text, "unread");
    }
    close_pairs(count);
    check_rc(coir_close(ends[0]), 0);
    check_rc(coir_scope_close(&s, 0), 0);
    check_rc(coir_close(ends[1]), 0);
    return 0;
}

TASK_TEST_REAL(io_fd_ready, waiting_does_not_spin) {
    int ends[2];
    ends_open(ENDS_UNIX, ends);
    raw_write(ends[1], "not asked for");
    COIR_SCOPE(s);
    struct reading reading = {.fd = ends[1]};
    start(&s, read_some, &reading);
    const uint64_t before = stats().polls;
    for (int i = 0; i < 10; i++)
        check_rc(coir_sleep(COIR_MS(3)), 0);
    check(stats().polls - before <= 10 * 4);
    coir_scope_cancel(&s);
    check_rc(coir_scope_close(&s, 0), 0);
    ends_close(ends);
    return 0;
}
