#include "sys/lock.h"

#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 20000000L

/* Whether the file that was locked still stands at `path`: who gave the lock back removed it. */
static bool stands(int fd, const char *path) {
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

enum lr_status file_lock_take(const char *path, const volatile int *interrupt, struct file_lock *out,
                              struct lr_error *err) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    out->fd = -1;
    for (;;) {
        if (out->fd < 0) out->fd = file_make(path, O_RDWR, err);
        if (out->fd < 0) return LR_EFAILED;
        if (fcntl(out->fd, F_OFD_SETLK, &whole) == 0) {
            if (stands(out->fd, path)) return LR_OK;
            file_let_go(&out->fd);
            continue;
        }
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            int code = errno;
            file_let_go(&out->fd);
            return lr_fail(err, LR_EFAILED, "%s cannot be locked: %s", path, strerror(code));
        }
        if (interrupt && *interrupt) {
            file_let_go(&out->fd);
            return lr_fail(err, LR_EINTERRUPTED, "interrupted while waiting for another process (%s)", path);
        }
        nanosleep(&(struct timespec){0, LOOK_NS}, NULL);
    }
}

void file_lock_give(struct file_lock *lock, const char *path) {
    unlink(path);
    file_let_go(&lock->fd);
}
