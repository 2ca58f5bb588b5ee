/* planning.h - the facts for a plan, and the plans that an engine makes: before its first session, for each
 * further one, and whenever memory changes while it runs. The deciding itself is weights/plan. */
#ifndef LR_RUN_PLANNING_H
#define LR_RUN_PLANNING_H

#include "run/engine.h"

/* Everything that a plan for a session with these options goes by. `rates`: measure what is not known of the
 * disk and the processor (at most 0.3 s, kept in the cache folder). */
enum lr_status planning_facts(struct lr_engine *e, const struct lr_session_options *options, bool rates,
                              struct plan_facts *out, struct lr_error *err);

/* Plans for a session: e->plan, e->facts and e->target are set. LR_EMEMORY where it does not fit. */
enum lr_status planning_decide(struct lr_engine *e, const struct lr_session_options *options,
                               struct lr_error *err);
/* Plans again with the budget as it is now; e->plan and e->target are set. */
enum lr_status planning_again(struct lr_engine *e, struct lr_error *err);

/* Bytes that the process may still take, beside a reserve: what the arenas and the pins ask. */
uint64_t planning_available(void *engine);

#endif
