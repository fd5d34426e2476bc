/* coir-ps: the scopes and tasks of another process, or of a core file, with where they are.
 *
 * Needs nothing of the program but that Coir is in it: no option, no symbols, no debug information.
 * The process is held for as long as it takes to copy what is to be shown, some milliseconds for
 * ten thousand tasks. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coir/base.h"
#include "listing.h"

static const char usage[] =
    "usage: coir-ps [options] PID\n"
    "       coir-ps [options] CORE [PROGRAM]\n"
    "\n"
    "Lists the scopes and tasks of a process that uses Coir, or of a core file of one, with what\n"
    "each waits for and its backtrace. Tasks that do the same in the same place are told of once.\n"
    "PROGRAM is where the program is now, if it is not where it was.\n"
    "\n"
    "  -j, --json           as JSON, each task for itself\n"
    "  -a, --all            each task for itself\n"
    "  -n, --no-backtrace   without backtraces\n"
    "  -h, --help           says this\n"
    "      --version        says which version this is\n";

static _Noreturn void refuse(void) {
    (void)fputs(usage, stderr);
    exit(2);
}

/* A process, if it is a number and not the name of a file that is there; 0 otherwise. */
static pid_t pid_of(const char *text) {
    char *end;
    errno = 0;
    const long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || number <= 0 || number > INT_MAX)
        return 0;
    return (pid_t)number;
}

/* Names come from the program's file. */
static void check_program(const struct world *world) {
    const uint64_t place = world->tables[0].fresh;
    Dwfl_Module *const module = dwfl_addrmodule(world->target->dwfl, place);
    GElf_Addr bias;
    if (module != NULL && dwfl_module_getelf(module, &bias) != NULL)
        return;
    complain("the file of the program in %s is not to be had, so that functions are without names "
             "and backtraces may be short%s",
             world->target->name, world->target->pid == 0 ? ": coir-ps CORE PROGRAM" : "");
}

static void show(char *const *arguments, int count, const struct view *view) {
    struct target target;
    struct world world;
    const pid_t pid = count == 1 ? pid_of(arguments[0]) : 0;
    if (pid != 0)
        target_open_process(&target, pid);
    else
        target_open_core(&target, arguments[0], count == 2 ? arguments[1] : NULL);
    target.kind->report(&target);
    world_copy(&world, &target, view->with_frames);
    check_program(&world);
    if (view->with_frames)
        frames_find(&world);
    (view->json ? print_json : print_text)(&world, view, stdout);
    frames_free();
    world_free(&world);
    target_close(&target);
}

int main(int argc, char **argv) {
    enum { VERSION = 256 };
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},         {"all", no_argument, NULL, 'a'},
        {"no-backtrace", no_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, VERSION},  {NULL, 0, NULL, 0}};
    struct view view = {.alike = true, .with_frames = true};
    for (int option; (option = getopt_long(argc, argv, "janh", options, NULL)) != -1;) {
        if (option == 'j')
            view.json = true;
        else if (option == 'n')
            view.with_frames = false;
        else if (option == VERSION)
            return printf("coir-ps %s\n", coir_version()) < 0;
        else if (option == 'h')
            return fputs(usage, stdout) < 0;
        else if (option != 'a')
            refuse();
        if (option == 'j' || option == 'a')
            view.alike = false;
    }
    if (argc - optind < 1 || argc - optind > 2)
        refuse();
    show(argv + optind, argc - optind, &view);
    if (fflush(stdout) != 0 || ferror(stdout))
        die("what was found cannot be written: %s", strerror(errno));
    return 0;
}
