/* Putting words together. */
#include "debug/words.h"

#include <stdarg.h>
#include <stdio.h>

void coir__say(struct coir__words *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const size_t room = text->size_bytes - text->length;
    const int length = vsnprintf(text->out + text->length, room, format, arguments);
    va_end(arguments);
    const size_t end = length > 0
                           ? text->length + ((size_t)length < room ? (size_t)length : room - 1)
                           : text->length;
    for (; text->length < end; text->length++) {
        char *const c = &text->out[text->length];
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
    }
}

void coir__say_duration(struct coir__words *text, int64_t nanoseconds) {
    static const struct unit {
        int64_t size; /* in nanoseconds */
        const char *name;
    } units[] = {
        {INT64_C(86400000000000), "d"},
        {INT64_C(3600000000000), "h"},
        {60000000000, "min"},
        {1000000000, "s"},
        {1000000, "ms"},
        {1000, "us"},
        {1, "ns"},
    };
    enum { LAST = sizeof units / sizeof units[0] - 1, SECONDS = 3 };
    size_t i = 0;
    while (i < LAST && nanoseconds < units[i].size)
        i++;
    const int64_t whole = nanoseconds / units[i].size, rest = nanoseconds % units[i].size;
    if (i < SECONDS)
        coir__say(text, "%lld %s %lld %s", (long long)whole, units[i].name,
                  (long long)(rest / units[i + 1].size), units[i + 1].name);
    else if (i < LAST && whole < 10)
        coir__say(text, "%lld.%lld %s", (long long)whole, (long long)(rest / (units[i].size / 10)),
                  units[i].name);
    else
        coir__say(text, "%lld %s", (long long)whole, units[i].name);
}

void coir__say_count(struct coir__words *text, uint64_t count) {
    uint64_t unit = 1;
    while (count / unit >= 1000)
        unit *= 1000;
    coir__say(text, "%llu", (unsigned long long)(count / unit));
    for (unit /= 1000; unit > 0; unit /= 1000)
        coir__say(text, ",%03llu", (unsigned long long)(count / unit % 1000));
}
