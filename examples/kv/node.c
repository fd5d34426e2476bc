/* See kv.h: a node takes requests from clients, and does them with a majority of the nodes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"

#define PATIENCE COIR_SEC(2)  /* with the other nodes */
#define IDLE_MAX COIR_SEC(30) /* a client may be */

struct node {
    const struct kv_options *options;
    struct kv_table table;
    coir_mutex setting; /* a node gives out one version at a time */
};

/* ---- With a majority ---- */

/* The same question to all nodes. */
struct round {
    struct node *node;
    const struct kv_entry *keep; /* what they shall keep; NULL: they are asked for what they have */
    const char *key;
    struct kv_entry newest; /* of the answers */
    unsigned answers, needed;
    coir_scope scope;
};

struct question {
    struct round *round;
    unsigned to;
};

static int ask_myself(struct round *round, struct kv_entry *answer) {
    struct kv_table *const table = &round->node->table;
    if (round->keep != NULL)
        return kv_table_keep(table, round->keep);
    *answer = kv_table_find(table, round->key);
    return 0;
}

static int ask_other(const struct round *round, const char *address, struct kv_entry *answer) {
    const struct kv_entry *const keep = round->keep;
    char line[KV_LINE];
    if (keep != NULL)
        (void)snprintf(line, sizeof line, "KEEP %s %" PRIu64 " %s", keep->key, keep->version,
                       keep->value);
    else
        (void)snprintf(line, sizeof line, "PEEK %s", round->key);
    COIR_TRY(kv_ask(address, line, line));
    if (keep != NULL)
        return strcmp(line, "DONE") == 0 ? 0 : -EPROTO;
    return sscanf(line, "HAS %" SCNu64 " %23s", &answer->version, answer->value) == 2 ? 0 : -EPROTO;
}

static int ask_one(void *arg) {
    const struct question *const question = arg;
    struct round *const round = question->round;
    const struct kv_options *const options = round->node->options;
    struct kv_entry answer = {.version = 0};
    COIR_TRY(question->to == options->self
                 ? ask_myself(round, &answer)
                 : ask_other(round, options->addresses[question->to], &answer));
    if (answer.version > round->newest.version)
        round->newest = answer;
    if (++round->answers == round->needed)
        coir_scope_cancel(&round->scope); /* the others need not answer any more */
    return 0;
}

/* Returns 0 if as many have answered as are needed; -ENOTCONN if not. */
static int ask_all(struct round *round) {
    struct question questions[KV_NODES];
    int rc = 0;
    coir_scope_open(&round->scope, .policy = COIR_SUPERVISE, .deadline = coir_after(PATIENCE));
    for (unsigned i = 0; i < round->node->options->count && rc == 0; i++) {
        questions[i] = (struct question){.round = round, .to = i};
        rc = coir_spawn(&round->scope, ask_one, &questions[i]);
    }
    rc = coir_scope_close(&round->scope, rc);
    if (rc == -ECANCELED)
        return rc;
    return round->answers >= round->needed ? 0 : -ENOTCONN;
}

static unsigned majority(const struct node *node) {
    return node->options->count / 2 + 1;
}

static int peek(struct node *node, const char *key, struct kv_entry *newest) {
    struct round round = {
        .node = node, .key = key, .needed = majority(node), .newest = {.value = "-"}};
    COIR_TRY(ask_all(&round));
    *newest = round.newest;
    (void)snprintf(newest->key, KV_TEXT, "%s", key);
    return 0;
}

static int keep(struct node *node, const struct kv_entry *entry, unsigned needed) {
    struct round round = {.node = node, .keep = entry, .key = entry->key, .needed = needed};
    return ask_all(&round);
}

/* ---- Requests of clients ---- */

static int get(struct node *node, const char *key, char value[KV_TEXT]) {
    struct kv_entry newest;
    COIR_TRY(peek(node, key, &newest));
    if (newest.version > 0 && node->options->bug != KV_STALE)
        COIR_TRY(keep(node, &newest, majority(node)));
    memcpy(value, newest.value, KV_TEXT);
    return 0;
}

/* Versions of different nodes differ in their remainder. Of one's own, none comes twice, because
 * this node keeps each one before it tells others of it. */
static int set_as_next(struct node *node, const char *key, const char *value) {
    const unsigned count = node->options->count;
    struct kv_entry entry;
    COIR_TRY(peek(node, key, &entry));
    const struct kv_entry own = kv_table_find(&node->table, key);
    const uint64_t last = own.version > entry.version ? own.version : entry.version;
    entry.version = (last / count + 1) * count + node->options->self;
    (void)snprintf(entry.value, KV_TEXT, "%s", value);
    COIR_TRY(kv_table_keep(&node->table, &entry));
    return keep(node, &entry, node->options->bug == KV_EARLY ? 1 : majority(node));
}

static int set(struct node *node, const char *key, const char *value) {
    COIR_TRY(coir_mutex_lock(&node->setting));
    const int rc = set_as_next(node, key, value);
    coir_mutex_unlock(&node->setting);
    return rc;
}

/* ---- Connections ---- */

/* Does what the line asks for and writes the answer to `out`. */
static int respond(struct node *node, const char *line, char *out) {
    struct kv_entry entry = {.version = 0};
    if (sscanf(line, "GET %23s", entry.key) == 1) {
        COIR_TRY(get(node, entry.key, entry.value));
        return snprintf(out, KV_LINE, "VALUE %s\n", entry.value);
    }
    if (sscanf(line, "PEEK %23s", entry.key) == 1) {
        entry = kv_table_find(&node->table, entry.key);
        return snprintf(out, KV_LINE, "HAS %" PRIu64 " %s\n", entry.version, entry.value);
    }
    if (sscanf(line, "SET %23s %23s", entry.key, entry.value) == 2)
        COIR_TRY(set(node, entry.key, entry.value));
    else if (sscanf(line, "KEEP %23s %" SCNu64 " %23s", entry.key, &entry.version, entry.value) ==
             3)
        COIR_TRY(kv_table_keep(&node->table, &entry));
    else
        return -EPROTO;
    return snprintf(out, KV_LINE, "DONE\n");
}

static int await_line(struct kv_lines *lines, char line[KV_LINE]) {
    COIR_SCOPE(patience, .deadline = coir_after(IDLE_MAX));
    return coir_scope_close(&patience, kv_read_line(lines, line));
}

static int serve(int fd, void *arg) {
    struct kv_lines lines = {.fd = fd};
    char line[KV_LINE], answer[KV_LINE];
    int rc;
    while ((rc = await_line(&lines, line)) > 0) {
        int size = respond(arg, line, answer);
        if (size == -ECANCELED)
            return size;
        if (size < 0)
            size = snprintf(answer, sizeof answer, "FAILED %s\n", coir_strerror(size));
        COIR_TRY(coir_write_all(fd, answer, (size_t)size, NULL));
    }
    return rc;
}

int kv_node(void *arg) {
    const struct kv_options *const options = arg;
    struct node *const node = calloc(1, sizeof *node);
    if (node == NULL)
        return -ENOMEM;
    node->options = options;
    int rc = kv_table_load(&node->table, options->log);
    const int listener = rc == 0 ? coir_listen(options->addresses[options->self]) : rc;
    rc = listener >= 0 ? coir_serve(listener, serve, node, NULL) : listener;
    if (listener >= 0)
        coir_close(listener);
    free(node);
    return rc;
}
