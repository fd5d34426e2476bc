// Link with: -lboost_fiber -lboost_context
// Boost.Fiber with its round-robin scheduler, and stacks from a pool, as its documentation advises
// for many short-lived fibers (boost::fibers::pooled_fixedsize_stack: not guarded).
#include <boost/fiber/all.hpp>
#include <chrono>
#include <vector>

#include "../../lib/tasks.h"

#define SUBJECT_STACK (128 * 1024)
#define SUBJECT_MUTEX

static boost::fibers::mutex the_mutex;

BENCH_SOME void subject_enter(void (*fn)(void *arg), void *arg) {
    fn(arg);
}

BENCH_SOME void subject_all(size_t count, int (*fn)(void *arg)) {
    static boost::fibers::pooled_fixedsize_stack stacks(SUBJECT_STACK);
    std::vector<boost::fibers::fiber> fibers;
    fibers.reserve(count);
    for (size_t i = 0; i < count; ++i)
        fibers.emplace_back(std::allocator_arg, stacks, [fn, i] { (void)fn((void *)i); });
    for (auto &fiber : fibers)
        fiber.join();
}

BENCH_INLINE void subject_yield(void) {
    boost::this_fiber::yield();
}

BENCH_SOME void subject_sleep(uint64_t ns) {
    boost::this_fiber::sleep_for(std::chrono::nanoseconds(ns));
}

BENCH_INLINE void subject_lock(void) {
    the_mutex.lock();
}

BENCH_INLINE void subject_unlock(void) {
    the_mutex.unlock();
}
