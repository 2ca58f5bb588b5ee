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

/* The messages of LR_EMEMORY are these three, all alike. `ways_out`, a format, says what would work. */

/* "Cannot allocate 2.34 GB. Available memory: 0.57 GB (WHAT: 2,512,555,868 bytes; WAYS OUT)" */
enum lr_status lr_refuse_memory(struct lr_error *err, const char *what, uint64_t needed, uint64_t available,
                                const char *ways_out, ...) __attribute__((format(printf, 5, 6)));
/* The same where the system refused `size` bytes, of the heap (for a buffer that could not grow: those that
 * it has) or of addresses: it is asked what it has left, and what sets that limit. */
enum lr_status lr_fail_memory(struct lr_error *err, const char *what, uint64_t size);
/* One block above what the policy allows (base/memory_policy.h): "Single tensor allocation too large:
 * WHAT: 9,830,400,000 bytes (9.16 GB), 8.00 GB at most (WAYS OUT)". */
enum lr_status lr_refuse_tensor(struct lr_error *err, const char *what, uint64_t bytes, const char *ways_out);

/* Forwards a failure to the caller. */
#define LR_TRY(expr)                                                                                         \
    do {                                                                                                     \
        enum lr_status lr_try_status = (expr);                                                               \
        if (lr_try_status != LR_OK) return lr_try_status;                                                    \
    } while (0)

#endif
