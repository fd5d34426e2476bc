/* Calls to be made when a task ends. */
#include "core/runtime.h"

static void call(struct coir__watch *watch, int rc) {
    const coir_done *const done = list_entry(watch, coir_done, coir__watch);
    done->fn(done->coir__task, rc, done->arg); /* which may be the end of *done */
}

int coir_task_on_done(coir_task task, coir_done *done) {
    if (coir__rt == NULL)
        return coir__outside();
    if (done == NULL || done->fn == NULL || list_linked(&done->coir__watch.link))
        return -EINVAL;
    struct coir__record *const record = coir__record_find(task);
    if (record == NULL)
        return -ESRCH;
    done->coir__task = task;
    done->coir__watch.ended = call;
    if (record->task != NULL)
        coir__watch_add(record, &done->coir__watch);
    else
        call(&done->coir__watch, record->result);
    return 0;
}

bool coir_done_remove(coir_done *done) {
    if (done == NULL || !list_linked(&done->coir__watch.link))
        return false;
    coir__watch_remove(&done->coir__watch);
    return true;
}
