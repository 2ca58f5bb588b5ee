/* modes.h - what a run of the program can be: one function for each mode, called by main.c. Each opens what
 * it needs, answers on standard output and closes it; a failure is told by console_close. */
#ifndef LR_CLI_MODES_H
#define LR_CLI_MODES_H

#include "cli/console.h"
#include "cli/options.h"

typedef enum lr_status mode_fn(const struct options *o, struct console *c, struct lr_error *err);

mode_fn generate_run, score_run, tokenize_run, info_run, plan_run, bench_model_run, bench_load_run,
    quantize_run, help_run, version_run;

/* What the options ask of the library. */
enum lr_status engine_options_from(const struct options *o, struct console *c, struct lr_engine_options *out,
                                   struct lr_error *err);
struct lr_session_options session_options_from(const struct options *o, const struct lr_engine *engine);
/* One line where generation_config.json's do_sample false is overridden, or makes --seed idle. */
void tell_of_sampling(const struct options *o, struct console *c, const struct lr_engine *engine);
/* Forwards what became of a text; where the model has no tokenizer for it, the message gets the way out that
 * the modes with --ids have. */
enum lr_status name_ids(const struct lr_engine *engine, enum lr_status status, struct lr_error *err);

#endif
