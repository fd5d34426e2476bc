/* Putting words together for people: text in bounds, durations, large numbers. */
#ifndef COIR_DEBUG_WORDS_H
#define COIR_DEBUG_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Text as it grows; what does not fit is left out. */
struct coir__words {
    char *out; /* always ends in zero */
    size_t size_bytes, length;
};

#define COIR_WORDS(buffer)                                                                         \
    { .out = (buffer), .size_bytes = sizeof(buffer) }

/* Control characters, which only names that others gave can hold, become question marks. */
void coir__say(struct coir__words *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "250 ns", "40 ms", "1.3 s", "3 min 20 s", "2 d 5 h": two digits, or two units. */
void coir__say_duration(struct coir__words *text, int64_t nanoseconds);
/* "1,000,000" */
void coir__say_count(struct coir__words *text, uint64_t count);

#endif
