/* rates.h - what this machine's disk and processor do in a second, measured shortly and kept in the cache
 * folder. */
#ifndef LR_RUN_RATES_H
#define LR_RUN_RATES_H

#include "run/engine.h"

/* Sets e->rates' disk part, and each file's way: from the cache folder, else by a probe of the largest file
 * on each disk (0.2 s for all together). */
enum lr_status rates_measure_disk(struct lr_engine *e, struct lr_error *err);
/* All of e->rates. */
enum lr_status rates_measure(struct lr_engine *e, struct lr_error *err);

#endif
