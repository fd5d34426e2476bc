/* What the library says on stderr, and the names of errors. */
#include <stdarg.h>
#include <string.h>

#include "core/runtime.h"

__attribute__((format(printf, 2, 0))) static void say(const char *kind, const char *format,
                                                      va_list arguments) {
    char text[1024];
    (void)vsnprintf(text, sizeof text, format, arguments);
    (void)fprintf(stderr, "coir: %s%s\n", kind, text);
    (void)fflush(stderr);
}

__thread const void *coir__fatal_place;

void coir__fatal(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("fatal: ", format, arguments);
    va_end(arguments);
    coir__fatal_place = __builtin_return_address(0);
    abort();
}

void coir__warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("", format, arguments);
    va_end(arguments);
}

#define REMARKS_MAX 8 /* of a kind, in a run: a mistake in a loop must not fill a disk */

bool coir__may_remark(struct coir__runtime *rt, enum coir__remark kind) {
    static const char *const kinds[] = {
        [COIR_REMARK_MISUSE] = "misuse",
        [COIR_REMARK_IGNORED] = "tasks that ignore being cancelled",
        [COIR_REMARK_LEFT] = "scopes that are left without coir_scope_close",
    };
    unsigned *const count = &rt->remarks[kind];
    if (*count > REMARKS_MAX)
        return false;
    if (++*count <= REMARKS_MAX)
        return true;
    coir__warn("more of this is not told in this run: %s", kinds[kind]);
    return false;
}

/* Those that the library itself returns or passes on; of others only the meaning is given. */
/* clang-format off */
#define NAMES(X) \
    X(EPERM) X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(EBADF) X(ECHILD) X(EAGAIN) X(ENOMEM) X(EACCES) \
    X(EFAULT) X(EBUSY) X(EEXIST) X(ENOTDIR) X(EISDIR) X(EINVAL) X(ENFILE) X(EMFILE) X(EFBIG) \
    X(ENOSPC) X(ESPIPE) X(EROFS) X(EPIPE) X(ERANGE) X(EDEADLK) X(ENAMETOOLONG) X(ENOSYS) \
    X(EOVERFLOW) X(ENOTSOCK) X(EMSGSIZE) X(EPROTO) X(EOPNOTSUPP) X(EAFNOSUPPORT) X(EADDRINUSE) \
    X(EADDRNOTAVAIL) X(ENETDOWN) X(ENETUNREACH) X(ECONNABORTED) X(ECONNRESET) X(ENOBUFS) \
    X(EISCONN) X(ENOTCONN) X(ETIMEDOUT) X(ECONNREFUSED) X(EHOSTDOWN) X(EHOSTUNREACH) \
    X(EINPROGRESS) X(ECANCELED) X(EOWNERDEAD)
/* clang-format on */

static const char *error_name(int number) {
    switch (number) {
#define CASE(name)                                                                                 \
    case name:                                                                                     \
        return #name;
        NAMES(CASE)
#undef CASE
    default:
        return NULL;
    }
}

const char *coir_strerror(int error) {
    static __thread char text[128];
    const unsigned number = error < 0 ? 0U - (unsigned)error : (unsigned)error;
    if (number == 0)
        return "success";
    const char *const name = number <= INT32_MAX ? error_name((int)number) : NULL;
    if (name != NULL)
        (void)snprintf(text, sizeof text, "%s: %s", name, strerror((int)number));
    else
        (void)snprintf(text, sizeof text, "error %u: %s", number,
                       number <= INT32_MAX ? strerror((int)number) : "unknown");
    return text;
}
