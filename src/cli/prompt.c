#include "cli/prompt.h"

#include "base/mem.h"
#include "cli/signals.h"
#include "cli/values.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PROMPT_MAX  (UINT64_C(1) << 30)
#define PROMPT_STEP 65536

static enum lr_status refuse_interrupted(const char *name, struct lr_error *err) {
    return lr_fail(err, LR_EINTERRUPTED, "interrupted while reading %s", name);
}

static enum lr_status read_all(int fd, const char *name, enum lr_status kind, struct lr_buf *out,
                               struct lr_error *err) {
    for (;;) {
        char piece[PROMPT_STEP];
        ssize_t n = read(fd, piece, sizeof piece);
        if (*signals_flag()) return refuse_interrupted(name, err);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return lr_fail(err, kind, "%s: %s", name, strerror(errno));
        if (n == 0) return LR_OK;
        if (out->len + (size_t)n > PROMPT_MAX)
            return lr_fail(err, LR_EUSAGE, "%s: a prompt of more than 1 GiB", name);
        if (lr_buf_append(out, piece, (size_t)n)) return lr_fail_memory(err, "the prompt", out->len);
    }
}

static enum lr_status read_stdin(struct lr_buf *out, struct lr_error *err) {
    bool closed = fcntl(STDIN_FILENO, F_GETFD) < 0;
    if (closed || isatty(STDIN_FILENO))
        return lr_fail(err, LR_EUSAGE,
                       "no prompt given: write it after the model directory, use --file, or pipe it in");
    return read_all(STDIN_FILENO, "standard input", LR_EFAILED, out, err);
}

static enum lr_status read_file(const char *path, struct lr_buf *out, struct lr_error *err) {
    int fd;
    do { /* a named pipe opens when somebody writes to it */
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (*signals_flag()) {
            if (fd >= 0) close(fd);
            return refuse_interrupted(path, err);
        }
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return lr_fail(err, LR_EMODEL, "%s: %s", path, strerror(errno));
    enum lr_status status = read_all(fd, path, LR_EMODEL, out, err);
    close(fd);
    return status;
}

static enum lr_status parse_ids(struct prompt *p, struct lr_error *err) {
    static const char between[] = ", \t\r\n";
    const char *at = p->text.data, *end = at + p->text.len;
    while (at < end) {
        char word[24] = "";
        size_t n = strcspn(at, between);
        int64_t id;
        if (n == 0 && *at != '\0') {
            at++;
            continue;
        }
        memcpy(word, at, n < sizeof word - 1 ? n : sizeof word - 1);
        if (!value_int(word, 0, UINT32_MAX - 1, &id))
            return lr_fail(err, LR_EUSAGE, "--ids: '%s' is not a token id (numbers, commas and blanks)",
                           word);
        if (lr_grow(&p->ids, &p->cap, p->n_ids + 1, sizeof *p->ids))
            return lr_fail_memory(err, "the ids", p->n_ids);
        p->ids[p->n_ids++] = (uint32_t)id;
        at += n;
    }
    return p->n_ids ? LR_OK : lr_fail(err, LR_EUSAGE, "--ids: no token ids given");
}

static enum lr_status read_text(const struct options *o, bool drop_newline, struct lr_buf *out,
                                struct lr_error *err) {
    if (o->prompt && strcmp(o->prompt, "-") != 0) {
        if (lr_buf_append_str(out, lr_str_of(o->prompt)))
            return lr_fail_memory(err, "the prompt", strlen(o->prompt));
        return LR_OK;
    }
    if (o->prompt_file && strcmp(o->prompt_file, "-") != 0)
        LR_TRY(read_file(o->prompt_file, out, err));
    else
        LR_TRY(read_stdin(out, err));
    if (drop_newline && out->len && out->data[out->len - 1] == '\n') out->data[--out->len] = '\0';
    /* an empty input is a prompt of no bytes, not none */
    return lr_buf_append(out, "", 0) ? lr_fail_memory(err, "the prompt", 1) : LR_OK;
}

enum lr_status prompt_read(const struct options *o, bool drop_newline, struct prompt *out,
                           struct lr_error *err) {
    *out = (struct prompt){0};
    LR_TRY(read_text(o, drop_newline, &out->text, err));
    return o->ids ? parse_ids(out, err) : LR_OK;
}

void prompt_free(struct prompt *p) {
    lr_buf_free(&p->text);
    lr_free(p->ids);
    *p = (struct prompt){0};
}
