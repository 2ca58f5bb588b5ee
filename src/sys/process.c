#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF        "/proc/self/exe"
#define LOOK_MS     100  /* how often the interrupt is looked at */
#define BLOCK_BYTES 512u /* the unit of ru_inblock */

static enum lr_status fail_with(struct lr_error *err, const char *what, int code) {
    errno = code;
    return lr_fail(err, code == ENOMEM ? LR_EMEMORY : LR_EFAILED, "%s: %m", what);
}

/* Standard output first: the end of the pipe may have the number of another stream that was closed. */
static int redirect(posix_spawn_file_actions_t *actions, int out, bool quiet) {
    int code = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
    if (!code) code = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!code && quiet)
        code = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return code;
}

static enum lr_status start(char *const *words, bool quiet, int out, pid_t *id, struct lr_error *err) {
    posix_spawn_file_actions_t actions;
    int code = posix_spawn_file_actions_init(&actions);
    if (code) return fail_with(err, SELF, code);
    code = redirect(&actions, out, quiet);
    if (!code) code = posix_spawn(id, SELF, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code ? fail_with(err, SELF ": cannot be started", code) : LR_OK;
}

/* What is there to read now; false at the end of the output. */
static bool take(int from, struct lr_buf *out, enum lr_status *status, struct lr_error *err) {
    char part[4096];
    ssize_t n = read(from, part, sizeof part);
    if (n < 0 && errno == EINTR) return true;
    if (n < 0) *status = fail_with(err, "reading from " SELF, errno);
    if (n > 0 && lr_buf_append(out, part, (size_t)n)) *status = lr_fail_memory(err, "an answer", out->len);
    return n > 0 && *status == LR_OK;
}

static enum lr_status read_all(pid_t id, int from, const volatile int *interrupt, struct lr_buf *out,
                               struct lr_error *err) {
    enum lr_status status = LR_OK;
    bool asked = false, more = true;
    while (more) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        if (interrupt && *interrupt && !asked) asked = kill(id, SIGTERM) == 0;
        int n = poll(&ready, 1, LOOK_MS);
        if (n > 0) more = take(from, out, &status, err);
        if (n < 0 && errno != EINTR) {
            status = fail_with(err, "waiting for " SELF, errno);
            more = false;
        }
    }
    return status;
}

/* Its end; where its output could not be taken nobody waits for more of it. */
static enum lr_status await(pid_t id, bool unwanted, struct process_result *out, struct lr_error *err) {
    int how = 0;
    pid_t ended;
    struct rusage used;
    if (unwanted) kill(id, SIGKILL);
    do ended = wait4(id, &how, 0, &used);
    while (ended < 0 && errno == EINTR);
    if (ended < 0) return fail_with(err, "waiting for " SELF, errno);
    out->status = WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
    out->disk_bytes = (uint64_t)used.ru_inblock * BLOCK_BYTES;
    return LR_OK;
}

/* From its start to its end; the result is what `out` says where both went well. */
static enum lr_status run(char *const *words, bool quiet, const int ends[2], const volatile int *interrupt,
                          struct process_result *out, struct lr_error *err) {
    pid_t id = 0;
    enum lr_status status = start(words, quiet, ends[1], &id, err);
    close(ends[1]); /* ours: the pipe ends with the other process */
    if (status != LR_OK) return status;
    status = read_all(id, ends[0], interrupt, &out->out, err);
    enum lr_status end = await(id, status != LR_OK, out, status == LR_OK ? err : NULL);
    return status == LR_OK ? end : status;
}

enum lr_status process_run_again(char *const *words, bool quiet, const volatile int *interrupt,
                                 struct process_result *out, struct lr_error *err) {
    int ends[2];
    *out = (struct process_result){0};
    if (pipe2(ends, O_CLOEXEC)) return fail_with(err, "a pipe", errno);
    enum lr_status status = run(words, quiet, ends, interrupt, out, err);
    close(ends[0]);
    return status;
}

void process_free(struct process_result *result) {
    lr_buf_free(&result->out);
}
