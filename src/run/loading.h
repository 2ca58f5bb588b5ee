/* loading.h - carries a plan out: the store is set up, essential weights are loaded first, then layers in
 * batches with a look at memory between them. Called when an engine's first session is opened. */
#ifndef LR_RUN_LOADING_H
#define LR_RUN_LOADING_H

#include "run/engine.h"

/* Where e->plan maps the files: has the first batch of layers read while the tokenizer is. A session that
 * decides otherwise finds it in the page cache. */
enum lr_status loading_begin(struct lr_engine *e, struct lr_error *err);
/* Carries e->plan out. LR_EMEMORY, LR_EFAILED, LR_EMODEL, LR_EINTERRUPTED. */
enum lr_status loading_run(struct lr_engine *e, struct lr_error *err);
/* Makes the store follow e->plan after planning_again(): gives pins back first, then takes more. Changes the
 * mode too: only between two passes. */
enum lr_status loading_follow(struct lr_engine *e, struct lr_error *err);

#endif
