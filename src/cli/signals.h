/* signals.h - Ctrl-C and kind. The first one asks the run to stop (what was made is on standard output), the
 * second one ends the program as signals do. Called by console.c and the modes. */
#ifndef LR_CLI_SIGNALS_H
#define LR_CLI_SIGNALS_H

/* SIGINT, SIGTERM and SIGHUP raise the flag; one that was ignored when the program began (nohup, a script's
 * `&`) stays so. SIGPIPE becomes a failed write. */
void signals_install(void);
/* 0, or the number of the signal that came. */
const volatile int *signals_flag(void);
/* The exit status of a run that a signal stopped: 130, 143 or 129. */
int signals_status(void);

#endif
