#include "base/error.h"

#include "base/str.h"

#include <stdarg.h>

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

enum lr_status lr_fail_memory(struct lr_error *err, const char *what, size_t size) {
    return lr_fail(err, LR_EMEMORY, "out of memory: %zu bytes for %s were refused", size, what);
}
