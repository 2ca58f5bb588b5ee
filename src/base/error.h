/* error.h - how everything below the command line reports failure.
 *
 * Every fallible function returns `enum lr_status` and takes `struct lr_error *err` as its last argument. The
 * deepest function that knows the reason writes the one message with lr_fail(); callers forward the status.
 * The types themselves are public: include/llm_run.h. */
#ifndef LR_BASE_ERROR_H
#define LR_BASE_ERROR_H

#include "llm_run.h"

/* Writes the message into `err` (which may be NULL) and returns `status`, so that a site reads
 * `return lr_fail(err, LR_EMODEL, ...)`. A message longer than the buffer is cut at a character boundary;
 * control characters become '?'. The arguments may lie in `err` itself. */
enum lr_status lr_fail(struct lr_error *err, enum lr_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The failure of an allocation of ours of `size` bytes for `what`. */
enum lr_status lr_fail_memory(struct lr_error *err, const char *what, size_t size);

/* Forwards a failure to the caller. */
#define LR_TRY(expr)                                                                                         \
    do {                                                                                                     \
        enum lr_status lr_try_status = (expr);                                                               \
        if (lr_try_status != LR_OK) return lr_try_status;                                                    \
    } while (0)

#endif
