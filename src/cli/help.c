#include "cli/help.h"

#include "base/json_write.h"
#include "cli/options.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  100

static const char usage[] =
    "usage: llm-run [OPTIONS] MODEL_DIR [PROMPT]\n"
    "Runs a Hugging Face model directory as downloaded, on the CPU. PROMPT missing or '-': read "
    "from standard input.\n"
    "After -- nothing is an option: llm-run DIR -- \"-5 is less than\"\n";

static const char closing[] =
    "\nExit status: 0 done, 1 failed while running, 2 wrong usage, 3 model or "
    "input file missing, damaged or not\n"
    "supported, 4 not enough memory, 129, 130 and 143 interrupted (SIGHUP, SIGINT, SIGTERM).\n";

/* Appends `text` from column `column` on, broken between words at HELP_WIDTH. */
static int append_wrapped(struct lr_buf *out, size_t column, const char *text) {
    int bad = 0;
    for (size_t at = column; *text;) {
        size_t n = strcspn(text, " ");
        if (at > HELP_COLUMN && at + n + 1 > HELP_WIDTH) {
            bad |= lr_buf_printf(out, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        } else if (at > column) {
            bad |= lr_buf_append_char(out, ' ');
            at++;
        }
        bad |= lr_buf_append(out, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
    return bad | lr_buf_append_char(out, '\n');
}

static int append_option(struct lr_buf *out, const struct option_row *row) {
    size_t begin = out->len;
    int bad = row->letter ? lr_buf_printf(out, "  -%c, --%s", row->letter, row->name)
                          : lr_buf_printf(out, "      --%s", row->name);
    if (row->argument) bad |= lr_buf_printf(out, " %s", row->choices ? row->choices : row->argument);
    size_t used = out->len - begin;
    if (used + 2 > HELP_COLUMN) {
        bad |= lr_buf_append_char(out, '\n');
        used = 0;
    }
    bad |= lr_buf_printf(out, "%*s", (int)(HELP_COLUMN - used), "");
    return bad | append_wrapped(out, HELP_COLUMN, row->help);
}

int help_write(bool all, struct lr_buf *out) {
    int bad = lr_buf_append_str(out, LR_STR(usage));
    for (int group = 0; group < GROUP_COUNT; group++) {
        bool named = false; /* a group of which nothing is shown is not named */
        for (int i = 0; i < OPT_COUNT; i++) {
            const struct option_row *row = &option_table[i];
            if ((int)row->group != group || !(all || row->common)) continue;
            if (!named) bad |= lr_buf_printf(out, "\n%s\n", option_group_names[group]);
            named = true;
            bad |= append_option(out, row);
        }
    }
    return bad | lr_buf_append_str(out, LR_STR(closing));
}

int help_write_version(bool json, struct lr_buf *out) {
    char build[256];
    lr_build_info(build, sizeof build);
    if (json)
        return lr_buf_printf(out, "{\"version\":\"%s\",\"build\":", LR_VERSION) |
               json_write_string(out, lr_str_of(build)) | lr_buf_append_str(out, LR_STR("}\n"));
    return lr_buf_printf(out, "llm-run %s\n%s\n", LR_VERSION, build);
}
