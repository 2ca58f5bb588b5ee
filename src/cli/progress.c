#include "cli/progress.h"

#include "cli/console.h"

#include <stdio.h>

#define SILENT_SECONDS 0.5
#define BAR_WIDTH      40

void progress_init(struct progress *p, enum when when, bool quiet) {
    *p = (struct progress){.when = quiet ? WHEN_NEVER : when, .terminal = console_is_terminal(), .phase = -1};
}

static const char *phase_name(int phase) {
    return phase == LR_PHASE_LOAD ? "loading" : "reading the prompt";
}

static void draw_bar(struct progress *p, int percent) {
    static const char full[BAR_WIDTH + 1] = "########################################";
    int n = percent * BAR_WIDTH / 100;
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%\x1b[K", phase_name(p->phase), n, full, BAR_WIDTH - n, "", percent);
    p->drawn = true;
}

void progress_clear(struct progress *p) {
    if (p->drawn) fputs("\r\x1b[K", stderr);
    p->drawn = false;
}

void progress_show(void *ctx, enum lr_phase phase, uint64_t done, uint64_t total) {
    struct progress *p = ctx;
    if (p->when == WHEN_NEVER || (p->when == WHEN_AUTO && !p->terminal) || total == 0) return;
    if ((int)phase != p->phase) {
        progress_clear(p);
        *p = (struct progress){p->when, p->terminal, false, (int)phase, -1, console_now()};
    }
    if (p->when == WHEN_AUTO && console_now() - p->began < SILENT_SECONDS) return;
    int percent = done >= total ? 100 : (int)((double)done / (double)total * 100);
    int step = p->terminal ? percent : percent / 10;
    if (step == p->step) return;
    p->step = step;
    if (p->terminal)
        draw_bar(p, percent);
    else
        fprintf(stderr, "%s %d %%\n", phase_name(p->phase), percent);
    if (percent == 100) progress_clear(p);
}
