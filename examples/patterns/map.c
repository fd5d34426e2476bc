/* Map over inputs: one function for each element of an array, so many at a time.
 *
 *     async with semaphore: ...  in each of  await asyncio.gather(*[resize(i) for i in images])
 *
 * coir_map begins them in order and uses no more tasks than the limit, however long the array. The
 * results go where the function puts them: here into the array itself.
 *
 * Output:
 *     [   0 ms] 5 images, 2 at a time
 *     [  20 ms] cat.png is 200 wide
 *     [  50 ms] dog.png is 500 wide
 *     [  60 ms] owl.png is 400 wide
 *     [  80 ms] elk.png is 300 wide
 *     [  90 ms] fox.png is 300 wide
 *     [  90 ms] 1700 pixels side by side */
#include <coir.h>

#include "lib/timeline.h"

struct image {
    const char *name;
    int takes_ms, width;
};

static int resize(size_t index, void *ctx) {
    struct image *const image = &((struct image *)ctx)[index];
    COIR_TRY(coir_sleep(COIR_MS(image->takes_ms)));
    image->width = 10 * image->takes_ms;
    say("%s is %d wide", image->name, image->width);
    return 0;
}

static int app(void *arg) {
    (void)arg;
    struct image images[] = {
        {"cat.png", 20, 0}, {"dog.png", 50, 0}, {"owl.png", 40, 0},
        {"elk.png", 30, 0}, {"fox.png", 30, 0},
    };
    const size_t n = sizeof images / sizeof images[0];
    say("%zu images, 2 at a time", n);
    COIR_TRY(coir_map(n, 2, resize, images));
    int total = 0;
    for (size_t i = 0; i < n; i++)
        total += images[i].width;
    say("%d pixels side by side", total);
    return 0;
}

int main(int argc, char **argv) {
    const coir_options options = timeline(argc, argv);
    return coir_run_with(app, NULL, &options) < 0;
}
