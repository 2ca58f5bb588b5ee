/* planning.h - the facts for a plan, and the plans that an engine makes: before its first session, for each
 * further one, and whenever memory changes while it runs. The deciding itself is weights/plan. */
#ifndef LR_RUN_PLANNING_H
#define LR_RUN_PLANNING_H

#include "run/engine.h"

/* Everything that a plan for one more session, of this shape, goes by; `shape` must outlive the facts.
 * `rates`: measure what is not known of the disk and the processor (at most 0.3 s, kept in the cache folder).
 */
enum lr_status planning_facts(struct lr_engine *e, const struct session_shape *shape, bool rates,
                              struct plan_facts *out, struct lr_error *err);

/* The plan, in e->plan, for the session that is expected; *later: none was made, as its context is refused
 * when it is opened. The facts refer to *shape. */
enum lr_status planning_expect(struct lr_engine *e, struct session_shape *shape, struct plan_facts *facts,
                               bool *later, struct lr_error *err);

/* Plans for one more session: e->plan, e->facts and e->target are set. LR_EMEMORY where it does not fit. */
enum lr_status planning_decide(struct lr_engine *e, const struct session_shape *shape, struct lr_error *err);
/* Plans again for the sessions that are open, with memory as it is now; e->plan and e->target are set. */
enum lr_status planning_again(struct lr_engine *e, struct lr_error *err);
/* The same, with memory as it was `read`. */
void planning_from(struct lr_engine *e, const struct memory_info *read);
/* The same with a budget that is known. */
void planning_with(struct lr_engine *e, uint64_t budget);
/* Takes note that the process owns `own` bytes, swapped ones included: what the engine does not hold of them
 * is others', and the plan's need follows. */
void planning_rest(struct lr_engine *e, uint64_t own);

/* What lr_plan_current() tells; planning_show: the plan as it is now, from then on. */
enum lr_status planning_show_open(struct lr_engine *e, struct lr_error *err);
void planning_show(struct lr_engine *e);
void planning_show_close(struct lr_engine *e);

/* Bytes that the process may still take, beside a reserve: what the arenas and the pins ask. */
uint64_t planning_available(void *engine);

#endif
