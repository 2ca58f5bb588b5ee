#include "cli/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void remember(int number) {
    caught = number;
}

void signals_install(void) {
    struct sigaction stop = {.sa_handler = remember, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    struct sigaction hangup;
    bool kept = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN; /* nohup */
    if (!kept) sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

const volatile int *signals_flag(void) {
    return &caught;
}

int signals_status(void) {
    return 128 + (caught ? (int)caught : SIGINT);
}
