#include "base/error.h"

#include "base/memory_policy.h"
#include "base/pages.h"
#include "base/str.h"

#include <stdarg.h>

#define WAYS_OUT 700 /* bytes of them: what a message has room for beside the rest */

enum lr_status lr_fail(struct lr_error *err, enum lr_status status, const char *fmt, ...) {
    if (!err) return status;
    struct lr_error made = {.status = status};
    va_list ap;
    va_start(ap, fmt);
    lr_line(made.message, sizeof made.message, fmt, ap);
    va_end(ap);
    *err = made;
    return status;
}

enum lr_status lr_refuse_memory(struct lr_error *err, const char *what, uint64_t needed, uint64_t available,
                                const char *ways_out, ...) {
    char ways[WAYS_OUT];
    va_list ap;
    va_start(ap, ways_out);
    lr_line(ways, sizeof ways, ways_out, ap);
    va_end(ap);
    return lr_fail(err, LR_EMEMORY, "Cannot allocate %s. Available memory: %s (%s: %s bytes; %s)",
                   lr_gb(needed, 2).text, lr_gb(available, 2).text, what, lr_commas(needed).text, ways);
}

enum lr_status lr_fail_memory(struct lr_error *err, const char *what, uint64_t size) {
    if (!err) return LR_EMEMORY;
    struct pages_left left = pages_left();
    if (!size) size = 1; /* a buffer that could not begin to grow */
    if (left.limit)
        return lr_refuse_memory(err, what, size, left.bytes, "%s allows no more: raise it", left.limit);
    if (size <= left.bytes)
        return lr_refuse_memory(err, what, size, left.bytes, "the system refused: close other programs");
    return lr_refuse_memory(err, what, size, left.bytes, "needs %s more free: close other programs",
                            lr_gb(size - left.bytes, 2).text);
}

enum lr_status lr_refuse_tensor(struct lr_error *err, const char *what, uint64_t bytes,
                                const char *ways_out) {
    return lr_fail(err, LR_EMEMORY, "Single tensor allocation too large: %s: %s bytes (%s), %s at most (%s)",
                   what, lr_commas(bytes).text, lr_gb(bytes, 2).text, lr_gb(POLICY_MAX_TENSOR, 2).text,
                   ways_out);
}
