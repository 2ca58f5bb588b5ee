#include "sys/facts.h"

#include "base/mem.h"
#include "sys/file.h"

#include <errno.h>

#define MAX_BYTES (UINT64_C(64) << 20)

/* Whether a file that gave this failure is not there: not so where memory or file descriptors are short. A
 * limit of a control group would be overlooked. */
static bool is_absent(enum lr_status status, int code) {
    return status == LR_EMODEL || (status == LR_EFAILED && code != EMFILE && code != ENFILE);
}

enum lr_status facts_read(const char *folder, const char *name, struct lr_buf *text, struct lr_error *err) {
    *text = (struct lr_buf){0};
    struct lr_buf path = {0};
    if (lr_buf_printf(&path, "%s/%s", folder, name)) return lr_fail_memory(err, name, strlen(name));
    struct lr_error why;
    enum lr_status status = file_read_all(path.data, MAX_BYTES, &text->data, &text->len, &why);
    int code = status == LR_OK ? 0 : errno;
    lr_buf_free(&path);
    return status == LR_OK || is_absent(status, code) ? LR_OK : lr_fail(err, status, "%s", why.message);
}

enum lr_status facts_file_name(struct facts_file *f, const char *folder, const char *name, bool keep,
                               struct lr_error *err) {
    struct lr_buf path = {0};
    if (lr_buf_printf(&path, "%s/%s", folder, name)) return lr_fail_memory(err, name, strlen(name));
    *f = (struct facts_file){.path = path.data, .fd = -1, .keep = keep};
    return LR_OK;
}

/* Reads it again, where it is open and still there; else opens it. */
static enum lr_status read_or_open(struct facts_file *f, struct lr_error *err) {
    enum lr_status status = LR_EFAILED;
    if (f->fd >= 0) status = file_read_again(f->fd, f->path, MAX_BYTES, &f->text, err);
    if (status == LR_OK || status == LR_EMEMORY) return status;
    file_let_go(&f->fd);
    LR_TRY(file_keep(f->path, &f->fd, err));
    return file_read_again(f->fd, f->path, MAX_BYTES, &f->text, err);
}

enum lr_status facts_file_read(struct facts_file *f, struct lr_str *text, struct lr_error *err) {
    *text = (struct lr_str){0};
    if (!f->path) return LR_OK;
    struct lr_error why;
    enum lr_status status = read_or_open(f, &why);
    int code = status == LR_OK ? 0 : errno;
    if (status != LR_OK || !f->keep) file_let_go(&f->fd);
    if (status == LR_OK) *text = lr_buf_str(&f->text);
    /* in the midst of work it is none that matters now: it may be there at the next look */
    bool fine = status == LR_OK || is_absent(status, code) || (f->looked && status == LR_EFAILED);
    f->looked = true;
    return fine ? LR_OK : lr_fail(err, status, "%s", why.message);
}

void facts_file_close(struct facts_file *f) {
    if (f->path) file_let_go(&f->fd);
    lr_free(f->path);
    lr_buf_free(&f->text);
    *f = (struct facts_file){0};
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n';
}

static struct lr_str trim(struct lr_str s) {
    while (s.len && is_blank(s.data[0])) s = lr_str_from(s, 1);
    while (s.len && is_blank(s.data[s.len - 1])) s.len--;
    return s;
}

bool facts_part(struct lr_str *rest, char separator, struct lr_str *part) {
    if (!rest->len) return false;
    const char *end = memchr(rest->data, separator, rest->len);
    *part = (struct lr_str){rest->data, end ? (size_t)(end - rest->data) : rest->len};
    *rest = lr_str_from(*rest, part->len + 1);
    return true;
}

bool facts_line(struct lr_str *rest, struct lr_str *line) {
    return facts_part(rest, '\n', line);
}

bool facts_word(struct lr_str *rest, struct lr_str *word) {
    struct lr_str s = trim(*rest);
    size_t len = 0;
    while (len < s.len && !is_blank(s.data[len])) len++;
    *word = (struct lr_str){s.data, len};
    *rest = lr_str_from(s, len);
    return len > 0;
}

bool facts_number(struct lr_str text, uint64_t *out) {
    struct lr_str word;
    if (!facts_word(&text, &word)) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') return false;
        uint64_t digit = (uint64_t)(word.data[i] - '0');
        if (n > (UINT64_MAX - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool facts_limit(struct lr_str text, uint64_t *out) {
    struct lr_str word, rest = text;
    if (!facts_word(&rest, &word)) return false;
    *out = FACTS_UNLIMITED;
    if (lr_str_is(word, "max") || lr_str_is(word, "unlimited")) return true;
    if (!facts_number(word, out)) return false;
    /* cgroup v1 says LONG_MAX rounded down to a page, whatever the page */
    if (*out >= UINT64_C(1) << 60) *out = FACTS_UNLIMITED;
    return true;
}

bool facts_value(struct lr_str text, const char *key, struct lr_str *value) {
    struct lr_str line, head = lr_str_of(key);
    while (facts_line(&text, &line)) {
        if (!lr_str_starts(line, head) || line.len == head.len) continue;
        struct lr_str rest = lr_str_from(line, head.len);
        if (rest.data[0] != ':' && !is_blank(rest.data[0])) continue;
        rest = trim(rest);
        const char *colon = rest.len ? memchr(rest.data, ':', rest.len) : NULL;
        if (colon && colon != rest.data) continue; /* the key goes on after the blank */
        *value = colon ? trim(lr_str_from(rest, 1)) : rest;
        return true;
    }
    return false;
}

uint64_t facts_count(struct lr_str text, const char *key) {
    struct lr_str value;
    uint64_t n;
    return facts_value(text, key, &value) && facts_number(value, &n) ? n : 0;
}

uint64_t facts_kb(struct lr_str text, const char *key) {
    uint64_t kb = facts_count(text, key);
    return kb > UINT64_MAX / 1024 ? 0 : kb * 1024;
}

uint64_t facts_stall(struct lr_str text) {
    struct lr_str line, word;
    uint64_t total = 0;
    if (!facts_value(text, "some", &line)) return 0;
    while (facts_word(&line, &word))
        if (lr_str_starts(word, LR_STR("total=")) && facts_number(lr_str_from(word, 6), &total)) return total;
    return 0;
}

uint64_t facts_grown(struct facts_counter *c, bool there, uint64_t now) {
    uint64_t grown = there && c->known && now > c->last ? now - c->last : 0;
    *c = (struct facts_counter){now, there};
    return grown;
}

uint32_t facts_cpus_count(const struct facts_cpus *set) {
    uint32_t n = 0;
    for (size_t i = 0; i < FACTS_MAX_CPUS / 64; i++) n += (uint32_t)__builtin_popcountll(set->bits[i]);
    return n;
}

/* One number or "first-last". */
static bool parse_range(struct lr_str part, uint64_t *first, uint64_t *last) {
    struct lr_str from, to = part;
    bool single = !part.len || !memchr(part.data, '-', part.len);
    if (!facts_part(&to, '-', &from) || !facts_number(from, first)) return false;
    *last = *first;
    if (!single && !facts_number(to, last)) return false;
    return *first <= *last && *last < FACTS_MAX_CPUS;
}

bool facts_cpus_parse(struct lr_str text, struct facts_cpus *out) {
    *out = (struct facts_cpus){0};
    struct lr_str rest = trim(text), part;
    bool good = rest.len > 0;
    while (good && facts_part(&rest, ',', &part)) {
        uint64_t first = 0, last = 0;
        good = parse_range(part, &first, &last);
        for (uint64_t i = first; good && i <= last; i++) out->bits[i / 64] |= UINT64_C(1) << (i % 64);
    }
    if (!good) *out = (struct facts_cpus){0};
    return good;
}
