/* compiled.h - the engine's tokenizer: parsed, or, where it is large, read as it was compiled for the cache
 * folder at an earlier start. Used by engine.c alone. */
#ifndef LR_RUN_COMPILED_H
#define LR_RUN_COMPILED_H

#include "run/engine.h"

/* Opens e->tokenizer, unless the folder has none. Before the weights are placed, so that the JSON tree of a
 * large one is gone by then. A cache folder that cannot be used, or holds something else, is no failure. */
enum lr_status compiled_take(struct lr_engine *e, struct lr_error *err);

#endif
