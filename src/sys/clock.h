/* clock.h - seconds: of the one clock that measures, and of the calendar for what is kept in files. */
#ifndef LR_SYS_CLOCK_H
#define LR_SYS_CLOCK_H

/* Seconds since an arbitrary fixed moment; never goes back. */
double clock_now(void);
/* Seconds since 1970. */
double clock_wall(void);

#endif
