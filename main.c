/* llm-run: argv -> options -> one mode's run function -> exit status. */
#include "cli/console.h"
#include "cli/modes.h"
#include "cli/options.h"

static mode_fn *const modes[] = {
    [MODE_GENERATE] = generate_run,
    [MODE_SCORE] = score_run,
    [MODE_TOKENIZE] = tokenize_run,
    [MODE_INFO] = info_run,
    [MODE_PLAN] = plan_run,
    [MODE_BENCH] = bench_model_run,
    [MODE_BENCH_LOAD] = bench_load_run,
    [MODE_QUANTIZE] = quantize_run,
    [MODE_HELP] = help_run,
    [MODE_HELP_ALL] = help_run,
    [MODE_VERSION] = version_run,
};

int main(int argc, char **argv) {
    struct options options;
    struct console console;
    struct lr_error err = {0};
    bool json = options_want_json(argc, argv);
    enum lr_status status = options_parse(argc, argv, &options, &err);
    console_open(&console, &options, json);
    if (status == LR_OK) status = modes[options.mode](&options, &console, &err);
    int exit_status = console_close(&console, status, &err);
    options_free(&options);
    return exit_status;
}
