/* Durations and counts in words, and text in bounds. */
#include "debug/words.h"
#include "core/runtime.h"

#include "support.h"

SUITE(debug_words);

static const char *duration(int64_t nanoseconds) {
    static char buffer[64];
    struct coir__words text = COIR_WORDS(buffer);
    coir__say_duration(&text, nanoseconds);
    return buffer;
}

Test(debug_words, durations) {
    check_str(duration(0), "0 ns");
    check_str(duration(999), "999 ns");
    check_str(duration(1000), "1.0 us");
    check_str(duration(250 * 1000), "250 us");
    check_str(duration(COIR_MS(1.99)), "1.9 ms");
    check_str(duration(COIR_MS(999)), "999 ms");
    check_str(duration(COIR_SEC(1.3)), "1.3 s");
    check_str(duration(COIR_SEC(59.9)), "59 s");
    check_str(duration(COIR_SEC(60)), "1 min 0 s");
    check_str(duration(COIR_SEC(3599)), "59 min 59 s");
    check_str(duration(COIR_SEC(3600)), "1 h 0 min");
    check_str(duration(COIR_SEC(90000)), "1 d 1 h");
    check_str(duration(INT64_MAX), "106751 d 23 h");
}

static const char *count(uint64_t number) {
    static char buffer[64];
    struct coir__words text = COIR_WORDS(buffer);
    coir__say_count(&text, number);
    return buffer;
}

Test(debug_words, counts) {
    check_str(count(0), "0");
    check_str(count(999), "999");
    check_str(count(1000), "1,000");
    check_str(count(9998), "9,998");
    check_str(count(1000000), "1,000,000");
    check_str(count(1002003), "1,002,003");
    check_str(count(UINT64_MAX), "18,446,744,073,709,551,615");
}

Test(debug_words, text_ends_where_its_room_does) {
    char buffer[8];
    struct coir__words text = COIR_WORDS(buffer);
    coir__say(&text, "%s", "abc");
    coir__say(&text, "%s", "de\nfgh");
    check_str(buffer, "abcde?f");
    coir__say(&text, "more");
    check_str(buffer, "abcde?f");
    check_int(text.length, 7);
}

Test(debug_words, the_name_of_a_scope_is_cut_within_its_quotes) {
    const coir_scope scope = {.coir__name = "somewhat long"};
    char label[24], brief[14];
    check_str(coir__scope_label(&scope, label, sizeof label), "scope 'somewhat long'");
    check_str(coir__scope_label(&scope, brief, sizeof brief), "scope 'somew'");
}
