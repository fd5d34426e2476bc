/* The bare context of coir/context.h: a first frame on the caller's stack. The switch itself is
 * assembly, in arch/. */
#include "coir/context.h"

#include "arch/frame.h"
#include "base/sanitizer.h"

#define STACK_SIZE_MIN 1024

int coir_context_init(coir_context *context, void *stack, size_t stack_size_bytes,
                      coir_context_fn fn, void *arg) {
    if (context == NULL || stack == NULL || fn == NULL || stack_size_bytes < STACK_SIZE_MIN)
        return -EINVAL;
    sanitizer_stack_cleared(stack, stack_size_bytes);
    context->sp = coir__frame_init((char *)stack + stack_size_bytes, fn, arg);
    return 0;
}
