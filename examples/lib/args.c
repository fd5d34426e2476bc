/* See args.h. strtoul and strtod take leading blanks and signs, "0x" and "nan": all refused here by
 * looking at the first character and at the range. */
#include "args.h"

#include <stdlib.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool args_count(const char *text, size_t min, size_t max, size_t *out) {
    char *end;
    if (!is_digit(text[0]))
        return false;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || errno != 0 || value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool args_seconds(const char *text, coir_time *out) {
    char *end;
    if (!is_digit(text[0]) && text[0] != '.')
        return false;
    const double value = strtod(text, &end);
    if (*end != '\0' || !(value >= 0 && value <= 1e6))
        return false;
    *out = COIR_SEC(value);
    return true;
}
