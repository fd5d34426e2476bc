/* The floor of the channel: channel-coir.c over the least channel, all of it inlined. */
#include "wire.h"

#include <string.h>

#define LAST_ITEM UINT64_MAX

static const char *setting;
static struct wire there, back;
static bool over;

/* ---- There and back ---- */

static void answer(void) {
    uint64_t item;
    do {
        wire_receive(&there, &item);
        wire_send(&back, &item);
    } while (item != LAST_ITEM);
}

static void play(uint64_t count, void *arg) {
    (void)arg;
    for (; count != 0; --count) {
        uint64_t item;
        wire_send(&there, &count);
        wire_receive(&back, &item);
        if (item != count)
            bench_die("another item came back", 0);
    }
}

static void pingpong(void) {
    uint64_t item = LAST_ITEM;
    bench_report(setting, "ns", bench_ns(play, NULL) / 2);
    wire_send(&there, &item);
    wire_receive(&back, &item);
}

/* ---- One way ---- */

static void pour(void) {
    for (uint64_t item = 0; !over; ++item)
        wire_send(&there, &item);
}

static void drain(uint64_t count, void *arg) {
    uint64_t *const expected = arg;
    for (; count != 0; --count) {
        uint64_t item;
        wire_receive(&there, &item);
        if (item != (*expected)++)
            bench_die("an item is missing", 0);
    }
}

static void stream(void) {
    uint64_t expected = 0;
    bench_report(setting, "ns", bench_ns(drain, &expected));
    over = true;
    (void)wire_try(&there, &expected); /* lets the other one go, if it waits */
}

static int take_part(void *arg) {
    const bool plays = strncmp(setting, "pingpong-", 9) == 0;
    if (arg == NULL)
        (plays ? pingpong : stream)();
    else
        (plays ? answer : pour)();
    return 0;
}

static void measure(void *arg) {
    setting = arg;
    const size_t capacity = bench_number(strchr(setting, '-') + 1, NULL);
    if (capacity > WIRE_ROOM)
        bench_die("not so large a buffer", 0);
    there = back = (struct wire){.capacity = capacity};
    over = false;
    subject_all(2, take_part);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        subject_enter(measure, argv[i]);
    return 0;
}
