#include "text/normalize.h"

#include "base/mem.h"
#include "text/byte_level.h"
#include "text/precompiled.h"
#include "text/regex.h"
#include "text/split.h"
#include "text/step.h"
#include "text/unicode.h"

#define MAX_STEPS 32

struct step;
typedef enum lr_status step_fn(const struct step *s, struct lr_str in, struct lr_buf *out,
                               struct lr_error *err);

/* One step: a text to a text. */
struct step {
    step_fn *apply;
    enum unicode_form form;
    struct regex *regex;                 /* Replace by pattern */
    char *find, *with;                   /* Replace by text; Prepend's text in `with` */
    bool left, right;                    /* Strip */
    bool clean, chinese, accents, lower; /* BertNormalizer */
    struct precompiled *map;
};

struct normalizer {
    struct step steps[MAX_STEPS];
    size_t count;
};

static enum lr_status done(int rc, struct lr_str in, struct lr_error *err) {
    return rc ? lr_fail_memory(err, "normal text", in.len) : LR_OK;
}

static enum lr_status apply_form(const struct step *s, struct lr_str in, struct lr_buf *out,
                                 struct lr_error *err) {
    return done(unicode_normalize(s->form, in, out), in, err);
}

static enum lr_status apply_lowercase(const struct step *s, struct lr_str in, struct lr_buf *out,
                                      struct lr_error *err) {
    (void)s;
    int rc = 0;
    for (size_t at = 0; at < in.len && !rc;) rc = unicode_append_lower(unicode_next(in, &at), out);
    return done(rc, in, err);
}

static enum lr_status apply_strip(const struct step *s, struct lr_str in, struct lr_buf *out,
                                  struct lr_error *err) {
    size_t begin = 0, end = 0, at = 0;
    bool leading = true;
    while (at < in.len) {
        bool space = unicode_is_space(unicode_next(in, &at));
        if (leading && space) begin = at;
        leading = leading && space;
        if (!space) end = at;
    }
    begin = s->left ? begin : 0;
    end = s->right ? end : in.len;
    return done(end > begin ? lr_buf_append(out, in.data + begin, end - begin) : 0, in, err);
}

/* Appends the characters of `in` for which `drop` is false. */
static int append_without(bool (*drop)(uint32_t), struct lr_str in, struct lr_buf *out) {
    for (size_t at = 0; at < in.len;) {
        size_t begin = at;
        if (!drop(unicode_next(in, &at)) && lr_buf_append(out, in.data + begin, at - begin)) return -1;
    }
    return 0;
}

static enum lr_status apply_strip_accents(const struct step *s, struct lr_str in, struct lr_buf *out,
                                          struct lr_error *err) {
    (void)s;
    return done(append_without(unicode_is_mark, in, out), in, err);
}

static enum lr_status apply_prepend(const struct step *s, struct lr_str in, struct lr_buf *out,
                                    struct lr_error *err) {
    return done(in.len && (lr_buf_append_str(out, lr_str_of(s->with)) || lr_buf_append_str(out, in)), in,
                err);
}

static enum lr_status find_replaced(const struct step *s, struct lr_str in, struct part_list *parts,
                                    struct lr_error *err) {
    if (!s->regex) return split_find_string(lr_str_of(s->find), in, parts, err);
    struct regex_scratch *scratch;
    LR_TRY(regex_scratch_open(s->regex, &scratch, err));
    enum lr_status status = split_find_regex(s->regex, scratch, in, parts, err);
    regex_scratch_close(scratch);
    return status;
}

static enum lr_status apply_replace(const struct step *s, struct lr_str in, struct lr_buf *out,
                                    struct lr_error *err) {
    struct part_list parts = {0};
    enum lr_status status = find_replaced(s, in, &parts, err);
    int rc = 0;
    for (size_t i = 0; i < parts.count && status == LR_OK && !rc; i++) {
        struct part p = parts.parts[i];
        rc = lr_buf_append_str(out, p.match ? lr_str_of(s->with)
                                            : (struct lr_str){in.data + p.begin, p.end - p.begin});
    }
    lr_free(parts.parts);
    return status == LR_OK ? done(rc, in, err) : status;
}

static enum lr_status apply_byte_level(const struct step *s, struct lr_str in, struct lr_buf *out,
                                       struct lr_error *err) {
    (void)s;
    return done(byte_level_encode(in, out), in, err);
}

static enum lr_status apply_precompiled(const struct step *s, struct lr_str in, struct lr_buf *out,
                                        struct lr_error *err) {
    return done(precompiled_apply(s->map, in, out), in, err);
}

/* The characters that NMT training dropped, and those it took for blanks. */
static enum lr_status apply_nmt(const struct step *s, struct lr_str in, struct lr_buf *out,
                                struct lr_error *err) {
    (void)s;
    int rc = 0;
    for (size_t at = 0; at < in.len && !rc;) {
        size_t begin = at;
        uint32_t c = unicode_next(in, &at);
        bool blank = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                     c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
        bool drop =
            (c >= 1 && c <= 8) || c == 11 || (c >= 14 && c <= 31) || c == 0x7F || c == 0x8F || c == 0x9F;
        if (blank)
            rc = lr_buf_append_char(out, ' ');
        else if (!drop)
            rc = lr_buf_append(out, in.data + begin, at - begin);
    }
    return done(rc, in, err);
}

static bool is_chinese(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) ||
           (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* BertNormalizer's cleaning: controls go, white space becomes a blank, Chinese characters stand alone. */
static int append_clean(const struct step *s, struct lr_str in, struct lr_buf *out) {
    int rc = 0;
    for (size_t at = 0; at < in.len && !rc;) {
        size_t begin = at;
        uint32_t c = unicode_next(in, &at);
        bool plain = c == '\t' || c == '\n' || c == '\r';
        if (s->clean && (c == 0 || c == 0xFFFD || (!plain && unicode_is_control(c)))) continue;
        bool alone = s->chinese && is_chinese(c);
        if (alone) rc = lr_buf_append_char(out, ' ');
        if (s->clean && (plain || unicode_is_space(c)))
            rc = lr_buf_append_char(out, ' ');
        else if (!rc)
            rc = lr_buf_append(out, in.data + begin, at - begin);
        if (alone && !rc) rc = lr_buf_append_char(out, ' ');
    }
    return rc;
}

static enum lr_status apply_bert(const struct step *s, struct lr_str in, struct lr_buf *out,
                                 struct lr_error *err) {
    struct lr_buf clean = {0}, bare = {0};
    int rc = append_clean(s, in, &clean);
    if (s->accents && !rc) {
        rc = unicode_normalize(UNICODE_NFD, lr_buf_str(&clean), &bare);
        clean.len = 0;
        if (!rc) rc = append_without(unicode_is_nonspacing, lr_buf_str(&bare), &clean);
    }
    for (size_t at = 0; at < clean.len && !rc;) {
        size_t begin = at;
        uint32_t c = unicode_next(lr_buf_str(&clean), &at);
        rc = s->lower ? unicode_append_lower(c, out) : lr_buf_append(out, clean.data + begin, at - begin);
    }
    lr_buf_free(&clean);
    lr_buf_free(&bare);
    return done(rc, in, err);
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

static enum lr_status copy_key(struct json spec, const char *key, char **out, struct lr_error *err) {
    struct lr_str text = LR_STR("");
    LR_TRY(json_read_str(spec, key, &text, err));
    *out = lr_str_dup(text);
    return *out ? LR_OK : lr_fail_memory(err, "a normalizer", text.len);
}

static enum lr_status parse_replace(struct json spec, struct step *s, struct lr_error *err) {
    struct json pattern = json_get(spec, "pattern");
    struct lr_str regex;
    LR_TRY(copy_key(spec, "content", &s->with, err));
    if (json_str(json_get(pattern, "Regex"), &regex))
        return regex_compile(regex, json_name(spec.doc), &s->regex, err);
    if (json_kind(json_get(pattern, "String")) == JSON_STRING)
        return copy_key(pattern, "String", &s->find, err);
    return lr_fail(err, LR_EMODEL, "%s: normalizer Replace: 'pattern' must hold 'String' or 'Regex'",
                   json_name(spec.doc));
}

static enum lr_status parse_strip(struct json spec, struct step *s, struct lr_error *err) {
    s->left = s->right = true;
    LR_TRY(json_read_bool(spec, "strip_left", &s->left, err));
    return json_read_bool(spec, "strip_right", &s->right, err);
}

static enum lr_status parse_prepend(struct json spec, struct step *s, struct lr_error *err) {
    return copy_key(spec, "prepend", &s->with, err);
}

static enum lr_status parse_precompiled(struct json spec, struct step *s, struct lr_error *err) {
    struct lr_str map = LR_STR("");
    LR_TRY(json_read_str(spec, "precompiled_charsmap", &map, err));
    return precompiled_parse(map, json_name(spec.doc), &s->map, err);
}

static enum lr_status parse_bert(struct json spec, struct step *s, struct lr_error *err) {
    s->clean = s->chinese = s->lower = true;
    LR_TRY(json_read_bool(spec, "clean_text", &s->clean, err));
    LR_TRY(json_read_bool(spec, "handle_chinese_chars", &s->chinese, err));
    LR_TRY(json_read_bool(spec, "lowercase", &s->lower, err));
    s->accents = s->lower; /* null follows lowercase */
    return json_read_bool(spec, "strip_accents", &s->accents, err);
}

static const struct {
    const char *type;
    step_fn *apply;
    enum unicode_form form;
    enum lr_status (*parse)(struct json spec, struct step *s, struct lr_error *err);
} kinds[] = {
    {"NFC", apply_form, UNICODE_NFC, NULL},
    {"NFD", apply_form, UNICODE_NFD, NULL},
    {"NFKC", apply_form, UNICODE_NFKC, NULL},
    {"NFKD", apply_form, UNICODE_NFKD, NULL},
    {"Lowercase", apply_lowercase, 0, NULL},
    {"Strip", apply_strip, 0, parse_strip},
    {"StripAccents", apply_strip_accents, 0, NULL},
    {"Prepend", apply_prepend, 0, parse_prepend},
    {"Replace", apply_replace, 0, parse_replace},
    {"Precompiled", apply_precompiled, 0, parse_precompiled},
    {"ByteLevel", apply_byte_level, 0, NULL},
    {"BertNormalizer", apply_bert, 0, parse_bert},
    {"Nmt", apply_nmt, 0, NULL},
};

static const struct step_part this_part = {"normalizer", "normalizers"};

static enum lr_status parse_any(struct json spec, struct normalizer *n, int depth, struct lr_error *err) {
    size_t i;
    LR_TRY(step_find(spec, &this_part, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &i, err));
    if (n->count == MAX_STEPS || depth > MAX_STEPS)
        return lr_fail(err, LR_EMODEL, "%s: more than %d normalizers", json_name(spec.doc), MAX_STEPS);
    if (i == STEP_SEQUENCE) {
        struct json list;
        LR_TRY(step_list(spec, &this_part, &list, err));
        for (struct json v = json_first(list); json_kind(v); v = json_next(v))
            LR_TRY(parse_any(v, n, depth + 1, err));
        return LR_OK;
    }
    struct step *s = &n->steps[n->count++];
    s->apply = kinds[i].apply;
    s->form = kinds[i].form;
    return kinds[i].parse ? kinds[i].parse(spec, s, err) : LR_OK;
}

enum lr_status normalizer_parse(struct json spec, struct normalizer **out, struct lr_error *err) {
    *out = NULL;
    if (!json_present(spec)) return LR_OK;
    struct normalizer *n = lr_calloc(1, sizeof *n);
    if (!n) return lr_fail_memory(err, "a normalizer", sizeof *n);
    enum lr_status status = parse_any(spec, n, 0, err);
    if (status != LR_OK)
        normalizer_free(n);
    else
        *out = n;
    return status;
}

void normalizer_free(struct normalizer *n) {
    for (size_t i = 0; n && i < n->count; i++) {
        regex_free(n->steps[i].regex);
        lr_free(n->steps[i].find);
        lr_free(n->steps[i].with);
        precompiled_free(n->steps[i].map);
    }
    lr_free(n);
}

/* What the text begins with: `own` bytes that stand for its very first character (itself, and what was put
 * before it), until they are gone. */
struct beginning {
    size_t own;
    bool gone;
};

/* Follows the beginning through a step: characters at the front are gone where the step leaves nothing of
 * them. */
static enum lr_status follow_beginning(struct beginning *b, const struct step *s, struct lr_str in,
                                       struct lr_error *err) {
    struct lr_buf kept = {0};
    enum lr_status status = LR_OK;
    for (size_t at = 0; at < in.len && !b->gone && !kept.len && status == LR_OK;) {
        size_t from = at;
        unicode_next(in, &at);
        status = s->apply(s, (struct lr_str){in.data + from, at - from}, &kept, err);
        if (kept.len) break;
        b->own = b->own > at - from ? b->own - (at - from) : 0;
        b->gone = b->own == 0;
    }
    if (s->apply == apply_prepend) b->own += strlen(s->with);
    lr_buf_free(&kept);
    return status;
}

/* The text goes back and forth between two buffers; the last step writes to `out`. */
static enum lr_status run_steps(const struct normalizer *n, struct lr_str text, struct lr_buf bufs[2],
                                struct lr_buf *out, struct beginning *b, struct lr_error *err) {
    for (size_t i = 0; i < n->count; i++) {
        struct lr_buf *to = i + 1 == n->count ? out : &bufs[i % 2];
        if (to != out) to->len = 0;
        if (b) LR_TRY(follow_beginning(b, &n->steps[i], text, err));
        LR_TRY(n->steps[i].apply(&n->steps[i], text, to, err));
        text = lr_buf_str(to);
    }
    return LR_OK;
}

enum lr_status normalizer_apply(const struct normalizer *n, struct lr_str text, struct lr_buf *out,
                                bool *begins, struct lr_error *err) {
    if (!n || !n->count) return done(lr_buf_append_str(out, text), text, err);
    struct lr_buf bufs[2];
    struct beginning b = {.own = text.len > 0};
    memset(bufs, 0, sizeof bufs);
    enum lr_status status = run_steps(n, text, bufs, out, begins ? &b : NULL, err);
    if (begins && b.gone) *begins = false;
    lr_buf_free(&bufs[0]);
    lr_buf_free(&bufs[1]);
    return status;
}
