/* log.h - lines for people, through one sink that the program installs. Nothing is written until it does.
 *
 * The library logs facts a user may want (what was ignored, which mode was taken); errors travel in struct
 * lr_error and are not logged. The sink is one of the few process-wide values; set it before any thread
 * starts. */
#ifndef LR_BASE_LOG_H
#define LR_BASE_LOG_H

#include "llm_run.h"

/* Installs the sink; NULL silences. `ctx` is handed back with each line (no newline at its end). */
void lr_log_set(lr_log_fn *sink, void *ctx);
/* One line at `level`. */
void lr_log(enum lr_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
