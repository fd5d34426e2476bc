/* Events: a flag, and those who wait for it to be set. Nobody waits while it is set. */
#include "sync/queued.h"

int coir_event_wait(coir_event *event) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, event));
    COIR_TRY(coir__check(rt, rt->current));
    return event->coir__set ? 0 : coir__wait_in(rt, &event->coir__waiters, "event", event);
}

int coir_event_set(coir_event *event) {
    struct coir__runtime *const rt = coir__rt;
    COIR_TRY(coir__refused(rt, event));
    event->coir__set = true;
    coir__wake_all(rt, &event->coir__waiters, 0);
    return 0;
}

int coir_event_clear(coir_event *event) {
    COIR_TRY(coir__refused(coir__rt, event));
    event->coir__set = false;
    return 0;
}

bool coir_event_is_set(const coir_event *event) {
    return event != NULL && event->coir__set;
}

int coir_event_destroy(coir_event *event) {
    if (event == NULL)
        return 0;
    if (!queue_empty(&event->coir__waiters))
        return -EBUSY;
    event->coir__set = false;
    return 0;
}
