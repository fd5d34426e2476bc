/* A thread that ends while its runtime runs: a task, or what it calls, has called pthread_exit, or
 * another thread has cancelled this one. The tasks would be gone without a word, and what the
 * runtime has told the process of itself would stay. The system tells by the destructor of a value
 * of the thread, which is set for as long as the runtime runs. */
#include <pthread.h>

#include "core/runtime.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool made;

static _Noreturn coir__noinline void tell(const struct coir__runtime *rt) {
    char label[128];
    coir__fatal("the thread of the runtime ended while %s had it: by pthread_exit, or "
                "pthread_cancel; end a task by returning from its function",
                rt->current != &rt->loop ? coir__task_label(rt->current, label, sizeof label)
                                         : "the loop of the runtime");
}

/* On the thread's own stack: the system has dropped all frames, those of the task too. */
static void thread_ends(void *value) {
    const struct coir__runtime *const rt = coir__rt;
    if (rt == NULL || value != rt) /* in a forked child */
        return;
    sanitizer_stack_cleared(rt->loop.shadow.low, rt->loop.shadow.size_bytes);
    tell(rt);
}

static void make_key(void) {
    made = pthread_key_create(&key, thread_ends) == 0;
}

void coir__thread_end_watch(const struct coir__runtime *rt) {
    (void)pthread_once(&once, make_key);
    if (made)
        (void)pthread_setspecific(key, rt);
}

void coir__thread_end_leave(void) {
    if (made)
        (void)pthread_setspecific(key, NULL);
}
