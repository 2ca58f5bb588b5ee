/* console.h - what a run has to do with the world outside: standard output, lines on standard error,
 * progress, signals, and how it ends. Made by main.c, handed to the mode. */
#ifndef LR_CLI_CONSOLE_H
#define LR_CLI_CONSOLE_H

#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"

struct console {
    struct output out;
    struct progress progress;
    bool quiet, color;
    bool json;     /* a failure is told on standard output too ... */
    bool answered; /* ... unless the object is already out */
    int verbose;
    char cache_dir[512];
    struct lr_session_options expect; /* of the first session, for the engine to go by */
};

/* Takes over the log and the signals. The console must stay where it is until console_close. */
void console_open(struct console *c, const struct options *o, bool json);
/* Tells the failure, if there is one, and gives the exit status. */
int console_close(struct console *c, enum lr_status status, const struct lr_error *err);

/* One line on standard error, unless --quiet. Control characters do not reach the terminal. */
void console_note(struct console *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes what a mode answered, and a newline. A buffer that could not grow (`bad`) is LR_EMEMORY. */
enum lr_status console_answer(struct console *c, struct lr_buf *text, int bad, struct lr_error *err);

/* Monotonic seconds. */
double console_now(void);
/* Whether stderr is a terminal that takes escape sequences. */
bool console_is_terminal(void);

#endif
