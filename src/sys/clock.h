/* clock.h - the one clock: monotonic seconds. */
#ifndef LR_SYS_CLOCK_H
#define LR_SYS_CLOCK_H

/* Seconds since an arbitrary fixed moment; never goes back. */
double clock_now(void);

#endif
