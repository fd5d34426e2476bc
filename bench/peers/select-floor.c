/* The floor of the select: select-coir.c over the least channel; no draw among those that are
 * ready, but each channel in turn. */
#include "wire.h"

#include <string.h>

#define WIRES_MAX 64

static const char *setting;
static struct wire wires[WIRES_MAX];
static size_t count;
static uint64_t items[WIRES_MAX]; /* received from each */
static bool over;

static size_t select_one(uint64_t *place) {
    static size_t first;
    for (size_t i = 0; i < count; ++i) {
        const size_t which = (first + i) % count;
        if (wire_try(&wires[which], place)) {
            first = which + 1;
            return which;
        }
    }
    struct wire_receiver self = {.fiber = fifo.running, .place = place};
    for (size_t i = 0; i < count; ++i)
        wires[i].receiver = &self;
    fifo_park();
    for (size_t i = 0; i < count; ++i)
        wires[i].receiver = NULL;
    return (size_t)(self.from - wires);
}

static void receive(uint64_t times, void *arg) {
    (void)arg;
    for (; times != 0; --times) {
        uint64_t item;
        const size_t which = select_one(&item);
        if (item != items[which]++)
            bench_die("an item is missing", 0);
    }
}

static void send_in_turn(void) {
    for (uint64_t item = 0; !over; ++item)
        for (size_t i = 0; i < count && !over; ++i)
            wire_send(&wires[i], &item);
}

static void send_to_one(struct wire *wire) {
    for (uint64_t item = 0; !over; ++item)
        wire_send(wire, &item);
}

/* Lets those go who wait. */
static void finish(void) {
    uint64_t item;
    over = true;
    for (size_t i = 0; i < count; ++i)
        (void)wire_try(&wires[i], &item);
}

static int take_part(void *arg) {
    const size_t index = (size_t)arg;
    if (index == 0) {
        bench_report(setting, "ns", bench_ns(receive, NULL));
        finish();
    } else if (strstr(setting, "-senders") != NULL) {
        send_to_one(&wires[index - 1]);
    } else {
        send_in_turn();
    }
    return 0;
}

static void measure(void *arg) {
    setting = arg;
    count = bench_number(setting, NULL);
    if (count == 0 || count > WIRES_MAX)
        bench_die("not so many channels", 0);
    memset(wires, 0, sizeof wires);
    memset(items, 0, sizeof items);
    over = false;
    subject_all(strstr(setting, "-senders") != NULL ? count + 1 : 2, take_part);
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        subject_enter(measure, argv[i]);
    return 0;
}
