#include "cli/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void remember(int number) {
    caught = number;
}

void signals_install(void) {
    static const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction stop = {.sa_handler = remember, .sa_flags = (int)SA_RESETHAND}, before;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < sizeof stopping / sizeof stopping[0]; i++) {
        bool ignored = sigaction(stopping[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!ignored) sigaction(stopping[i], &stop, NULL);
    }
    sigaction(SIGPIPE, &ignore, NULL);
}

const volatile int *signals_flag(void) {
    return &caught;
}

int signals_status(void) {
    return 128 + (caught ? (int)caught : SIGINT);
}
