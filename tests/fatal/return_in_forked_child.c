/* Must die: a task forks, and the child returns from it instead of leaving by exec or _exit. The
 * parent dies of the same signal as the child. */
#include <coir.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int app(void *arg) {
    (void)arg;
    COIR_TRY(coir_task_set_name(coir_self(), "forker"));
    const pid_t child = fork();
    if (child <= 0)
        return 0;
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
        (void)raise(WTERMSIG(status));
    return 0;
}

int main(void) {
    return coir_run(app, NULL) < 0;
}
