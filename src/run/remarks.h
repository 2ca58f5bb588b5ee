/* remarks.h - what is worth saying about a model and a session beside errors: warnings about files that do
 * not agree, and what was chosen, for --verbose. Through base/log.h; called by engine.c and session.c. */
#ifndef LR_RUN_REMARKS_H
#define LR_RUN_REMARKS_H

#include "run/session.h"

void remarks_on_engine(const struct lr_engine *e);
void remarks_on_session(const struct lr_session *s, const struct lr_session_options *o,
                        const struct lr_plan *plan);

#endif
