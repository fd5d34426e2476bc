/* Writing JSON: any bytes make a valid string. */
#include "debug/members.h"

#include <inttypes.h>
#include <stddef.h>

/* How many bytes from here on are one character of UTF-8; 0 if they are none. */
static size_t character_size(const unsigned char *text) {
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t more = 0; more < sizeof forms / sizeof forms[0]; more++) {
        if ((text[0] & forms[more].mask) != forms[more].lead)
            continue;
        uint32_t value = text[0] & (unsigned char)~forms[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (text[i] & 0x3fU);
        }
        const bool surrogate = value >= 0xd800 && value < 0xe000;
        return value < forms[more].least || surrogate || value > 0x10ffff ? 0 : more + 1;
    }
    return 0;
}

/* Any bytes make a valid string: those that are no UTF-8 become the character for that. */
static void put_string(FILE *out, const char *string) {
    const unsigned char *text = (const unsigned char *)string;
    (void)fputc('"', out);
    while (*text != '\0') {
        const size_t size = character_size(text);
        if (size == 0)
            (void)fputs("\\ufffd", out);
        else if (*text == '"' || *text == '\\')
            (void)fprintf(out, "\\%c", *text);
        else if (*text < ' ' || *text == 0x7f)
            (void)fprintf(out, "\\u%04x", *text);
        else
            (void)fwrite(text, 1, size, out);
        text += size > 0 ? size : 1;
    }
    (void)fputc('"', out);
}

void coir__put_key(FILE *out, const char *key) {
    (void)fprintf(out, ", \"%s\": ", key);
}

void coir__put_text(FILE *out, const char *key, const char *value) {
    coir__put_key(out, key);
    if (value != NULL)
        put_string(out, value);
    else
        (void)fputs("null", out);
}

void coir__put_number(FILE *out, const char *key, int64_t value) {
    coir__put_key(out, key);
    (void)fprintf(out, "%" PRId64, value);
}

void coir__put_flag(FILE *out, const char *key, bool value) {
    coir__put_key(out, key);
    (void)fputs(value ? "true" : "false", out);
}

void coir__put_address(FILE *out, const char *key, uint64_t value) {
    coir__put_key(out, key);
    if (value != 0)
        (void)fprintf(out, "\"0x%" PRIx64 "\"", value);
    else
        (void)fputs("null", out);
}
