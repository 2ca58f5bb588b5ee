#include "base/log.h"

#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>

static lr_log_fn *log_sink;
static void *log_ctx;

void lr_log_set(lr_log_fn *sink, void *ctx) {
    log_sink = sink;
    log_ctx = ctx;
}

void lr_log(enum lr_log_level level, const char *fmt, ...) {
    if (!log_sink) return;
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    lr_line(line, sizeof line, fmt, ap);
    va_end(ap);
    log_sink(log_ctx, level, line);
}
