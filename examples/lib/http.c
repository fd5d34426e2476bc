/* See http.h. A head is parsed line by line: next_line cuts one off, start_line and add_field take
 * it in, finish judges the whole. Each returns the status to refuse with, or 0. */
#define _GNU_SOURCE 1 /* strptime, timegm */

#include "http.h"

#include <string.h>
#include <strings.h>

/* ---- Characters. Not ctype.h: that one depends on the locale. ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Methods and names of fields are made of these. */
static bool is_token(char c) {
    return is_letter(c) || is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_visible(char c) {
    return c > 0x20 && c < 0x7f;
}

/* Values of fields and reasons: all but control characters; bytes of other alphabets pass. */
static bool is_text(char c) {
    const unsigned char u = (unsigned char)c;
    return u == '\t' || (u >= 0x20 && u != 0x7f);
}

/* The length of the longest beginning of `text` that is made of such characters. */
static size_t span(struct http_text text, bool (*is)(char)) {
    size_t n = 0;
    while (n < text.size && is(text.at[n]))
        n++;
    return n;
}

static struct http_text skip(struct http_text text, size_t n) {
    return (struct http_text){text.at + n, text.size - n};
}

static struct http_text trim(struct http_text text) {
    text = skip(text, span(text, is_blank));
    while (text.size > 0 && is_blank(text.at[text.size - 1]))
        text.size--;
    return text;
}

/* Takes a number off the front: at least one digit. One that is too large stops at INT64_MAX. */
static bool take_number(struct http_text *text, int64_t *out) {
    const size_t digits = span(*text, is_digit);
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        const int digit = text->at[i] - '0';
        *out = *out > (INT64_MAX - digit) / 10 ? INT64_MAX : *out * 10 + digit;
    }
    *text = skip(*text, digits);
    return digits > 0;
}

bool http_is(struct http_text text, const char *other) {
    return text.size == strlen(other) && strncasecmp(text.at, other, text.size) == 0;
}

/* ---- The first line ---- */

/* HTTP/1.x, to the end of the text. */
static int take_version(struct http_head *head, struct http_text text) {
    if (text.size != 8 || memcmp(text.at, "HTTP/", 5) != 0 || !is_digit(text.at[5]) ||
        text.at[6] != '.' || !is_digit(text.at[7]))
        return 400;
    head->minor = text.at[7] - '0';
    return text.at[5] == '1' ? 0 : 505;
}

static int request_line(struct http_head *head, struct http_text line) {
    head->method = (struct http_text){line.at, span(line, is_token)};
    line = skip(line, head->method.size);
    if (head->method.size == 0 || line.size == 0 || line.at[0] != ' ')
        return 400;
    line = skip(line, 1);
    head->target = (struct http_text){line.at, span(line, is_visible)};
    line = skip(line, head->target.size);
    if (head->target.size == 0 || line.size == 0 || line.at[0] != ' ')
        return 400;
    return take_version(head, skip(line, 1));
}

/* "HTTP/1.1 200 OK". Some leave out the reason, and the blank before it. */
static int status_line(struct http_head *head, struct http_text line) {
    if (line.size < 12 || line.at[8] != ' ')
        return 400;
    struct http_text code = {line.at + 9, 3};
    int64_t status = 0;
    if (!take_number(&code, &status) || code.size > 0 || status < 100 || status > 599)
        return 400;
    head->status = (int)status;
    const struct http_text reason = skip(line, 12);
    if (reason.size > 0 && (reason.at[0] != ' ' || span(reason, is_text) != reason.size))
        return 400;
    return take_version(head, (struct http_text){line.at, 8});
}

/* ---- The fields ---- */

static int content_length(struct http_head *head, struct http_text value) {
    int64_t length;
    if (head->content_length >= 0 || !take_number(&value, &length) || value.size > 0 ||
        length == INT64_MAX)
        return 400;
    head->content_length = length;
    return 0;
}

/* A list of words with commas; we know two of them. */
static void connection(struct http_head *head, struct http_text value) {
    while (value.size > 0) {
        const char *const comma = memchr(value.at, ',', value.size);
        const size_t size = comma != NULL ? (size_t)(comma - value.at) : value.size;
        const struct http_text word = trim((struct http_text){value.at, size});
        head->close |= http_is(word, "close");
        head->stay |= http_is(word, "keep-alive");
        value = skip(value, comma != NULL ? size + 1 : size);
    }
}

/* What a field means for the message as a whole. */
static int take_field(struct http_head *head, struct http_text name, struct http_text value) {
    if (http_is(name, "content-length"))
        return content_length(head, value);
    if (http_is(name, "transfer-encoding")) {
        if (head->coded)
            return 501;
        head->coded = true;
        head->chunked = http_is(value, "chunked");
    } else if (http_is(name, "connection")) {
        connection(head, value);
    } else if (http_is(name, "host")) {
        head->hosts++;
    }
    return 0;
}

/* "Name: value". A folded line begins with a blank, hence with an empty name. */
static int add_field(struct http_head *head, struct http_text line) {
    const struct http_text name = {line.at, span(line, is_token)};
    if (name.size == 0 || name.size == line.size || line.at[name.size] != ':')
        return 400;
    const struct http_text value = trim(skip(line, name.size + 1));
    if (span(value, is_text) != value.size)
        return 400;
    if (head->field_count == HTTP_FIELDS_MAX)
        return 431;
    head->fields[head->field_count++] = (struct http_field){name, value};
    return take_field(head, name, value);
}

/* The head as a whole. A length beside a coding is how requests are smuggled: never let through. */
static int finish(struct http_head *head) {
    if (head->coded && (head->content_length >= 0 || head->minor == 0))
        return 400;
    if (head->coded && (!head->response || !head->chunked))
        return 501;
    if (!head->response && (head->hosts > 1 || (head->minor > 0 && head->hosts == 0)))
        return 400;
    head->keep_alive = !head->close && (head->minor > 0 || head->stay);
    return 0;
}

/* ---- Lines ---- */

/* Cuts the next line off, without its CRLF. Returns false if it is not there yet or is refused. */
static bool next_line(struct http_head *head, const char *buffer, size_t size_bytes,
                      struct http_text *line, int *refused) {
    const size_t known = size_bytes < HTTP_HEAD_MAX ? size_bytes : HTTP_HEAD_MAX;
    const char *const begin = buffer + head->size;
    const char *const end = memchr(buffer + head->scanned, '\n', known - head->scanned);
    const size_t length = end != NULL ? (size_t)(end - begin) : known - head->size;
    head->scanned = head->size + length;
    if (!head->started && length > HTTP_LINE_MAX)
        *refused = 414;
    else if (end == NULL && known == HTTP_HEAD_MAX)
        *refused = 431;
    else if (end != NULL && (length == 0 || end[-1] != '\r'))
        *refused = 400;
    if (end == NULL || *refused != 0)
        return false;
    *line = (struct http_text){begin, length - 1};
    head->size = head->scanned = head->scanned + 1;
    return true;
}

void http_begin(struct http_head *head, bool response) {
    *head = (struct http_head){.response = response, .content_length = -1};
}

enum http_result http_parse(struct http_head *head, const char *buffer, size_t size_bytes) {
    struct http_text line;
    int refused = head->refused;
    bool complete = false;
    while (!complete && refused == 0 && size_bytes > 0 &&
           next_line(head, buffer, size_bytes, &line, &refused)) {
        if (head->started && line.size > 0) {
            refused = add_field(head, line);
        } else if (head->started) {
            complete = true;
            refused = finish(head);
        } else if (head->response) {
            head->started = true;
            refused = status_line(head, line);
        } else if (line.size > 0) { /* empty lines before a request are let pass: RFC 9112, 2.2 */
            head->started = true;
            refused = request_line(head, line);
        }
    }
    head->refused = refused;
    if (refused != 0)
        return HTTP_REFUSED;
    return complete ? HTTP_COMPLETE : HTTP_MORE;
}

const struct http_text *http_field(const struct http_head *head, const char *name) {
    for (size_t i = 0; i < head->field_count; i++) {
        if (http_is(head->fields[i].name, name))
            return &head->fields[i].value;
    }
    return NULL;
}

const char *http_reason(int status) {
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

/* ---- Chunked bodies: one step of a small machine a byte of framing, content in one move ---- */

#define CHUNK_LINE_MAX 256 /* of a size with its extensions */

enum chunk_state {
    SIZE_FIRST, /* a digit must come */
    SIZE,       /* more digits, an extension, or the end of the line */
    EXTENSION,  /* ignored up to the end of the line */
    SIZE_LF,
    CONTENT,
    CONTENT_CR,
    CONTENT_LF,
    TRAILER_FIRST, /* the first character of a line behind the last chunk */
    TRAILER,       /* ignored up to the end of the line */
    TRAILER_LF,
    END_LF,
    END,
    MALFORMED
};

static int hex_value(char c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum chunk_state size_digit(struct http_chunks *chunks, char c) {
    if (hex_value(c) < 0 || chunks->left > UINT64_MAX / 32)
        return MALFORMED;
    chunks->left = chunks->left * 16 + (uint64_t)hex_value(c);
    return SIZE;
}

static enum chunk_state in_size(struct http_chunks *chunks, char c) {
    if (c == '\r')
        return SIZE_LF;
    if (c == ';' || is_blank(c))
        return EXTENSION;
    return size_digit(chunks, c);
}

/* Where the line that began goes on: at its CR in `end`, else in `same`. */
static enum chunk_state in_line(char c, enum chunk_state same, enum chunk_state end) {
    if (c == '\r')
        return end;
    return is_text(c) ? same : MALFORMED;
}

static enum chunk_state after_size(struct http_chunks *chunks) {
    chunks->line = 0;
    return chunks->left > 0 ? CONTENT : TRAILER_FIRST;
}

static enum chunk_state step(struct http_chunks *chunks, char c) {
    switch ((enum chunk_state)chunks->state) {
    case SIZE_FIRST:
        return size_digit(chunks, c);
    case SIZE:
        return chunks->line > CHUNK_LINE_MAX ? MALFORMED : in_size(chunks, c);
    case EXTENSION:
        return chunks->line > CHUNK_LINE_MAX ? MALFORMED : in_line(c, EXTENSION, SIZE_LF);
    case SIZE_LF:
        return c == '\n' ? after_size(chunks) : MALFORMED;
    case CONTENT_CR:
        return c == '\r' ? CONTENT_LF : MALFORMED;
    case CONTENT_LF:
        return c == '\n' ? SIZE_FIRST : MALFORMED;
    case TRAILER_FIRST:
        return in_line(c, TRAILER, END_LF);
    case TRAILER:
        return chunks->line > HTTP_HEAD_MAX ? MALFORMED : in_line(c, TRAILER, TRAILER_LF);
    case TRAILER_LF:
        return c == '\n' ? TRAILER_FIRST : MALFORMED;
    case END_LF:
        return c == '\n' ? END : MALFORMED;
    case CONTENT:
    case END:
    case MALFORMED:
        break;
    }
    return MALFORMED;
}

enum http_result http_unchunk(struct http_chunks *chunks, char *data, size_t size_bytes,
                              size_t *used, size_t *payload) {
    *used = *payload = 0;
    while (*used < size_bytes && chunks->state != END && chunks->state != MALFORMED) {
        if (chunks->state != CONTENT) {
            chunks->line++;
            chunks->state = (int)step(chunks, data[(*used)++]);
            continue;
        }
        const size_t here = size_bytes - *used;
        const size_t size = here < chunks->left ? here : (size_t)chunks->left;
        memmove(data + *payload, data + *used, size);
        *payload += size;
        *used += size;
        chunks->left -= size;
        chunks->state = chunks->left > 0 ? CONTENT : CONTENT_CR;
        chunks->line = 0;
    }
    if (chunks->state == MALFORMED)
        return HTTP_REFUSED;
    return chunks->state == END ? HTTP_COMPLETE : HTTP_MORE;
}

/* ---- Dates and ranges ---- */

/* The examples never call setlocale, so that the names of days and months are the English ones. */
#define IMF_FIXDATE "%a, %d %b %Y %H:%M:%S GMT"

void http_format_date(time_t time, char out[HTTP_DATE_SIZE]) {
    struct tm tm;
    if (gmtime_r(&time, &tm) == NULL || strftime(out, HTTP_DATE_SIZE, IMF_FIXDATE, &tm) == 0)
        out[0] = '\0';
}

bool http_parse_date(struct http_text text, time_t *out) {
    static const char *const forms[] = {IMF_FIXDATE, "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    char copy[48];
    if (text.size >= sizeof(copy) || memchr(text.at, '\0', text.size) != NULL)
        return false;
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {.tm_isdst = 0};
        const char *const end = strptime(copy, forms[i], &tm);
        if (end != NULL && *end == '\0') {
            *out = timegm(&tm);
            return true;
        }
    }
    return false;
}

/* "-500": the last 500 bytes. */
static int suffix_range(int64_t count, int64_t size_bytes, int64_t *first, int64_t *last) {
    if (count == 0 || size_bytes == 0)
        return 416;
    *first = count < size_bytes ? size_bytes - count : 0;
    *last = size_bytes - 1;
    return 206;
}

int http_parse_range(struct http_text value, int64_t size_bytes, int64_t *first, int64_t *last) {
    int64_t from = 0, to = INT64_MAX;
    if (value.size < 6 || !http_is((struct http_text){value.at, 6}, "bytes="))
        return 200;
    value = trim(skip(value, 6));
    const bool is_suffix = !take_number(&value, &from);
    if (value.size == 0 || value.at[0] != '-')
        return 200;
    value = skip(value, 1);
    const bool has_end = take_number(&value, &to);
    if (!has_end)
        to = INT64_MAX;
    if (value.size > 0 || (is_suffix && !has_end) || to < from)
        return 200;
    if (is_suffix)
        return suffix_range(to, size_bytes, first, last);
    if (from >= size_bytes)
        return 416;
    *first = from;
    *last = to < size_bytes ? to : size_bytes - 1;
    return 206;
}
