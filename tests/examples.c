/* The programs of examples/, run as a user runs them: started, talked to over sockets by plain
 * system calls (and by curl, where there is one), and ended by a signal.
 *
 * Time is bounded by an alarm in each of them, generous enough for any machine; nothing here fails
 * for being slow. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "support.h"

SUITE(examples);

/* ---- Programs that run beside the test ---- */

struct program {
    pid_t pid;
    FILE *out;
    char address[128]; /* where it said that it listens */
};

static void start_program(struct program *program, const char *const argv[]) {
    int out[2];
    check_int(pipe(out), 0);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", COIR_BUILD_DIR, argv[0]);
    fflush(NULL);
    program->pid = fork();
    check(program->pid >= 0);
    if (program->pid == 0) {
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail, nothing stays behind */
#endif
        alarm(300);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(out[1]);
    program->out = fdopen(out[0], "r");
    check(program->out != NULL);
}

/* Takes the address from the first line the program prints: after `head`, as far as `end`. */
static void await_address(struct program *program, const char *head, char end) {
    char line[4096];
    cr_assert(fgets(line, sizeof line, program->out) != NULL, "the program said nothing");
    const char *const at = strstr(line, head);
    cr_assert(at != NULL, "no \"%s\" in \"%s\"", head, line);
    const char *const text = at + strlen(head);
    const size_t length = strcspn(text, (char[]){end, '\n', '\0'});
    check(length > 0);
    check(length < sizeof program->address);
    memcpy(program->address, text, length);
    program->address[length] = '\0';
}

/* Waits for its end; it must have exited with that status. */
static void await_exit(struct program *program, int expected) {
    int status = -1;
    check_int(waitpid(program->pid, &status, 0), program->pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == expected, "wait status 0x%x",
              (unsigned)status);
    fclose(program->out);
}

static void end_program(struct program *program, int signal_number) {
    check_int(kill(program->pid, signal_number), 0);
    await_exit(program, 0);
}

/* A blocking connection to where the program listens. */
static int connect_to(const struct program *program) {
    const char *const colon = strrchr(program->address, ':');
    check(colon != NULL);
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)atoi(colon + 1))};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    check_int(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void send_all(int fd, const char *data, size_t size_bytes) {
    while (size_bytes > 0) {
        const ssize_t n = send(fd, data, size_bytes, MSG_NOSIGNAL);
        check(n > 0);
        data += n;
        size_bytes -= (size_t)n;
    }
}

static void receive_all(int fd, char *data, size_t size_bytes) {
    while (size_bytes > 0) {
        const ssize_t n = recv(fd, data, size_bytes, 0);
        check(n > 0);
        data += n;
        size_bytes -= (size_t)n;
    }
}

/* Runs a program to its end; it must exit with that status. */
static const program_result *run_expecting(int status, const char *const argv[]) {
    const program_result *const result = run_program(argv);
    cr_assert(WIFEXITED(result->status) && WEXITSTATUS(result->status) == status,
              "wait status 0x%x:\n%s%s", (unsigned)result->status, result->out, result->err);
    return result;
}

#define RUN(status, ...) run_expecting(status, (const char *const[]){__VA_ARGS__, NULL})
#define START(program, ...) start_program(program, (const char *const[]){__VA_ARGS__, NULL})

/* ---- A folder to serve ---- */

#define BIG_SIZE ((size_t)5000011)

static char folder[] = "/tmp/coir-examples-XXXXXX", outside[] = "/tmp/coir-secret-XXXXXX";
static char *big;

static const char *below(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const void *data, size_t size_bytes) {
    FILE *const file = fopen(path, "w");
    check(file != NULL);
    check_int(fwrite(data, 1, size_bytes, file), size_bytes);
    check_int(fclose(file), 0);
}

static void make_folder(void) {
    signal(SIGPIPE, SIG_IGN);
    check(mkdtemp(folder) != NULL);
    const int secret = mkstemp(outside);
    check(secret >= 0);
    check_int(write(secret, "secret", 6), 6);
    close(secret);
    write_file(below("hello.txt"), "hello, world\n", 13);
    write_file(below("empty"), "", 0);
    write_file(below("with space.html"), "<p>page", 7);
    check_int(symlink(outside, below("link")), 0);
    check_int(mkdir(below("sub"), 0700), 0);
    write_file(below("sub/index.html"), "<p>index", 8);
    big = malloc(BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        big[i] = (char)(i * 31 + (i >> 8) * 7);
    write_file(below("big.bin"), big, BIG_SIZE);
}

static void remove_folder(void) {
    static const char *const names[] = {"hello.txt", "empty",          "with space.html", "link",
                                        "got",       "sub/index.html", "big.bin"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unlink(below(names[i]));
    rmdir(below("sub"));
    rmdir(folder);
    unlink(outside);
    free(big);
}

static struct program httpd;

static void start_httpd(void) {
    make_folder();
    START(&httpd, "examples/httpd", "-l", "127.0.0.1:0", "-g", "60", folder);
    await_address(&httpd, "http://", '/');
}

/* ---- HTTP by hand ---- */

struct response {
    int status;
    char *head; /* terminated */
    char *body;
    size_t body_size;
    char *all;
};

/* Sends the request and reads to the end of the connection. */
static struct response ask(const char *request) {
    struct response response = {0};
    const int fd = connect_to(&httpd);
    send_all(fd, request, strlen(request));
    const size_t most = BIG_SIZE + 65536;
    size_t size_bytes = 0;
    response.all = malloc(most);
    ssize_t n;
    while ((n = recv(fd, response.all + size_bytes, most - size_bytes, 0)) > 0)
        size_bytes += (size_t)n;
    check_int(n, 0);
    close(fd);
    response.body = memmem(response.all, size_bytes, "\r\n\r\n", 4);
    cr_assert(response.body != NULL, "no answer to:\n%s", request);
    response.body[2] = '\0';
    response.body += 4;
    response.body_size = size_bytes - (size_t)(response.body - response.all);
    response.head = response.all;
    check_int(sscanf(response.head, "HTTP/1.1 %d ", &response.status), 1);
    return response;
}

/* "GET /path HTTP/1.1" with further fields, as the last request of its connection. */
static struct response get(const char *method, const char *target, const char *fields) {
    char request[8192];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s\r\n",
             method, target, fields);
    return ask(request);
}

static void check_body(struct response response, int status, const void *body, size_t size_bytes) {
    check_int(response.status, status);
    check_int(response.body_size, size_bytes);
    check(memcmp(response.body, body, size_bytes) == 0);
    free(response.all);
}

static void check_status(struct response response, int status) {
    check_int(response.status, status);
    free(response.all);
}

#define HTTPD_TEST(name) Test(examples, httpd_##name, .init = start_httpd, .fini = remove_folder)

/* ---- scrape ---- */

Test(examples, scrape_shows_all_three_outcomes) {
    const program_result *const result = RUN(0, "examples/scrape");
    check_contains(result->out, "\ncompleted ");
    check_contains(result->out, "\nfailed ");
    check_contains(result->out, "\ntimed out ");
    const char *const completed_at = strstr(result->out, " completed, ");
    check(completed_at != NULL);
    const char *summary = completed_at;
    while (summary > result->out && summary[-1] != '\n')
        summary--;
    unsigned completed, failed, timed_out;
    check_int(
        sscanf(summary, "%u completed, %u failed, %u timed out", &completed, &failed, &timed_out),
        3);
    check(completed > 0);
    check(failed > 0);
    check(timed_out > 0);
    check(completed + failed + timed_out <= 10);
}

HTTPD_TEST(is_scraped) {
    char good[256], missing[256], refused[256];
    snprintf(good, sizeof good, "http://%s/big.bin", httpd.address);
    snprintf(missing, sizeof missing, "http://%s/nothing", httpd.address);
    const program_result *result = RUN(0, "examples/scrape", good, good, good);
    check_contains(result->out, "3 completed, 0 failed, 0 timed out");
    check_contains(result->out, "200, 5000011 bytes");

    result = RUN(1, "examples/scrape", "-n", "1", good, missing);
    check_contains(result->out, "1 completed, 1 failed, 0 timed out");
    check_contains(result->out, "status 404");
    snprintf(refused, sizeof refused, "http://%s/", httpd.address);
    end_program(&httpd, SIGTERM);
    result = RUN(1, "examples/scrape", refused);
    check_contains(result->out, "0 completed, 1 failed, 0 timed out");
}

Test(examples, scrape_refuses_bad_arguments) {
    static const char *const bad[] = {
        "https://127.0.0.1/",    "ftp://127.0.0.1/", "nonsense", "", "http://",
        "http://127.0.0.1:0x50/"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        RUN(2, "examples/scrape", bad[i]);
    RUN(2, "examples/scrape", "-n", "0");
    RUN(2, "examples/scrape", "-t", "-1");
    RUN(2, "examples/scrape", "-z");
    check_contains(RUN(0, "examples/scrape", "-h")->out, "usage");
}

/* ---- echo ---- */

static void start_echo(struct program *echo) {
    START(echo, "examples/echo", "127.0.0.1:0");
    await_address(echo, "listening on ", '\n');
}

Test(examples, echo_echoes) {
    struct program echo;
    start_echo(&echo);
    int fds[20];
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = connect_to(&echo);
    char block[4096], back[sizeof block];
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(fds); i++) {
            memset(block, (int)(round * 7 + i), sizeof block);
            send_all(fds[i], block, sizeof block);
        }
        for (size_t i = 0; i < COUNT_OF(fds); i++) {
            memset(block, (int)(round * 7 + i), sizeof block);
            receive_all(fds[i], back, sizeof back);
            check(memcmp(block, back, sizeof back) == 0);
        }
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        check_int(shutdown(fds[i], SHUT_WR), 0);
        check_int(recv(fds[i], back, sizeof back, 0), 0);
        close(fds[i]);
    }
    end_program(&echo, SIGTERM);
}

/* Connections that are open do not keep it from ending. */
Test(examples, echo_ends_on_either_signal) {
    const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct program echo;
        start_echo(&echo);
        const int fd = connect_to(&echo);
        char byte = 'x';
        send_all(fd, &byte, 1);
        receive_all(fd, &byte, 1);
        end_program(&echo, signals[i]);
        check(recv(fd, &byte, 1, 0) <= 0);
        close(fd);
    }
}

Test(examples, echo_says_why_it_can_not_listen) {
    struct program echo;
    start_echo(&echo);
    check_contains(RUN(1, "examples/echo", echo.address)->err, "EADDRINUSE");
    check_contains(RUN(1, "examples/echo", "nonsense")->err, "EINVAL");
    end_program(&echo, SIGTERM);
}

/* ---- httpd ---- */

HTTPD_TEST(serves_files) {
    check_body(get("GET", "/hello.txt", ""), 200, "hello, world\n", 13);
    check_body(get("GET", "/empty", ""), 200, "", 0);
    check_body(get("GET", "/with%20space.html", ""), 200, "<p>page", 7);
    check_body(get("GET", "/sub/", ""), 200, "<p>index", 8);
    check_body(get("GET", "/hello.txt?query", ""), 200, "hello, world\n", 13);
    check_body(get("GET", "/big.bin", ""), 200, big, BIG_SIZE);
    check_body(ask("GET /hello.txt HTTP/1.0\r\n\r\n"), 200, "hello, world\n", 13);
    end_program(&httpd, SIGTERM);
}

HTTPD_TEST(names_types_and_sizes) {
    struct response response = get("GET", "/with%20space.html", "");
    check_contains(response.head, "Content-Type: text/html");
    check_contains(response.head, "Content-Length: 7\r\n");
    free(response.all);
    response = get("GET", "/hello.txt", "");
    check_contains(response.head, "Content-Type: text/plain");
    free(response.all);

    response = get("HEAD", "/big.bin", "");
    check_contains(response.head, "Content-Length: 5000011\r\n");
    check_body(response, 200, "", 0);
    end_program(&httpd, SIGTERM);
}

HTTPD_TEST(serves_ranges) {
    check_body(get("GET", "/big.bin", "Range: bytes=0-0\r\n"), 206, big, 1);
    check_body(get("GET", "/big.bin", "Range: bytes=1000000-1999999\r\n"), 206, big + 1000000,
               1000000);
    check_body(get("GET", "/big.bin", "Range: bytes=5000000-\r\n"), 206, big + 5000000, 11);
    check_body(get("GET", "/big.bin", "Range: bytes=-7\r\n"), 206, big + BIG_SIZE - 7, 7);
    struct response response = get("GET", "/hello.txt", "Range: bytes=7-11\r\n");
    check_contains(response.head, "Content-Range: bytes 7-11/13\r\n");
    check_body(response, 206, "world", 5);
    check_status(get("GET", "/hello.txt", "Range: bytes=13-\r\n"), 416);
    check_status(get("GET", "/empty", "Range: bytes=0-\r\n"), 416);
    end_program(&httpd, SIGTERM);
}

HTTPD_TEST(refuses_what_is_not_there_and_what_is_outside) {
    check_status(get("GET", "/nothing", ""), 404);
    check_status(get("GET", "/hello.txt/", ""), 404);
    check_status(get("POST", "/hello.txt", "Content-Length: 0\r\n"), 405);
    static const char *const escapes[] = {"/..",          "/../../../../etc/passwd",
                                          "/sub/../..",   "/%2e%2e/%2e%2e/etc/passwd",
                                          "/..%2f..%2f",  "/link",
                                          "/sub/../link", "//etc/passwd",
                                          "/hello.txt%00"};
    for (size_t i = 0; i < COUNT_OF(escapes); i++) {
        struct response response = get("GET", escapes[i], "");
        cr_assert(response.status >= 400 && response.status < 500, "%s: %d", escapes[i],
                  response.status);
        check(memmem(response.body, response.body_size, "secret", 6) == NULL);
        check(memmem(response.body, response.body_size, "root:", 5) == NULL);
        free(response.all);
    }
    end_program(&httpd, SIGTERM);
}

HTTPD_TEST(refuses_what_is_no_request) {
    static const char *const bad[] = {
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello.txt\r\n\r\n",
        "GET /hello.txt HTTP/1.1\r\n\r\n", /* without a Host */
        "GET hello.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hello.txt HTTP/1.1\r\nHost: a\r\n bad: fold\r\n\r\n",
        "GET /hello.txt HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /hello.txt HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /hello.txt HTTP/1.1\nHost: a\n\n\r\n\r\n",
        "\x16\x03\x01\x02\r\n\r\n", /* somebody speaks TLS */
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct response response = ask(bad[i]);
        cr_assert(response.status >= 400 && response.status < 600, "%d to:\n%s", response.status,
                  bad[i]);
        free(response.all);
    }
    char *const head = malloc(100000);
    memset(head, 'a', 99999);
    head[99999] = '\0';
    memcpy(head, "GET /", 5);
    check_status(ask(head), 414);
    free(head);
    check_body(get("GET", "/hello.txt", ""), 200, "hello, world\n", 13); /* it is well */
    end_program(&httpd, SIGTERM);
}

/* Two requests in one piece, then one byte by byte, all on one connection. */
HTTPD_TEST(keeps_connections) {
    const int fd = connect_to(&httpd);
    const char request[] = "GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    char twice[2 * sizeof request];
    snprintf(twice, sizeof twice, "%s%s", request, request);
    send_all(fd, twice, strlen(twice));
    for (int i = 0; i < 5; i++) {
        char text[4096];
        size_t length = 0;
        while (length < 4 || memcmp(text + length - 4, "\r\n\r\n", 4) != 0) {
            check(length < sizeof text - 20);
            receive_all(fd, text + length, 1);
            length++;
        }
        text[length] = '\0';
        check_contains(text, "HTTP/1.1 200 ");
        receive_all(fd, text, 13);
        check(memcmp(text, "hello, world\n", 13) == 0);
        for (size_t at = 0; i >= 1 && i < 4 && request[at] != '\0'; at++)
            send_all(fd, request + at, 1);
    }
    /* An idle connection does not keep it from ending, though the grace period is a minute. */
    end_program(&httpd, SIGTERM);
    char byte;
    check_int(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

/* Told to end in the middle of an answer, it sends the rest of it first. What is asked for is more
 * than the sockets can hold between them. */
HTTPD_TEST(finishes_its_answers_when_it_ends) {
    const size_t huge = (size_t)64 << 20;
    check_int(truncate(below("big.bin"), (off_t)huge), 0);
    const int fd = connect_to(&httpd);
    const char request[] = "GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n";
    send_all(fd, request, strlen(request));
    char *const all = malloc(huge + 4096);
    receive_all(fd, all, 1000);
    check_int(kill(httpd.pid, SIGTERM), 0);
    size_t size_bytes = 1000;
    ssize_t n;
    while ((n = recv(fd, all + size_bytes, huge + 4096 - size_bytes, 0)) > 0)
        size_bytes += (size_t)n;
    check_int(n, 0);
    close(fd);
    const char *const body = memmem(all, size_bytes, "\r\n\r\n", 4);
    check(body != NULL);
    check_int(size_bytes - (size_t)(body + 4 - all), huge);
    check(memcmp(body + 4, big, BIG_SIZE) == 0);
    free(all);
    await_exit(&httpd, 0);
}

Test(examples, httpd_refuses_bad_arguments) {
    RUN(2, "examples/httpd", "-c", "0");
    RUN(2, "examples/httpd", "-g", "-1");
    RUN(2, "examples/httpd", "-z");
    RUN(2, "examples/httpd", "one", "two");
    check_contains(RUN(1, "examples/httpd", "/nothing/here")->err, "ENOENT");
    check_contains(RUN(1, "examples/httpd", "-l", "nonsense", "/tmp")->err, "EINVAL");
    check_contains(RUN(0, "examples/httpd", "-h")->out, "usage");
}

/* ---- curl ---- */

static const char *curl_path(void) {
    static const char *const paths[] = {"/usr/bin/curl", "/usr/local/bin/curl", "/bin/curl",
                                        "/opt/homebrew/bin/curl"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    return NULL;
}

static void check_got(const char *expected, size_t size_bytes) {
    FILE *const file = fopen(below("got"), "r");
    check(file != NULL);
    char *const got = malloc(size_bytes + 1);
    check_int(fread(got, 1, size_bytes + 1, file), size_bytes);
    check(memcmp(got, expected, size_bytes) == 0);
    free(got);
    fclose(file);
}

HTTPD_TEST(serves_curl) {
    const char *const curl = curl_path();
    if (curl == NULL) {
        end_program(&httpd, SIGTERM);
        skip_test("curl is not installed: a real client is not tried");
    }
    char url[256], got[256];
    snprintf(url, sizeof url, "http://%s/big.bin", httpd.address);
    snprintf(got, sizeof got, "%s", below("got"));
    RUN(0, curl, "-q", "-sS", "--noproxy", "*", "-f", "-o", got, url);
    check_got(big, BIG_SIZE);
    RUN(0, curl, "-q", "-sS", "--noproxy", "*", "-f", "-r", "123-4567890", "-o", got, url);
    check_got(big + 123, 4567890 - 123 + 1);
    check_contains(RUN(0, curl, "-q", "-sS", "--noproxy", "*", "-I", url)->out, "200 OK");
    RUN(22, curl, "-q", "-sS", "--noproxy", "*", "-f", "-o", got, "-X", "DELETE", url);

    /* The rest of a download that was broken off. */
    write_file(got, big, 1234567);
    RUN(0, curl, "-q", "-sS", "--noproxy", "*", "-f", "-C", "-", "-o", got, url);
    check_got(big, BIG_SIZE);
    end_program(&httpd, SIGTERM);
}

/* ---- trace ---- */

/* The number behind a key in the line; -1 if it has none. */
static long number_in(const char *line, const char *key) {
    const char *const at = strstr(line, key);
    return at != NULL ? strtol(at + strlen(key), NULL, 10) : -1;
}

Test(examples, trace_draws_each_task_as_a_row_of_slices) {
    enum { ROWS = 8 }; /* the loop, the main task, six clients */
    const program_result *const result =
        run_program((const char *const[]){"examples/trace", "60000", NULL});
    check_int(result->status, 0);
    check_str(result->err, "");
    bool open[ROWS] = {false};
    size_t slices[ROWS] = {0}, arrows = 0;
    check_int(strncmp(result->out, "[\n", 2), 0);
    check_str(result->out + strlen(result->out) - 4, "}\n]\n");
    for (const char *line = result->out; (line = strchr(line, '{')) != NULL;
         line += strcspn(line, "\n")) {
        const long row = number_in(line, "\"tid\":");
        check(row >= 0 && row < ROWS);
        const char kind = line[strlen("{\"ph\":\"")];
        if (kind == 'B' || kind == 'E')
            check_int(open[row], kind == 'E');
        open[row] = kind == 'B' || (open[row] && kind != 'E');
        slices[row] += kind == 'B';
        arrows += kind == 's';
        arrows -= kind == 'f';
    }
    for (size_t row = 0; row < ROWS; row++) {
        check(!open[row]);
        check(slices[row] > 0);
    }
    check_int(arrows, 0);
    check_contains(result->out, "\"name\":\"client a 2\"");
    check_contains(result->out, "\"name\":\"sleep\"");
}

/* ---- kv ---- */

static const char *node_address(unsigned number) {
    static char addresses[3][300];
    snprintf(addresses[number], sizeof addresses[number], "unix:%s/node%u", folder, number);
    return addresses[number];
}

static void start_node(struct program *node, unsigned number) {
    const char digit[] = {(char)('0' + number), '\0'};
    char log[300];
    snprintf(log, sizeof log, "%s/log%u", folder, number);
    START(node, "examples/kv", "node", digit, log, node_address(0), node_address(1),
          node_address(2));
    await_address(node, " at ", '\n');
}

static void remove_nodes(void) {
    for (unsigned i = 0; i < 3; i++) {
        char log[300];
        snprintf(log, sizeof log, "%s/log%u", folder, i);
        unlink(log);
        unlink(node_address(i) + strlen("unix:"));
    }
    rmdir(folder);
}

/* Asks until the node is there. */
static void check_value(unsigned node, const char *value) {
    const program_result *result;
    do {
        usleep(10000);
        result = run_program(
            (const char *const[]){"examples/kv", "get", node_address(node), "name", NULL});
    } while (result->status != 0);
    check_int(strncmp(result->out, value, strlen(value)), 0);
    check_int(result->out[strlen(value)], '\n');
}

Test(examples, kv_outlives_a_minority, .fini = remove_nodes) {
    struct program nodes[3];
    check(mkdtemp(folder) != NULL);
    for (unsigned i = 0; i < 3; i++)
        start_node(&nodes[i], i);
    check_value(0, "-");
    check_contains(RUN(0, "examples/kv", "set", node_address(0), "name", "one")->out, "done");
    check_int(kill(nodes[0].pid, SIGKILL), 0); /* what was acknowledged stays */
    check_int(waitpid(nodes[0].pid, NULL, 0), nodes[0].pid);
    check_value(1, "one");
    check_contains(RUN(0, "examples/kv", "set", node_address(2), "name", "two")->out, "done");
    end_program(&nodes[1], SIGTERM); /* one is no majority */
    check_contains(RUN(1, "examples/kv", "get", node_address(2), "name")->err, "EAGAIN");
    start_node(&nodes[0], 0);
    check_value(0, "two");
    end_program(&nodes[0], SIGTERM);
    end_program(&nodes[2], SIGTERM);
    RUN(2, "examples/kv");
    RUN(2, "examples/kv", "node", "3", "/dev/null", "a", "b", "c");
    RUN(1, "examples/kv", "set", node_address(2), "name", "with blank");
}

#ifdef __linux__
/* How many seeds at most a bug may take. */
#define SEEDS_MOST "500"

static void check_bug_is_found(const char *bug) {
    if (on_valgrind())
        skip_test("it takes too long there, thousands of runs");
    char variant[128];
    static program_result first;
    const char *const wrong = "no order of the writes explains what was read\n";
    const program_result *result = RUN(1, "examples/kv-sim", "-b", bug, "-n", SEEDS_MOST);
    const char *const least = strstr(result->out, "the least of it: ");
    check(least != NULL);
    check_contains(least, wrong);
    const char *const again = strstr(least, " -r ");
    check(again != NULL);
    check_int(sscanf(again, " -r %127s", variant), 1);
    size_t steps = 0;
    for (const char *at = least; (at = strstr(at, " s  ")) != NULL; at++)
        steps++;
    cr_assert(steps <= 8, "it is not small:\n%s", result->out);
    check_contains(least, "without faults");

    first = *RUN(1, "examples/kv-sim", "-b", bug, "-r", variant);
    check_contains(first.out, wrong);
    check_str(RUN(1, "examples/kv-sim", "-b", bug, "-r", variant)->out, first.out);
    first = *RUN(1, "examples/kv-sim", "-b", bug, "-t", "-r", variant);
    check_contains(first.out, "epoll");
    check_str(RUN(1, "examples/kv-sim", "-b", bug, "-t", "-r", variant)->out, first.out);
    check_contains(RUN(0, "examples/kv-sim", "-r", variant)->out, "nothing is wrong");
}

Test(examples, kv_sim_finds_an_early_acknowledgement) {
    check_bug_is_found("early");
}

Test(examples, kv_sim_finds_a_stale_read) {
    check_bug_is_found("stale");
}

Test(examples, kv_sim_finds_nothing_in_the_store_as_it_is) {
    const bool slow = with_sanitizer() || on_valgrind() || emulated();
    const char *const seeds = slow ? "200" : "5000";
    check_contains(RUN(0, "examples/kv-sim", "-n", seeds)->out, "nothing wrong");
}

Test(examples, kv_sim_refuses_bad_arguments) {
    static const char *const bad[] = {"", "x", "-1", "7-", "7-0", "7-0-1-2-3", "0x7", "7 "};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        check_contains(RUN(2, "examples/kv-sim", "-r", bad[i])->err, "SEED-ORDER-STEPS-FAULTS");
    check_contains(RUN(0, "examples/kv-sim", "-r", "57")->out, "all steps and faults of seed 57: ");
    RUN(2, "examples/kv-sim", "-b", "other");
    RUN(2, "examples/kv-sim", "-n", "0");
    RUN(2, "examples/kv-sim", "-t");
    RUN(2, "examples/kv-sim", "more");
}
#endif
/* ---- profile ---- */

/* The microseconds that end a line of calls: "name;outer;inner 12". */
static long folded_time(const char *line, size_t length) {
    char text[1024];
    check(length < sizeof text);
    memcpy(text, line, length);
    text[length] = '\0';
    char *const time = strrchr(text, ' ');
    check(time != NULL && time > text);
    char *end;
    const long microseconds = strtol(time + 1, &end, 10);
    check(end > time + 1 && *end == '\0' && microseconds >= 0);
    *time = '\0';
    check(text[0] != ';' && time[-1] != ';');
    check(strstr(text, ";;") == NULL);
    return microseconds;
}

/* Runs the program once. Whether enough was sampled to meet both kinds of its tasks where they
 * compute: on a busy machine few samples, and seldom none of some task, are all that comes. */
static bool profile_adds_up(void) {
    const program_result *const result =
        run_program((const char *const[]){"examples/profile", NULL});
    check_int(result->status, 0);
    long sum = 0, total = -1;
    for (const char *line = result->out; *line != '\0'; line = strchr(line, '\n') + 1)
        sum += folded_time(line, strcspn(line, "\n"));
    const char *const told = strstr(result->err, "profile: ");
    check(told != NULL && sscanf(told, "profile: %ld us in ", &total) == 1);
    check_int(sum, total);
    return total > 20000 && /* of the 150 ms that its tasks compute, less what the samples took */
           strstr(result->out, "indexer 2;index_pages;split;hash") != NULL &&
           strstr(result->out, "renderer 3;render_pages;render;hash") != NULL;
}

Test(examples, profile_adds_up_in_lines_that_flame_graphs_are_made_of) {
    if (with_sanitizer() || on_valgrind())
        skip_test("the tool hands signals on later, and elsewhere");
    bool met_both = false;
    for (unsigned i = 0; i < 20 && !met_both; i++)
        met_both = profile_adds_up();
    check(met_both);
}
