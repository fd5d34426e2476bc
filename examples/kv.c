/* The store of examples/kv/ as programs: a node, and a client that asks one. kv/kv.h says what they
 * do; kv/sim.c tests them on a simulated network.
 *
 *   kv node NUMBER LOG ADDRESS...    serves as that one of the nodes, from 0, until a signal
 *   kv get ADDRESS KEY
 *   kv set ADDRESS KEY VALUE */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kv/kv.h"
#include "lib/args.h"

static int serve(void *arg) {
    struct kv_options *const options = arg;
    COIR_TRY(coir_adopt(options->log));
    printf("kv: node %u at %s\n", options->self, options->addresses[options->self]);
    (void)fflush(stdout);
    const int rc = kv_node(options);
    coir_close(options->log);
    return rc == -ECANCELED ? 0 : rc;
}

static int ask(void *arg) {
    char **const words = arg;
    char value[KV_TEXT];
    COIR_SCOPE(patience, .deadline = coir_after(COIR_SEC(5)));
    int rc = strcmp(words[0], "set") == 0 ? kv_set(words[1], words[2], words[3])
                                          : kv_get(words[1], words[2], value);
    rc = coir_scope_close(&patience, rc);
    if (rc == 0)
        (void)puts(strcmp(words[0], "set") == 0 ? "done" : value);
    return rc;
}

static int usage(void) {
    (void)fputs("usage: kv node NUMBER LOG ADDRESS... | get ADDRESS KEY | set ADDRESS KEY VALUE\n",
                stderr);
    return 2;
}

static int start_node(int argc, char **argv) {
    size_t self;
    const unsigned count = (unsigned)argc - 4;
    if (count > KV_NODES || !args_count(argv[2], 0, count - 1, &self))
        return usage();
    const int log = open(argv[3], O_RDWR | O_CREAT | O_DSYNC | O_CLOEXEC, 0666);
    if (log < 0) {
        perror(argv[3]);
        return 1;
    }
    struct kv_options options = {.addresses = (const char *const *)(argv + 4),
                                 .count = count,
                                 .self = (unsigned)self,
                                 .log = log};
    const int rc = coir_run_with(serve, &options, &(coir_options){.cancel_on_signals = true});
    if (rc < 0)
        (void)fprintf(stderr, "kv: %s: %s\n", argv[4 + self], coir_strerror(rc));
    return rc < 0;
}

int main(int argc, char **argv) {
    if (argc >= 5 && strcmp(argv[1], "node") == 0)
        return start_node(argc, argv);
    if (!(argc == 4 && strcmp(argv[1], "get") == 0) && !(argc == 5 && strcmp(argv[1], "set") == 0))
        return usage();
    const int rc = coir_run(ask, argv + 1);
    if (rc < 0)
        (void)fprintf(stderr, "kv: %s: %s\n", argv[2], coir_strerror(rc));
    return rc < 0;
}
