/* The parser of examples/lib/http.c: whatever comes, in whatever pieces, is understood in one way.
 *
 * Of the input the first byte chooses what is parsed, the second how large the pieces are. */
#include <string.h>

#include "examples/lib/http.h"
#include "fuzz/fuzz.h"

/* Pieces of 1 to 256 bytes, or all of it. */
static size_t next_piece(uint8_t how, size_t left) {
    const size_t piece = how == 0 ? left : how;
    return piece < left ? piece : left;
}

static bool is_inside(struct http_text text, const char *buffer, size_t size) {
    return text.size == 0 || (text.at >= buffer && text.at + text.size <= buffer + size);
}

static bool is_same(struct http_text a, struct http_text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static void check_head(const struct http_head *head, const char *buffer, size_t size) {
    HOLDS(head->size <= size && head->size <= HTTP_HEAD_MAX);
    HOLDS(head->field_count <= HTTP_FIELDS_MAX);
    HOLDS(is_inside(head->method, buffer, head->size));
    HOLDS(is_inside(head->target, buffer, head->size));
    HOLDS(head->content_length >= -1);
    HOLDS(!head->chunked || head->content_length == -1);
    HOLDS(!head->response || (head->status >= 100 && head->status <= 599));
    for (size_t i = 0; i < head->field_count; i++) {
        HOLDS(is_inside(head->fields[i].name, buffer, head->size));
        HOLDS(is_inside(head->fields[i].value, buffer, head->size));
        HOLDS(head->fields[i].name.size > 0);
        HOLDS(http_field(head, "no such field") == NULL);
    }
}

static void parse_head(bool response, uint8_t how, const char *text, size_t size) {
    static struct http_head whole, pieces;
    http_begin(&whole, response);
    http_begin(&pieces, response);
    enum http_result first = http_parse(&whole, text, size), second = HTTP_MORE;
    for (size_t there = 0; there < size && second == HTTP_MORE;) {
        there += next_piece(how, size - there);
        second = http_parse(&pieces, text, there);
    }
    if (size == 0)
        second = http_parse(&pieces, text, 0);
    HOLDS(first == second);
    HOLDS(first != HTTP_MORE || size < HTTP_HEAD_MAX);
    HOLDS((first == HTTP_REFUSED) == (whole.refused != 0));
    HOLDS(whole.refused == pieces.refused);
    if (first != HTTP_COMPLETE)
        return;
    check_head(&whole, text, size);
    HOLDS(whole.size == pieces.size && whole.field_count == pieces.field_count);
    HOLDS(whole.keep_alive == pieces.keep_alive && whole.chunked == pieces.chunked);
    HOLDS(whole.content_length == pieces.content_length && whole.minor == pieces.minor);
    HOLDS(is_same(whole.target, pieces.target) && is_same(whole.method, pieces.method));
}

struct body {
    char *data;
    size_t payload, used;
    enum http_result result;
};

static struct body unchunk(uint8_t how, const char *text, size_t size) {
    struct http_chunks chunks = {.state = 0};
    struct body body = {.data = malloc(size + 1), .result = HTTP_MORE};
    while (body.used < size && body.result == HTTP_MORE) {
        const size_t piece = next_piece(how, size - body.used);
        char *const copy = malloc(piece);
        size_t used, payload;
        memcpy(copy, text + body.used, piece);
        body.result = http_unchunk(&chunks, copy, piece, &used, &payload);
        HOLDS(used <= piece && payload <= used);
        HOLDS(body.result != HTTP_MORE || used == piece);
        memcpy(body.data + body.payload, copy, payload);
        body.payload += payload;
        body.used += used;
        free(copy);
    }
    return body;
}

static void parse_chunks(uint8_t how, const char *text, size_t size) {
    const struct body whole = unchunk(0, text, size), pieces = unchunk(how, text, size);
    HOLDS(whole.result == pieces.result);
    HOLDS(whole.result == HTTP_REFUSED || whole.used == pieces.used);
    HOLDS(whole.result == HTTP_REFUSED || whole.payload == pieces.payload);
    HOLDS(whole.payload != pieces.payload || memcmp(whole.data, pieces.data, whole.payload) == 0);
    free(whole.data);
    free(pieces.data);
}

static void parse_date(const char *text, size_t size) {
    char written[HTTP_DATE_SIZE];
    time_t time, again;
    if (!http_parse_date((struct http_text){text, size}, &time))
        return;
    http_format_date(time, written);
    HOLDS(strlen(written) < sizeof written);
    if (written[0] != '\0' && time >= 0) {
        HOLDS(http_parse_date((struct http_text){written, strlen(written)}, &again));
        HOLDS(again == time);
    }
}

static void parse_range(uint8_t how, const char *text, size_t size) {
    static const int64_t sizes[] = {0, 1, 100, INT64_MAX};
    const int64_t content = sizes[how % 4];
    int64_t first = -1, last = -1;
    const int status = http_parse_range((struct http_text){text, size}, content, &first, &last);
    HOLDS(status == 200 || status == 206 || status == 416);
    HOLDS(status != 206 || (first >= 0 && first <= last && last < content));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const size_t length = size - 2;
    char *const text = malloc(length + 1); /* nothing may be read behind it */
    memcpy(text, data + 2, length);
    char *const exact = realloc(text, length > 0 ? length : 1);
    switch (data[0] % 5) {
    case 0:
    case 1:
        parse_head(data[0] % 5 == 1, data[1], exact, length);
        break;
    case 2:
        parse_chunks(data[1], exact, length);
        break;
    case 3:
        parse_date(exact, length);
        break;
    default:
        parse_range(data[1], exact, length);
        break;
    }
    free(exact);
    return 0;
}
