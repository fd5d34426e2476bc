/* CPU-bound work on a pool of a chosen size.
 *
 *     with ProcessPoolExecutor(2) as pool: await gather(*[loop.run_in_executor(pool, ...), ...])
 *
 * Threads suffice: C has no lock around its interpreter. offload_threads bounds the pool of the
 * whole program; the limit of coir_map bounds this piece of work, so that it leaves threads free
 * for others. A long job asks now and then whether its result is still wanted.
 *
 * The virtual clock does not count the time of jobs; for real the last line comes when they are
 * done.
 *
 * Output:
 *     [   0 ms] 8 ranges, 2 at a time on a pool of 4 threads
 *     [   0 ms] 9592 primes below 100000
 *     [   0 ms] more than 2 jobs at once: never */
#include <coir.h>
#include <stdatomic.h>

#include "lib/timeline.h"

enum { RANGES = 8, SIZE = 12500, AT_ONCE = 2, THREADS = 4 };

static atomic_int running, crowded;

struct range {
    int first, primes;
};

static bool is_prime(int n) {
    for (int i = 2; i * i <= n; i++) {
        if (n % i == 0)
            return false;
    }
    return n > 1;
}

/* On a thread. */
static int count_primes(void *arg) {
    struct range *const range = arg;
    if (atomic_fetch_add(&running, 1) >= AT_ONCE)
        crowded = 1;
    for (int n = range->first; n < range->first + SIZE && !coir_offload_cancelled(); n++)
        range->primes += is_prime(n);
    atomic_fetch_sub(&running, 1);
    return 0;
}

static int count_range(size_t index, void *ranges) {
    return coir_offload(count_primes, &((struct range *)ranges)[index]);
}

static int app(void *arg) {
    (void)arg;
    struct range ranges[RANGES] = {{0, 0}};
    for (int i = 0; i < RANGES; i++)
        ranges[i].first = i * SIZE;
    say("%d ranges, %d at a time on a pool of %d threads", RANGES, AT_ONCE, THREADS);
    COIR_TRY(coir_map(RANGES, AT_ONCE, count_range, ranges));
    int primes = 0;
    for (int i = 0; i < RANGES; i++)
        primes += ranges[i].primes;
    say("%d primes below %d", primes, RANGES * SIZE);
    say("more than %d jobs at once: %s", AT_ONCE, crowded ? "yes" : "never");
    return 0;
}

int main(int argc, char **argv) {
    coir_options options = timeline(argc, argv);
    options.offload_threads = THREADS;
    return coir_run_with(app, NULL, &options) < 0;
}
