/* quant.h - the engine's weights quantised: taken from the cache folder, made there once, or made in memory.
 */
#ifndef LR_RUN_QUANT_H
#define LR_RUN_QUANT_H

#include "run/engine.h"

/* Between reading the headers of the weights and planning: exchanges the engine's catalog for that of the
 * quantised file (e->options.quant), with `auto` as the best that fits. For a plan alone nothing is made.
 * Errors: quantise_write()'s; LR_EMEMORY where there is neither a folder for the file nor memory for it. */
enum lr_status quant_take(struct lr_engine *e, struct lr_error *err);
/* Gives back what it holds. */
void quant_close(struct lr_engine *e);

#endif
