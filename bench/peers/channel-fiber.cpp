// Link with: -lboost_fiber -lboost_context
// Channels of Boost.Fiber: the twin of channel-coir.c. Those without a buffer are an
// unbuffered_channel; a buffer has a power of two of places, one of which stays empty, so that there
// is none of a single item.
#include <boost/fiber/all.hpp>
#include <cstdio>
#include <cstring>

#include "../lib/bench.h"

using unbuffered = boost::fibers::unbuffered_channel<uint64_t>;
using buffered = boost::fibers::buffered_channel<uint64_t>;

template <typename Channel> struct Table {
    Channel &there, &back;
};

template <typename Channel> static void play(uint64_t count, void *arg) {
    auto *table = static_cast<Table<Channel> *>(arg);
    for (; count != 0; --count) {
        uint64_t item = 0;
        table->there.push(count);
        table->back.pop(item);
        if (item != count)
            bench_die("another item came back", 0);
    }
}

template <typename Channel> static void drain(uint64_t count, void *arg) {
    auto *channel = static_cast<Channel *>(arg);
    static uint64_t expected;
    for (; count != 0; --count) {
        uint64_t item = 0;
        channel->pop(item);
        if (item != expected++)
            bench_die("an item is missing", 0);
    }
}

template <typename Channel> static void pingpong(const char *name, Channel &there, Channel &back) {
    Table<Channel> table{there, back};
    boost::fibers::fiber other([&] {
        uint64_t item;
        while (there.pop(item) == boost::fibers::channel_op_status::success)
            back.push(item);
    });
    bench_report(name, "ns", bench_ns(play<Channel>, &table) / 2);
    there.close();
    other.join();
}

template <typename Channel> static void stream(const char *name, Channel &channel) {
    boost::fibers::fiber other([&] {
        uint64_t item = 0;
        while (channel.push(item) == boost::fibers::channel_op_status::success)
            ++item;
    });
    bench_report(name, "ns", bench_ns(drain<Channel>, &channel));
    channel.close();
    other.join();
}

static int measure(const char *name) {
    const bool plays = std::strncmp(name, "pingpong-", 9) == 0;
    const size_t capacity = bench_number(std::strchr(name, '-') + 1, nullptr);
    if (capacity == 0) {
        unbuffered there, back;
        plays ? pingpong(name, there, back) : stream(name, there);
    } else if (capacity > 1) {
        buffered there{capacity}, back{capacity};
        plays ? pingpong(name, there, back) : stream(name, there);
    } else {
        std::fprintf(stderr, "Boost.Fiber has no channel with room for one item\n");
        return BENCH_CANNOT;
    }
    return 0;
}

int main(int argc, char **argv) {
    bench_pin("BENCH_CPU");
    for (int i = 1; i < argc; ++i)
        if (measure(argv[i]) != 0)
            return BENCH_CANNOT;
    return 0;
}
