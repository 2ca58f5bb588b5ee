/* help.h - what --help, --help-all and --version print, from the option table. Called by main.c. */
#ifndef LR_CLI_HELP_H
#define LR_CLI_HELP_H

#include "base/str.h"

/* The usage and the options, grouped; with `all` also those that are seldom needed. 0, or -1: no memory. */
int help_write(bool all, struct lr_buf *out);
int help_write_version(bool json, struct lr_buf *out);

#endif
