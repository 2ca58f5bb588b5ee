#include "text/pretokenize.h"

#include "base/mem.h"
#include "text/byte_level.h"
#include "text/regex.h"
#include "text/split.h"
#include "text/step.h"
#include "text/unicode.h"

#define MAX_STAGES   32
#define GPT2_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
/* Whitespace's own words, another engine's: with the joiners. */
#define WORD                                                                                                 \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200C}\\x{200D}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}"            \
    "\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define WORDS_PATTERN "[" WORD "]+|[^" WORD "\\s]+"

enum prepend { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

/* One step: what is put before a piece, how it is cut, what becomes of the parts. */
struct stage {
    bool prefix_space; /* ByteLevel: a blank before a piece that does not begin with one */
    bool metaspace;    /* blanks become `mark`, which may be prepended */
    enum prepend prepend;
    char mark[5]; /* Metaspace's replacement, or CharDelimiterSplit's character */
    bool splits;  /* by one of the following */
    struct regex *regex;
    split_char_fn *chars;
    char *string;
    enum split_behavior behavior;
    bool invert;
    bool byte_level; /* parts are written in the byte alphabet */
};

struct pretokenizer {
    struct stage stages[MAX_STAGES];
    size_t count;
};

/* ---- parsing --------------------------------------------------------------------------------------------------- */

static enum lr_status parse_any(struct json spec, struct pretokenizer *p, int depth, struct lr_error *err);

static enum lr_status use_regex(struct stage *s, struct lr_str pattern, const char *name,
                                enum split_behavior behavior, bool invert, struct lr_error *err) {
    s->splits = true;
    s->behavior = behavior;
    s->invert = invert;
    return regex_compile(pattern, name, &s->regex, err);
}

static void use_chars(struct stage *s, split_char_fn *chars, enum split_behavior behavior) {
    s->splits = true;
    s->chars = chars;
    s->behavior = behavior;
}

static enum lr_status use_string(struct stage *s, struct lr_str string, enum split_behavior behavior,
                                 bool invert, struct lr_error *err) {
    s->splits = true;
    s->behavior = behavior;
    s->invert = invert;
    s->string = lr_str_dup(string);
    return s->string ? LR_OK : lr_fail_memory(err, "a pattern", string.len);
}

static enum lr_status read_behavior(struct json spec, enum split_behavior *out, struct lr_error *err) {
    struct lr_str name = {0};
    LR_TRY(json_read_str(spec, "behavior", &name, err));
    if (!name.len || split_behavior_parse(name, out)) return LR_OK;
    return lr_fail(err, LR_EMODEL, "%s: pre_tokenizer: behavior '%.*s' is not known", json_name(spec.doc),
                   LR_STR_ARGS(name));
}

static enum lr_status parse_byte_level(struct json spec, struct stage *s, struct lr_error *err) {
    bool regex = true;
    s->prefix_space = true;
    s->byte_level = true;
    LR_TRY(json_read_bool(spec, "add_prefix_space", &s->prefix_space, err));
    LR_TRY(json_read_bool(spec, "use_regex", &regex, err));
    return regex ? use_regex(s, LR_STR(GPT2_PATTERN), json_name(spec.doc), SPLIT_ISOLATED, false, err)
                 : LR_OK;
}

static enum lr_status parse_split(struct json spec, struct stage *s, struct lr_error *err) {
    enum split_behavior behavior = SPLIT_ISOLATED;
    bool invert = false;
    struct lr_str string, pattern;
    LR_TRY(read_behavior(spec, &behavior, err));
    LR_TRY(json_read_bool(spec, "invert", &invert, err));
    struct json p = json_get(spec, "pattern");
    if (json_str(json_get(p, "String"), &string)) return use_string(s, string, behavior, invert, err);
    if (json_str(json_get(p, "Regex"), &pattern))
        return use_regex(s, pattern, json_name(spec.doc), behavior, invert, err);
    return lr_fail(err, LR_EMODEL, "%s: pre_tokenizer Split: 'pattern' must hold 'String' or 'Regex'",
                   json_name(spec.doc));
}

static enum lr_status read_char(struct json spec, const char *key, struct lr_str fallback, char out[5],
                                struct lr_error *err) {
    struct lr_str c = fallback;
    LR_TRY(json_read_str(spec, key, &c, err));
    size_t end = 0;
    if (c.len) unicode_next(c, &end);
    if (!c.len || end != c.len || c.len > 4)
        return lr_fail(err, LR_EMODEL, "%s: pre_tokenizer: '%s' must be one character", json_name(spec.doc),
                       key);
    memcpy(out, c.data, c.len);
    out[c.len] = '\0';
    return LR_OK;
}

static enum lr_status parse_metaspace(struct json spec, struct stage *s, struct lr_error *err) {
    bool old_prepend = true, split = true;
    struct lr_str scheme = {0};
    s->metaspace = true;
    LR_TRY(read_char(spec, "replacement", LR_STR("\xE2\x96\x81"), s->mark, err));
    LR_TRY(json_read_bool(spec, "add_prefix_space", &old_prepend, err));
    LR_TRY(json_read_str(spec, "prepend_scheme", &scheme, err));
    LR_TRY(json_read_bool(spec, "split", &split, err));
    if (!scheme.len)
        s->prepend = old_prepend ? PREPEND_ALWAYS : PREPEND_NEVER;
    else if (lr_str_is(scheme, "always"))
        s->prepend = PREPEND_ALWAYS;
    else if (lr_str_is(scheme, "first"))
        s->prepend = PREPEND_FIRST;
    else if (lr_str_is(scheme, "never"))
        s->prepend = PREPEND_NEVER;
    else
        return lr_fail(err, LR_EMODEL, "%s: pre_tokenizer Metaspace: prepend_scheme '%.*s' is not known",
                       json_name(spec.doc), LR_STR_ARGS(scheme));
    return split ? use_string(s, lr_str_of(s->mark), SPLIT_MERGED_WITH_NEXT, false, err) : LR_OK;
}

static enum lr_status parse_digits(struct json spec, struct stage *s, struct lr_error *err) {
    bool individual = false;
    LR_TRY(json_read_bool(spec, "individual_digits", &individual, err));
    use_chars(s, unicode_is_numeric, individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS);
    return LR_OK;
}

static enum lr_status parse_punctuation(struct json spec, struct stage *s, struct lr_error *err) {
    enum split_behavior behavior = SPLIT_ISOLATED;
    LR_TRY(read_behavior(spec, &behavior, err));
    use_chars(s, unicode_is_punctuation, behavior);
    return LR_OK;
}

static enum lr_status parse_words(struct json spec, struct stage *s, struct lr_error *err) {
    return use_regex(s, LR_STR(WORDS_PATTERN), json_name(spec.doc), SPLIT_REMOVED, true, err);
}

static enum lr_status parse_whitespace_split(struct json spec, struct stage *s, struct lr_error *err) {
    (void)spec;
    (void)err;
    use_chars(s, unicode_is_space, SPLIT_REMOVED);
    return LR_OK;
}

static enum lr_status parse_delimiter(struct json spec, struct stage *s, struct lr_error *err) {
    LR_TRY(read_char(spec, "delimiter", (struct lr_str){0}, s->mark, err));
    return use_string(s, lr_str_of(s->mark), SPLIT_REMOVED, false, err);
}

static const struct {
    const char *type;
    enum lr_status (*parse)(struct json spec, struct stage *s, struct lr_error *err);
    enum lr_status (*parse_second)(struct json spec, struct stage *s, struct lr_error *err); /* or NULL */
} kinds[] = {
    {"ByteLevel", parse_byte_level, NULL},
    {"Split", parse_split, NULL},
    {"Metaspace", parse_metaspace, NULL},
    {"Digits", parse_digits, NULL},
    {"Punctuation", parse_punctuation, NULL},
    {"Whitespace", parse_words, NULL},
    {"WhitespaceSplit", parse_whitespace_split, NULL},
    {"CharDelimiterSplit", parse_delimiter, NULL},
    {"BertPreTokenizer", parse_whitespace_split, parse_punctuation},
};

static const struct step_part this_part = {"pre_tokenizer", "pretokenizers"};

static enum lr_status parse_sequence(struct json spec, struct pretokenizer *p, int depth,
                                     struct lr_error *err) {
    struct json list;
    LR_TRY(step_list(spec, &this_part, &list, err));
    for (struct json v = json_first(list); json_kind(v); v = json_next(v))
        LR_TRY(parse_any(v, p, depth + 1, err));
    return LR_OK;
}

static enum lr_status parse_any(struct json spec, struct pretokenizer *p, int depth, struct lr_error *err) {
    size_t i;
    LR_TRY(step_find(spec, &this_part, kinds, sizeof kinds / sizeof *kinds, sizeof *kinds, &i, err));
    size_t stages = i == STEP_SEQUENCE ? 0 : kinds[i].parse_second ? 2 : 1;
    if (p->count + stages > MAX_STAGES || depth > MAX_STAGES)
        return lr_fail(err, LR_EMODEL, "%s: more than %d pre_tokenizers", json_name(spec.doc), MAX_STAGES);
    if (i == STEP_SEQUENCE) return parse_sequence(spec, p, depth, err);
    LR_TRY(kinds[i].parse(spec, &p->stages[p->count++], err));
    return stages > 1 ? kinds[i].parse_second(spec, &p->stages[p->count++], err) : LR_OK;
}

enum lr_status pretokenizer_parse(struct json spec, struct pretokenizer **out, struct lr_error *err) {
    *out = NULL;
    if (!json_present(spec)) return LR_OK;
    struct pretokenizer *p = lr_calloc(1, sizeof *p);
    if (!p) return lr_fail_memory(err, "a pre-tokenizer", sizeof *p);
    enum lr_status status = parse_any(spec, p, 0, err);
    if (status != LR_OK)
        pretokenizer_free(p);
    else
        *out = p;
    return status;
}

void pretokenizer_free(struct pretokenizer *p) {
    for (size_t i = 0; p && i < p->count; i++) {
        regex_free(p->stages[i].regex);
        lr_free(p->stages[i].string);
    }
    lr_free(p);
}

/* ---- applying -------------------------------------------------------------------------------------------------- */

/* What a call needs beside the pieces; kept in the list of pieces from call to call. */
struct splitting {
    struct regex_scratch *scratch[MAX_STAGES];
    struct part_list parts;
    struct lr_buf changed;
    struct piece_list lists[2]; /* between stages, used in turn */
    bool first;                 /* the piece at hand begins the whole input */
};

static void splitting_free(struct splitting *w) {
    for (size_t i = 0; i < MAX_STAGES; i++) regex_scratch_close(w->scratch[i]);
    piece_list_free(&w->lists[0]);
    piece_list_free(&w->lists[1]);
    lr_free(w->parts.parts);
    lr_buf_free(&w->changed);
    lr_free(w);
}

void piece_list_free(struct piece_list *l) {
    lr_buf_free(&l->text);
    lr_free(l->spans);
    if (l->work) splitting_free(l->work);
    *l = (struct piece_list){0};
}

static enum lr_status emit(const struct stage *s, struct lr_str part, struct piece_list *out,
                           struct lr_error *err) {
    size_t begin = out->text.len;
    if (s->byte_level ? byte_level_encode(part, &out->text) : lr_buf_append_str(&out->text, part))
        return lr_fail_memory(err, "pieces of a text", part.len);
    if (lr_grow(&out->spans, &out->cap, out->count + 1, sizeof *out->spans))
        return lr_fail_memory(err, "pieces of a text", (out->count + 1) * sizeof *out->spans);
    out->spans[out->count++] = (struct piece_span){begin, out->text.len - begin};
    return LR_OK;
}

/* The piece with blanks replaced and its prefix added; it lives in w->changed. */
static int change(const struct stage *s, bool first, struct lr_str *piece, struct lr_buf *changed) {
    struct lr_str mark = s->metaspace ? lr_str_of(s->mark) : LR_STR(" ");
    bool add = s->metaspace ? s->prepend == PREPEND_ALWAYS || (s->prepend == PREPEND_FIRST && first)
                            : s->prefix_space;
    if (!s->metaspace && !add) return 0;
    changed->len = 0;
    bool has = lr_str_starts(*piece, mark) || (s->metaspace && piece->data[0] == ' ');
    if (add && !has && lr_buf_append_str(changed, mark)) return -1;
    for (size_t i = 0; i < piece->len; i++) {
        bool blank = s->metaspace && piece->data[i] == ' ';
        if (blank ? lr_buf_append_str(changed, mark) : lr_buf_append_char(changed, piece->data[i])) return -1;
    }
    *piece = lr_buf_str(changed);
    return 0;
}

static enum lr_status find_parts(const struct stage *s, struct splitting *w, size_t index,
                                 struct lr_str piece, struct lr_error *err) {
    w->parts.count = 0;
    if (s->chars) return split_find_chars(s->chars, piece, &w->parts, err);
    if (s->string) return split_find_string(lr_str_of(s->string), piece, &w->parts, err);
    if (!w->scratch[index]) LR_TRY(regex_scratch_open(s->regex, &w->scratch[index], err));
    return split_find_regex(s->regex, w->scratch[index], piece, &w->parts, err);
}

static enum lr_status apply_to_piece(const struct stage *s, struct splitting *w, size_t index,
                                     struct lr_str piece, struct piece_list *out, struct lr_error *err) {
    bool first = w->first;
    w->first = false;
    if (change(s, first, &piece, &w->changed)) return lr_fail_memory(err, "a piece of text", piece.len);
    if (!s->splits) return emit(s, piece, out, err);
    LR_TRY(find_parts(s, w, index, piece, err));
    split_arrange(s->behavior, s->invert, &w->parts);
    for (size_t i = 0; i < w->parts.count; i++) {
        struct part p = w->parts.parts[i];
        LR_TRY(emit(s, (struct lr_str){piece.data + p.begin, p.end - p.begin}, out, err));
    }
    return LR_OK;
}

/* Runs all stages; the pieces of one are the input of the next. */
static enum lr_status run_stages(const struct pretokenizer *p, struct splitting *w, struct lr_str text,
                                 bool first, struct piece_list *out, struct lr_error *err) {
    struct piece_span whole = {0, text.len};
    const struct piece_span *spans = &whole;
    const char *base = text.data;
    size_t n = 1;
    bool at_start = first; /* whether the first piece still begins where the text does */
    for (size_t i = 0; i < p->count; i++) {
        struct piece_list *to = i + 1 == p->count ? out : &w->lists[i % 2];
        if (to != out) to->count = to->text.len = 0;
        for (size_t k = 0; k < n; k++) {
            w->first = at_start && k == 0;
            LR_TRY(apply_to_piece(&p->stages[i], w, i, (struct lr_str){base + spans[k].begin, spans[k].len},
                                  to, err));
            if (k == 0 && p->stages[i].splits)
                at_start = at_start && w->parts.count && w->parts.parts[0].begin == 0;
        }
        if (!to->count) return LR_OK;
        spans = to->spans;
        base = to->text.data;
        n = to->count;
    }
    return LR_OK;
}

enum lr_status pretokenizer_apply(const struct pretokenizer *p, struct lr_str text, bool first,
                                  struct piece_list *out, struct lr_error *err) {
    static const struct stage none = {0};
    if (!p || !p->count) return emit(&none, text, out, err);
    if (!out->work) out->work = lr_calloc(1, sizeof *out->work);
    if (!out->work) return lr_fail_memory(err, "splitting a text", sizeof *out->work);
    out->work->parts.interrupt = out->interrupt;
    return run_stages(p, out->work, text, first, out, err);
}
