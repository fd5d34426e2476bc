/* The echo server as a user of Coir writes it: one task a connection, straight lines.
 *
 * Prints its process id and its address, then serves until it is killed (see load.c). */
#include <coir.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/bench.h"

static int echo(int fd, void *arg) {
    (void)arg;
    char buffer[2048];
    for (;;) {
        const ssize_t size = coir_read(fd, buffer, sizeof buffer);
        if (size <= 0)
            return (int)size;
        COIR_TRY(coir_write_all(fd, buffer, (size_t)size, NULL));
    }
}

static int app(void *arg) {
    (void)arg;
    const int listener = coir_listen("127.0.0.1:0");
    COIR_TRY(listener);
    char address[COIR_ADDRESS_SIZE];
    COIR_TRY(coir_socket_address(listener, address, sizeof address));
    printf("%d %s\n", (int)getpid(), address);
    fflush(stdout);
    return coir_serve(listener, echo, NULL, NULL);
}

int main(void) {
    const int rc = coir_run(app, NULL);
    bench_die("echo-coir", rc);
}
