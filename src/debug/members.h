/* Writing the members of JSON objects. Each but the first of an object is written with the comma
 * before it. */
#ifndef COIR_DEBUG_MEMBERS_H
#define COIR_DEBUG_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

void coir__put_key(FILE *out, const char *key);
/* NULL: null. Bytes that are no UTF-8 become the character for that. */
void coir__put_text(FILE *out, const char *key, const char *value);
void coir__put_number(FILE *out, const char *key, int64_t value);
void coir__put_flag(FILE *out, const char *key, bool value);
/* As a string, "0x7f2e10"; 0: null. */
void coir__put_address(FILE *out, const char *key, uint64_t value);

#endif
