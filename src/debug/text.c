/* Lines of text without stdio. */
#include "debug/text.h"

#include <string.h>

#include "base/sys.h"

static void flush(struct coir__text *line) {
    (void)sys_write(STDERR_FILENO, line->text, line->length);
    line->length = 0;
}

static void add(struct coir__text *line, const char *text, size_t length) {
    while (length > 0) {
        if (line->length == sizeof line->text)
            flush(line);
        const size_t room = sizeof line->text - line->length;
        const size_t part = length < room ? length : room;
        memcpy(line->text + line->length, text, part);
        line->length += part;
        text += part;
        length -= part;
    }
}

void coir__text_add(struct coir__text *line, const char *text) {
    add(line, text, strlen(text));
}

static void add_number(struct coir__text *line, uint64_t number, unsigned base, bool commas) {
    char digits[32];
    char *const end = digits + sizeof digits, *place = end;
    unsigned count = 0;
    do {
        if (commas && count++ % 3 == 0 && place != end)
            *--place = ',';
        *--place = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    add(line, place, (size_t)(end - place));
}

void coir__text_number(struct coir__text *line, uint64_t number) {
    add_number(line, number, 10, true);
}

void coir__text_digits(struct coir__text *line, uint64_t number) {
    add_number(line, number, 10, false);
}

void coir__text_address(struct coir__text *line, const void *address) {
    coir__text_add(line, "0x");
    add_number(line, (uintptr_t)address, 16, false);
}

void coir__text_pad(struct coir__text *line, size_t column) {
    while (line->length < column)
        add(line, " ", 1);
}

void coir__text_end(struct coir__text *line) {
    add(line, "\n", 1);
    flush(line);
}
