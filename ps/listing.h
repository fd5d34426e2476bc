/* Showing a world: as text for people, as JSON for programs. Both as coir_dump writes them, with
 * what there is to tell of a target around it. */
#ifndef PS_LISTING_H
#define PS_LISTING_H

#include <stdio.h>

#include "debug/words.h"
#include "frames.h"

/* ---- Tasks that are alike are told of once (group.c) ---- */

enum { MEMBERS_KNOWN = 3 };

struct group {
    size_t others[MEMBERS_KNOWN]; /* places of the first few besides the one it is told by */
    size_t count;                 /* all of them; 0: the place is told of with another one */
    int64_t shortest, longest;    /* that one of them has waited */
};

/* One for each place of the runtime. `alike`: if not, each stands for itself. */
struct group *groups_find(const struct runtime *runtime, bool alike);

/* ---- Words (say.c) ---- */

struct listing {
    const struct world *world;
    const struct runtime *runtime;
    const struct group *groups;
    FILE *out;
    bool with_frames;
};

void say_task(struct coir__words *text, const struct listing *listing, const struct task *task);
/* The name of the function that a task began with. */
void say_function(struct coir__words *text, const struct listing *listing, uint64_t fn);
void say_scope(struct coir__words *text, const struct place *scope);
/* "mutex 0x7f61c2a0 held by task 3 'writer'" */
void say_wait(struct coir__words *text, const struct listing *listing, const struct wait *wait);

/* Whether its number is that of a descriptor. */
bool waits_for_fd(const struct listing *listing, const struct wait *wait);

/* The two ends of a descriptor of the target, or its path; false if that cannot be known
 * (descriptor.c). */
bool say_descriptor(struct coir__words *text, const struct target *target, int64_t fd);

/* ---- All of it (text.c, json.c) ---- */

struct view {
    bool json, alike, with_frames;
};

void print_text(const struct world *world, const struct view *view, FILE *out);
void print_json(const struct world *world, const struct view *view, FILE *out);

#endif
