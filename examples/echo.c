/* The smallest useful server: every connection is a task, and reads like blocking code.
 *
 *     echo [ADDRESS]        default 127.0.0.1:7000; "[::1]:0", "unix:/tmp/echo" and so on work too
 *
 * Shows: coir_serve runs one task a connection; SIGINT and SIGTERM cancel the main task; cancelled,
 * coir_serve stops accepting and gives the connections one second to end. */
#include <coir.h>
#include <stdio.h>

/* One connection. The descriptor is closed for us when this returns. */
static int echo(int fd, void *arg) {
    (void)arg;
    char buffer[4096];
    ssize_t size;
    while ((size = coir_read(fd, buffer, sizeof(buffer))) > 0)
        COIR_TRY(coir_write_all(fd, buffer, (size_t)size, NULL));
    return (int)size;
}

static int serve(void *arg) {
    const int listener = coir_listen(arg);
    COIR_TRY(listener);
    char address[COIR_ADDRESS_SIZE] = "?";
    coir_socket_address(listener, address, sizeof(address));
    printf("echo: listening on %s\n", address);
    fflush(stdout);
    const int rc = coir_serve(listener, echo, NULL, &(coir_serve_options){.grace = COIR_SEC(1)});
    coir_close(listener);
    return rc == -ECANCELED ? 0 : rc; /* a signal is how this server is meant to end */
}

int main(int argc, char **argv) {
    char standard[] = "127.0.0.1:7000";
    char *const address = argc > 1 ? argv[1] : standard;
    const int rc = coir_run_with(serve, address, &(coir_options){.cancel_on_signals = true});
    if (rc < 0)
        fprintf(stderr, "echo: %s: %s\n", address, coir_strerror(rc));
    return rc < 0;
}
