/* loading.h - carries a plan out: the store is set up, essential weights are loaded first, then layers in
 * batches with a look at memory between them. Called when an engine's first session is opened. */
#ifndef LR_RUN_LOADING_H
#define LR_RUN_LOADING_H

#include "run/engine.h"

/* store_loaded_fn, of `engine`: tells how much is loaded, until all is. False where others take the memory
 * that the rest was to have. */
bool loading_count(void *engine, uint64_t bytes);
/* Tells that a first pass has brought mapped weights in, those of layer `layer` and before. */
void loading_tell_layer(const struct lr_engine *e, uint32_t layer);

/* Where e->plan maps the files: has the first batch of layers read while the tokenizer is. A session that
 * decides otherwise finds it in the page cache. */
enum lr_status loading_begin(struct lr_engine *e, struct lr_error *err);
/* Carries e->plan out. LR_EMEMORY, LR_EFAILED, LR_EMODEL, LR_EINTERRUPTED. */
enum lr_status loading_run(struct lr_engine *e, struct lr_error *err);
/* Makes way for the session of e->plan, of which nothing is allocated yet: pins are given back. */
enum lr_status loading_make_way(struct lr_engine *e, struct lr_error *err);
/* In map mode: plans again. Where the files fit no more, or `anyway`, and streaming does, e->plan is to
 * stream, which is told with `why`. */
enum lr_status loading_leave_map(struct lr_engine *e, bool anyway, const char *why, struct lr_error *err);
/* Makes the store follow e->plan after planning_again(): gives pins back first, then takes more. Changes the
 * mode too: only between two passes. */
enum lr_status loading_follow(struct lr_engine *e, struct lr_error *err);

#endif
