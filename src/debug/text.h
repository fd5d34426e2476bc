/* Lines of text on stderr, put together without stdio and without allocation: for signal handlers,
 * and for whoever must not be interrupted in the middle of a line by another thread. */
#ifndef COIR_DEBUG_TEXT_H
#define COIR_DEBUG_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed: empty. A line longer than this is written in pieces. */
struct coir__text {
    size_t length;
    char text[512];
};

void coir__text_add(struct coir__text *line, const char *text);
/* In decimal, as 1,234,567. */
void coir__text_number(struct coir__text *line, uint64_t number);
/* In decimal, as it would stand in a program. */
void coir__text_digits(struct coir__text *line, uint64_t number);
/* As 0x7f61c2a0. */
void coir__text_address(struct coir__text *line, const void *address);
/* Spaces up to a column. */
void coir__text_pad(struct coir__text *line, size_t column);
/* Ends the line and writes it; it is empty again. */
void coir__text_end(struct coir__text *line);

#endif
