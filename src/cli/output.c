#include "cli/output.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_write(struct output *o, const char *data, size_t len) {
    while (len > 0 && !o->error) {
        ssize_t n = write(STDOUT_FILENO, data, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            o->error = errno;
        } else {
            data += n;
            len -= (size_t)n;
            if (n > 0) o->last = data[-1];
        }
    }
    return !o->error;
}

void output_end_text(struct output *o) {
    if (o->last && o->last != '\n' && isatty(STDOUT_FILENO)) output_write(o, "\n", 1);
}

bool output_shares_line(const struct output *o) {
    struct stat out, err;
    if (!o->last || o->last == '\n' || fstat(STDOUT_FILENO, &out) || fstat(STDERR_FILENO, &err)) return false;
    return out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

bool output_closed(const struct output *o) {
    return o->error == EPIPE;
}

enum lr_status output_status(const struct output *o, struct lr_error *err) {
    if (!o->error || output_closed(o)) return LR_OK;
    return lr_fail(err, LR_EFAILED, "standard output: %s", strerror(o->error));
}
