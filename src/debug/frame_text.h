/* Frames in words, for whoever reports where a task is: on stderr, one a line, innermost first.
 *
 * Safe in signal handlers, as the walks and the look-ups of symbols are. Nothing is kept of what a
 * walk yields, so that a stack may be of any depth. */
#ifndef COIR_DEBUG_FRAME_TEXT_H
#define COIR_DEBUG_FRAME_TEXT_H

#include "debug/name.h"
#include "debug/text.h"
#include "debug/trail.h"

/* Where frames come from: a trail, or, if `pcs` is set, an array of what one has yielded. */
struct coir__frames_source {
    struct coir__trail trail;
    void *const *pcs;
    size_t count;              /* of what is left of the array */
    struct coir__names *names; /* for files and lines; NULL in signal handlers */
};

/* Appends "name (file+0x12ab)", or what is known of it. */
void coir__text_symbol(struct coir__text *line, struct coir__symbols *symbols, const void *pc);
/* All frames but the two at the base. Functions that call themselves or one another are told once,
 * with how often; of what is still too long, the middle is left out. Returns how often the most
 * frequent was called so: 1 where nothing repeats. */
size_t coir__frames_tell(struct coir__frames_source source, struct coir__cfi *cfi);
/* The addresses alone, on one line, the first few: what needs no symbols. */
void coir__frames_tell_raw(struct coir__frames_source source, struct coir__cfi *cfi);

#endif
