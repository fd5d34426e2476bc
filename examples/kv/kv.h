/* A key-value store on several machines that outlives the loss of any minority of them.
 *
 * There is no leader: each node takes requests from clients and does them with whatever majority of
 * the nodes answers first. Each value has a version; of two, the higher one counts. To set, a node
 * asks a majority for the version there is, and has a majority keep the value with the next one. To
 * get, it asks a majority for what they have, takes the newest, and has a majority keep that before
 * it answers: else a write that had reached one node only could be seen now and be gone later.
 * (Attiya, Bar-Noy, Dolev: Sharing memory robustly in message-passing systems, 1995.) So all
 * clients see the same order of writes, as on one machine, and what was acknowledged stays.
 *
 * Requests and answers are lines, on TCP:
 *   GET key            VALUE value           between nodes:  PEEK key               HAS version
 * value SET key value      DONE                                  KEEP key version value DONE or
 * "FAILED why". A key or a value is 1 to 23 characters without blanks; "-" stands for none. */
#ifndef EXAMPLES_KV_H
#define EXAMPLES_KV_H

#include <coir.h>
#include <stdint.h>

#define KV_TEXT 24   /* room for a key, a value */
#define KV_LINE 128  /* for a line, with its end */
#define KV_KEYS 1024 /* a node has room for */
#define KV_NODES 9

/* ---- A node's own part of the data (table.c) ---- */

/* As it stands in the log, too. */
struct kv_entry {
    char key[KV_TEXT], value[KV_TEXT];
    uint64_t version; /* 0: there is none */
};

/* What a node has, in memory and, before anybody is told of it, in a file. */
struct kv_table {
    int log; /* the caller's descriptor */
    uint64_t records;
    coir_mutex appending;
    struct kv_entry entries[KV_KEYS];
    size_t count;
};

/* Reads what the log has. Parks. */
COIR_MUST_CHECK int kv_table_load(struct kv_table *table, int log);
/* The entry of a key, or one without a version. */
struct kv_entry kv_table_find(const struct kv_table *table, const char *key);
/* Keeps the entry, unless there is a newer one. Parks. -ENOSPC too many keys; what writing says. */
COIR_MUST_CHECK int kv_table_keep(struct kv_table *table, const struct kv_entry *entry);

/* ---- Nodes (node.c) ---- */

/* What can be wrong with it, to see a test find that. */
enum kv_bug {
    KV_CORRECT,
    KV_EARLY, /* acknowledges a write as soon as it has it itself */
    KV_STALE  /* answers a read without having a majority keep what it answers */
};

struct kv_options {
    const char *const *addresses; /* of all nodes, in the same order on each */
    unsigned count, self;
    int log;
    enum kv_bug bug;
};

/* A task's body, `arg` is a struct kv_options: listens and serves until it is cancelled. */
int kv_node(void *arg);

/* ---- Asking (client.c) ---- */

/* What has come on a connection and is not taken yet. */
struct kv_lines {
    int fd;
    size_t size;
    char bytes[KV_LINE];
};

/* The next line, without its end. Returns 1; 0 at the end of the stream; -EMSGSIZE too long a line;
 * or an error. Parks. */
COIR_MUST_CHECK int kv_read_line(struct kv_lines *lines, char line[KV_LINE]);

/* Sends a line to a node and waits for its answer: both without their ends. Parks; for a time limit
 * open a scope. -EPIPE: no answer. */
COIR_MUST_CHECK int kv_ask(const char *address, const char *request, char answer[KV_LINE]);

/* -EINVAL not such a key or value; -EAGAIN the node has failed to, and the write may or may not
 * have happened; -EPROTO another answer; or what kv_ask says, when that is true as well. A key that
 * was never set has the value "-". */
COIR_MUST_CHECK int kv_get(const char *address, const char *key, char value[KV_TEXT]);
COIR_MUST_CHECK int kv_set(const char *address, const char *key, const char *value);

#endif
