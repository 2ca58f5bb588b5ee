/* progress.h - a bar on standard error while a model is loaded or a prompt is read. Fed by the engine. */
#ifndef LR_CLI_PROGRESS_H
#define LR_CLI_PROGRESS_H

#include "cli/options.h"

struct progress {
    enum when when;
    bool terminal; /* standard error is one: one line drawn again and again; else a line for each tenth */
    bool drawn;    /* the bar stands on the terminal now */
    int phase;     /* enum lr_phase, -1 before the first */
    int step;      /* the last one shown */
    double began;  /* of this phase, seconds */
};

void progress_init(struct progress *p, enum when when, bool quiet);
/* lr_progress_fn; `ctx` is a struct progress. */
void progress_show(void *ctx, enum lr_phase phase, uint64_t done, uint64_t total);
/* Takes the bar off the terminal: before any other line is written there. */
void progress_clear(struct progress *p);

#endif
