/* lock.h - one process at a time: a lock on a file, which ends with the process. */
#ifndef LR_SYS_LOCK_H
#define LR_SYS_LOCK_H

#include "base/error.h"

struct file_lock {
    int fd;
};

/* Waits for the lock on the file at `path`, which is made where it is missing, with the folders above it;
 * nonzero `interrupt` (may be NULL) ends that with LR_EINTERRUPTED. LR_EFAILED with the system's reason. */
enum lr_status file_lock_take(const char *path, const volatile int *interrupt, struct file_lock *out,
                              struct lr_error *err);
/* Gives it back and removes the file. */
void file_lock_give(struct file_lock *lock, const char *path);

#endif
