#include "text/decode.h"

#include "base/mem.h"
#include "text/byte_level.h"
#include "text/pretokenize.h"
#include "text/regex.h"
#include "text/split.h"
#include "text/step.h"
#include "text/unicode.h"
#include "text/utf8.h"

#define MAX_STEPS   32
#define REPLACEMENT "\xEF\xBF\xBD"

struct step;
typedef enum lr_status step_fn(const struct step *s, const struct piece_list *in, struct piece_list *out,
                               struct lr_error *err);

/* One step: a list of pieces to a list of pieces. */
struct step {
    step_fn *apply;
    struct regex *regex; /* Replace by pattern */
    char *find, *with;   /* Replace, BPEDecoder; Strip's and Metaspace's character in find */
    size_t start, stop;  /* Strip */
    bool keep_first;     /* Metaspace: blanks of the first piece stay */
};

struct decoder {
    struct step steps[MAX_STEPS];
    size_t count;
    bool byte_fallback;
};

/* ---- steps ----------------------------------------------------------------------------------------------------- */

static struct lr_str piece_at(const struct piece_list *l, size_t i) {
    if (!l->spans[i].len) return LR_STR("");
    return (struct lr_str){l->text.data + l->spans[i].begin, l->spans[i].len};
}

/* What was appended to out->text from `begin` on becomes a piece. */
static enum lr_status end_piece(struct piece_list *out, size_t begin, struct lr_error *err) {
    if (lr_grow(&out->spans, &out->cap, out->count + 1, sizeof *out->spans))
        return lr_fail_memory(err, "decoded pieces", (out->count + 1) * sizeof *out->spans);
    out->spans[out->count++] = (struct piece_span){begin, out->text.len - begin};
    return LR_OK;
}

static enum lr_status no_text(struct lr_error *err, size_t n) {
    return lr_fail_memory(err, "decoded text", n);
}

static enum lr_status add_piece(struct piece_list *out, struct lr_str text, struct lr_error *err) {
    size_t begin = out->text.len;
    if (lr_buf_append_str(&out->text, text)) return no_text(err, text.len);
    return end_piece(out, begin, err);
}

/* The bytes of one piece; a piece with a character outside the alphabet stands for itself. */
static int append_bytes(struct lr_str piece, struct lr_buf *out) {
    size_t begin = out->len;
    for (size_t at = 0; at < piece.len;) {
        int b = byte_level_byte(unicode_next(piece, &at));
        if (b < 0) {
            out->len = begin;
            return lr_buf_append_str(out, piece);
        }
        if (lr_buf_append_char(out, (char)b)) return -1;
    }
    return 0;
}

static enum lr_status apply_byte_level(const struct step *s, const struct piece_list *in,
                                       struct piece_list *out, struct lr_error *err) {
    (void)s;
    struct lr_buf bytes = {0};
    int rc = 0;
    for (size_t i = 0; i < in->count && !rc; i++) rc = append_bytes(piece_at(in, i), &bytes);
    size_t begin = out->text.len;
    rc = rc ? rc : utf8_repair(lr_buf_str(&bytes), &out->text);
    lr_buf_free(&bytes);
    return rc ? no_text(err, in->text.len) : end_piece(out, begin, err);
}

/* The byte that `<0xXX>` stands for, or -1. */
static int fallback_byte(struct lr_str p) {
    if (p.len != 6 || memcmp(p.data, "<0x", 3) || p.data[5] != '>') return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        char c = p.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* A run of bytes is its text where it is valid UTF-8, else one U+FFFD for each byte. */
static enum lr_status end_run(struct lr_buf *run, struct piece_list *out, struct lr_error *err) {
    if (!run->len) return LR_OK;
    size_t begin = out->text.len, n = run->len;
    int rc = 0;
    run->len = 0;
    if (utf8_valid_length((struct lr_str){run->data, n}) == n)
        rc = lr_buf_append(&out->text, run->data, n);
    else
        for (size_t i = 0; i < n && !rc; i++) rc = lr_buf_append_str(&out->text, LR_STR(REPLACEMENT));
    return rc ? no_text(err, n) : end_piece(out, begin, err);
}

static enum lr_status fallback_pieces(const struct piece_list *in, struct lr_buf *run, struct piece_list *out,
                                      struct lr_error *err) {
    for (size_t i = 0; i < in->count; i++) {
        struct lr_str p = piece_at(in, i);
        int b = fallback_byte(p);
        if (b >= 0 && lr_buf_append_char(run, (char)b)) return no_text(err, run->len);
        if (b >= 0) continue;
        LR_TRY(end_run(run, out, err));
        LR_TRY(add_piece(out, p, err));
    }
    return end_run(run, out, err);
}

static enum lr_status apply_byte_fallback(const struct step *s, const struct piece_list *in,
                                          struct piece_list *out, struct lr_error *err) {
    (void)s;
    struct lr_buf run = {0};
    enum lr_status status = fallback_pieces(in, &run, out, err);
    lr_buf_free(&run);
    return status;
}

static enum lr_status apply_fuse(const struct step *s, const struct piece_list *in, struct piece_list *out,
                                 struct lr_error *err) {
    (void)s;
    size_t begin = out->text.len;
    for (size_t i = 0; i < in->count; i++)
        if (lr_buf_append_str(&out->text, piece_at(in, i))) return no_text(err, in->text.len);
    return end_piece(out, begin, err);
}

static enum lr_status apply_strip(const struct step *s, const struct piece_list *in, struct piece_list *out,
                                  struct lr_error *err) {
    struct lr_str c = lr_str_of(s->find);
    for (size_t i = 0; i < in->count; i++) {
        struct lr_str p = piece_at(in, i);
        for (size_t k = 0; k < s->start && p.len && lr_str_starts(p, c); k++) p = lr_str_from(p, c.len);
        for (size_t k = 0; k < s->stop && p.len && lr_str_ends(p, c); k++) p.len -= c.len;
        LR_TRY(add_piece(out, p, err));
    }
    return LR_OK;
}

/* Appends `text` with every part that matches replaced. */
static enum lr_status append_replaced(const struct part_list *parts, struct lr_str text, struct lr_str with,
                                      struct lr_buf *out, struct lr_error *err) {
    for (size_t i = 0; i < parts->count; i++) {
        struct part p = parts->parts[i];
        struct lr_str as = p.match ? with : (struct lr_str){text.data + p.begin, p.end - p.begin};
        if (lr_buf_append_str(out, as)) return no_text(err, as.len);
    }
    return LR_OK;
}

static enum lr_status replace_pieces(const struct step *s, struct regex_scratch *scratch,
                                     struct part_list *parts, const struct piece_list *in,
                                     struct piece_list *out, struct lr_error *err) {
    for (size_t i = 0; i < in->count; i++) {
        struct lr_str p = piece_at(in, i);
        size_t begin = out->text.len;
        parts->count = 0;
        if (s->regex)
            LR_TRY(split_find_regex(s->regex, scratch, p, parts, err));
        else
            LR_TRY(split_find_string(lr_str_of(s->find), p, parts, err));
        LR_TRY(append_replaced(parts, p, lr_str_of(s->with), &out->text, err));
        LR_TRY(end_piece(out, begin, err));
    }
    return LR_OK;
}

static enum lr_status apply_replace(const struct step *s, const struct piece_list *in, struct piece_list *out,
                                    struct lr_error *err) {
    struct regex_scratch *scratch = NULL;
    struct part_list parts = {0};
    if (s->regex) LR_TRY(regex_scratch_open(s->regex, &scratch, err));
    enum lr_status status = replace_pieces(s, scratch, &parts, in, out, err);
    regex_scratch_close(scratch);
    lr_free(parts.parts);
    return status;
}

/* The mark becomes a blank; in the first piece it goes, as it was put there (unless it never was). */
static enum lr_status apply_metaspace(const struct step *s, const struct piece_list *in,
                                      struct piece_list *out, struct lr_error *err) {
    struct part_list parts = {0};
    enum lr_status status = LR_OK;
    for (size_t i = 0; i < in->count && status == LR_OK; i++) {
        struct lr_str p = piece_at(in, i), with = i || s->keep_first ? LR_STR(" ") : LR_STR("");
        size_t begin = out->text.len;
        parts.count = 0;
        status = split_find_string(lr_str_of(s->find), p, &parts, err);
        if (status == LR_OK) status = append_replaced(&parts, p, with, &out->text, err);
        if (status == LR_OK) status = end_piece(out, begin, err);
    }
    lr_free(parts.parts);
    return status;
}

/* The suffix that ends a word becomes a blank, but not behind the last piece. */
static enum lr_status apply_suffix(const struct step *s, const struct piece_list *in, struct piece_list *out,
                                   struct lr_error *err) {
    struct part_list parts = {0};
    enum lr_status status = LR_OK;
    for (size_t i = 0; i < in->count && status == LR_OK; i++) {
        struct lr_str p = piece_at(in, i), with = i + 1 < in->count ? LR_STR(" ") : LR_STR("");
        size_t begin = out->text.len;
        parts.count = 0;
        status = split_find_string(lr_str_of(s->find), p, &parts, err);
        if (status == LR_OK) status = append_replaced(&parts, p, with, &out->text, err);
        if (status == LR_OK) status = end_piece(out, begin, err);
    }
    lr_free(parts.parts);
    return status;
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

static enum lr_status copy_key(struct json spec, const char *key, const char *fallback, char **out,
                               struct lr_error *err) {
    struct lr_str text = lr_str_of(fallback);
    LR_TRY(json_read_str(spec, key, &text, err));
    *out = lr_str_dup(text);
    return *out ? LR_OK : lr_fail_memory(err, "a decoder", text.len);
}

static enum lr_status parse_strip(struct json spec, struct step *s, struct lr_error *err) {
    uint32_t start = 0, stop = 0;
    LR_TRY(json_read_u32(spec, "start", 0, UINT32_MAX, &start, err));
    LR_TRY(json_read_u32(spec, "stop", 0, UINT32_MAX, &stop, err));
    s->start = start;
    s->stop = stop;
    LR_TRY(copy_key(spec, "content", "", &s->find, err));
    return *s->find ? LR_OK
                    : lr_fail(err, LR_EMODEL, "%s: decoder Strip: 'content' is empty", json_name(spec.doc));
}

static enum lr_status parse_replace(struct json spec, struct step *s, struct lr_error *err) {
    struct json pattern = json_get(spec, "pattern");
    struct lr_str regex;
    LR_TRY(copy_key(spec, "content", "", &s->with, err));
    if (json_str(json_get(pattern, "Regex"), &regex))
        return regex_compile(regex, json_name(spec.doc), &s->regex, err);
    if (json_kind(json_get(pattern, "String")) == JSON_STRING)
        return copy_key(pattern, "String", "", &s->find, err);
    return lr_fail(err, LR_EMODEL, "%s: decoder Replace: 'pattern' must hold 'String' or 'Regex'",
                   json_name(spec.doc));
}

static enum lr_status parse_metaspace(struct json spec, struct step *s, struct lr_error *err) {
    struct lr_str scheme = {0};
    bool old_prepend = true;
    LR_TRY(json_read_str(spec, "prepend_scheme", &scheme, err));
    LR_TRY(json_read_bool(spec, "add_prefix_space", &old_prepend, err));
    s->keep_first = scheme.len ? lr_str_is(scheme, "never") : !old_prepend;
    return copy_key(spec, "replacement", "\xE2\x96\x81", &s->find, err);
}

static enum lr_status parse_suffix(struct json spec, struct step *s, struct lr_error *err) {
    return copy_key(spec, "suffix", "</w>", &s->find, err);
}

static const struct {
    const char *type;
    step_fn *apply;
    enum lr_status (*parse)(struct json spec, struct step *s,
                            struct lr_error *err); /* NULL: no settings that matter */
} kinds[] = {
    {"ByteLevel", apply_byte_level, NULL},
    {"ByteFallback", apply_byte_fallback, NULL},
    {"Fuse", apply_fuse, NULL},
    {"Strip", apply_strip, parse_strip},
    {"Replace", apply_replace, parse_replace},
    {"Metaspace", apply_metaspace, parse_metaspace},
    {"BPEDecoder", apply_suffix, parse_suffix},
};

static const struct step_part this_part = {"decoder", "decoders"};

static enum lr_status parse_any(struct json spec, struct decoder *d, int depth, struct lr_error *err) {
    size_t i;
    LR_TRY(step_find(spec, &this_part, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &i, err));
    if (d->count == MAX_STEPS || depth > MAX_STEPS)
        return lr_fail(err, LR_EMODEL, "%s: more than %d decoders", json_name(spec.doc), MAX_STEPS);
    if (i == STEP_SEQUENCE) {
        struct json list;
        LR_TRY(step_list(spec, &this_part, &list, err));
        for (struct json v = json_first(list); json_kind(v); v = json_next(v))
            LR_TRY(parse_any(v, d, depth + 1, err));
        return LR_OK;
    }
    struct step *s = &d->steps[d->count++];
    s->apply = kinds[i].apply;
    d->byte_fallback |= s->apply == apply_byte_fallback;
    return kinds[i].parse ? kinds[i].parse(spec, s, err) : LR_OK;
}

enum lr_status decoder_parse(struct json spec, struct decoder **out, struct lr_error *err) {
    *out = NULL;
    if (!json_present(spec)) return LR_OK;
    struct decoder *d = lr_calloc(1, sizeof *d);
    if (!d) return lr_fail_memory(err, "a decoder", sizeof *d);
    enum lr_status status = parse_any(spec, d, 0, err);
    if (status != LR_OK)
        decoder_free(d);
    else
        *out = d;
    return status;
}

void decoder_free(struct decoder *d) {
    for (size_t i = 0; d && i < d->count; i++) {
        regex_free(d->steps[i].regex);
        lr_free(d->steps[i].find);
        lr_free(d->steps[i].with);
    }
    lr_free(d);
}

bool decoder_waits_for(const struct decoder *d, struct lr_str piece) {
    return d && d->byte_fallback && fallback_byte(piece) >= 0;
}

/* ---- applying -------------------------------------------------------------------------------------------------- */

static enum lr_status run_steps(const struct decoder *d, struct piece_list lists[2], struct lr_buf *out,
                                struct lr_error *err) {
    size_t steps = d ? d->count : 0;
    for (size_t i = 0; i < steps; i++) {
        struct piece_list *to = &lists[(i + 1) % 2];
        to->count = to->text.len = 0;
        LR_TRY(d->steps[i].apply(&d->steps[i], &lists[i % 2], to, err));
    }
    const struct piece_list *last = &lists[steps % 2];
    for (size_t i = 0; i < last->count; i++)
        if ((!d && i && lr_buf_append_char(out, ' ')) || lr_buf_append_str(out, piece_at(last, i)))
            return no_text(err, last->text.len);
    return LR_OK;
}

enum lr_status decoder_apply(const struct decoder *d, const struct lr_str *pieces, size_t n,
                             struct lr_buf *out, struct lr_error *err) {
    struct piece_list lists[2];
    memset(lists, 0, sizeof lists);
    enum lr_status status = LR_OK;
    for (size_t i = 0; i < n && status == LR_OK; i++) status = add_piece(&lists[0], pieces[i], err);
    if (status == LR_OK) status = run_steps(d, lists, out, err);
    piece_list_free(&lists[0]);
    piece_list_free(&lists[1]);
    return status;
}
