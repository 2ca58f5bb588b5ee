#include "cli/console.h"

#include "base/json_write.h"
#include "cli/signals.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

double console_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* `color`: the terminal's code for the program's name before the line; NULL: without the name. */
static void write_line(struct console *c, const char *color, const char *line) {
    char clean[1200];
    size_t n = 0;
    for (; line[n] && n + 1 < sizeof clean; n++)
        clean[n] = (unsigned char)line[n] < 0x20 || line[n] == 0x7F ? '?' : line[n];
    clean[n] = '\0';
    progress_clear(&c->progress);
    if (!color)
        fprintf(stderr, "%s\n", clean);
    else if (c->color)
        fprintf(stderr,
                "\x1b[%sm"
                "llm-run:"
                "\x1b[0m %s\n",
                color, clean);
    else
        fprintf(stderr, "llm-run: %s\n", clean);
}

static void log_line(void *ctx, enum lr_log_level level, const char *line) {
    struct console *c = ctx;
    if (c->quiet || (int)level > (int)LR_LOG_NOTE + c->verbose) return;
    write_line(c, level == LR_LOG_WARN ? "33" : level == LR_LOG_NOTE ? NULL : "2", line);
}

void console_note(struct console *c, const char *fmt, ...) {
    char line[1024];
    va_list ap;
    if (c->quiet) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    write_line(c, "2", line);
}

bool console_is_terminal(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static bool want_color(int when) {
    const char *no = getenv("NO_COLOR");
    if (when != WHEN_AUTO) return when == WHEN_ALWAYS;
    return console_is_terminal() && !(no && no[0]);
}

void console_open(struct console *c, const struct options *o, bool json) {
    *c = (struct console){.quiet = o->quiet, .verbose = o->verbose, .json = json};
    c->color = want_color(o->color);
    progress_init(&c->progress, (enum when)o->progress, o->quiet);
    lr_set_log(log_line, c);
    signals_install();
}

static void tell_failure_as_json(struct console *c, int code, const char *message) {
    struct lr_buf line = {0};
    int bad = lr_buf_printf(&line, "{\"error\":{\"code\":%d,\"message\":", code);
    bad |= json_write_string(&line, lr_str_of(message));
    bad |= lr_buf_append_str(&line, LR_STR("}}\n"));
    if (!bad) output_write(&c->out, line.data, line.len);
    lr_buf_free(&line);
}

int console_close(struct console *c, enum lr_status status, const struct lr_error *err) {
    lr_set_log(NULL, NULL);
    progress_clear(&c->progress);
    if (output_closed(&c->out)) return 0;
    int code = status == LR_EINTERRUPTED ? signals_status() : (int)status;
    if (status == LR_OK) return 0;
    /* an answer that was cut short has told so; what was interrupted before it says where */
    const char *message = status == LR_EINTERRUPTED && !err->message[0] ? "interrupted" : err->message;
    if (c->json && !c->answered) tell_failure_as_json(c, code, message);
    bool wanted = status != LR_EINTERRUPTED || !c->quiet;
    if (err->message[0] && wanted) write_line(c, "31", message);
    return code;
}

enum lr_status console_answer(struct console *c, struct lr_buf *text, int bad, struct lr_error *err) {
    if (bad || lr_buf_append_char(text, '\n')) return lr_fail_memory(err, "the answer", text->len);
    c->answered = true;
    output_write(&c->out, text->data, text->len);
    return output_status(&c->out, err);
}
