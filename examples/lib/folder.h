/* The files below one folder and nothing else, whatever the path says: neither ".." nor a symbolic
 * link leads out. To be called from a task: what has to wait for a disk waits on the pool. */
#ifndef EXAMPLES_FOLDER_H
#define EXAMPLES_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* Opens the folder itself. Returns a descriptor, or a negative errno. Blocks; for the start. */
int folder_open(const char *path);

/* Opens a file, or a folder, below `folder` for reading. `path` has no slash in front; "." is the
 * folder itself; must_be_folder: anything else is -ENOTDIR. Never blocks on a pipe.
 * Returns a descriptor; -EXDEV the path leads outside; -ELOOP too many links (without the kernel's
 * help: any link); -ENOENT, -EACCES, -EMFILE ... as open; -ECANCELED. Parks unless all the kernel
 * needs is in its caches. */
int folder_open_below(int folder, const char *path, bool must_be_folder);

/* Makes a page of HTML that lists an open folder; `path` is its title, and "." the topmost one.
 * The page is the caller's to free. Returns 0, or a negative errno. Parks. */
int folder_list(int folder, const char *path, char **page, size_t *size_bytes);

#endif
