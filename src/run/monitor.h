/* monitor.h - looks at memory and at the files while working, and has the store follow: pins are given back
 * when another program needs memory and taken again when it is free; a mapped model that the kernel evicts is
 * pinned and streamed from the next token on. Called by the store between two pieces, and by sessions between
 * two passes. */
#ifndef LR_RUN_MONITOR_H
#define LR_RUN_MONITOR_H

#include "run/session.h"

enum lr_status monitor_open(struct lr_engine *e, struct lr_error *err);
void monitor_close(struct lr_engine *e);

/* The mission's alarm: told once whenever usage crosses it, here while loading and working. `available` of
 * `total` bytes. */
void monitor_usage(struct lr_engine *e, uint64_t available, uint64_t total);

/* Tells how much of the weights the plan keeps in memory, where it was `before` bytes. */
void monitor_tell(const struct lr_engine *e, enum lr_log_level level, uint64_t before, const char *why);
/* That memory has changed: told once when it is over, with what follows at once: the weights kept in memory
 * were `before` bytes. `why`, which must last: the reason if they are fewer now. */
void monitor_changed(struct lr_engine *e, uint64_t before, const char *why);

/* While weights are read to be kept: looks at memory, every 20 ms, and sets monitor.less and what is left
 * where the plan's need is more than that. */
bool monitor_sees_less(struct lr_engine *e);

/* Tells it now, before something else changes them. */
void monitor_tell_change(struct lr_engine *e);

/* store_boundary_fn: looks at the interruption, and once in 100 ms at memory and files; sooner while others
 * take memory, or when the kernel says that somebody waits for it. `ctx` is the engine. */
enum lr_status monitor_boundary(void *ctx, struct lr_error *err);
/* Before a pass after which `positions` of the session's KV cache are in use: makes room for them, and
 * changes the mode where that must be. */
enum lr_status monitor_before_pass(struct lr_session *s, uint32_t positions, struct lr_error *err);

#endif
