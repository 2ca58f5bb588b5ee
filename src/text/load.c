#include "base/mem.h"
#include "sys/file.h"
#include "text/tokenizer_parts.h"

#define LARGEST_FILE (UINT64_C(512) << 20)

/* ---- the model */

/* Unigram's pieces, [["piece", log probability], ...]: their ids are their places. */
static enum lr_status load_unigram_pieces(struct json list, struct vocab *out, struct lr_error *err) {
    size_t bytes = 0, count = json_count(list);
    struct lr_str piece;
    for (struct json v = json_first(list); json_kind(v); v = json_next(v)) {
        if (!json_str(json_at(v, 0), &piece))
            return json_fail(v, "vocab", "a list of pieces with scores", err);
        bytes += piece.len;
    }
    if (json_kind(list) != JSON_ARRAY || !count || count > VOCAB_MAX_ID)
        return json_fail(list, "vocab", "a list of 1 to 16,777,215 pieces", err);
    LR_TRY(vocab_init(out, count, bytes, (uint32_t)count, json_name(list.doc), "vocab", err));
    uint32_t id = 0;
    for (struct json v = json_first(list); json_kind(v); v = json_next(v), id++) {
        json_str(json_at(v, 0), &piece);
        struct lr_str shown = lr_str_cut(piece, 60);
        if (vocab_add(out, id, piece) != VOCAB_OK)
            return lr_fail(err, LR_EMODEL, "%s: vocab: '%.*s' stands twice", json_name(list.doc),
                           LR_STR_ARGS(shown));
    }
    return LR_OK;
}

/* The kind of a model; old files do not say it. */
static enum lr_status model_kind(struct json spec, struct lr_str *kind, struct lr_error *err) {
    *kind = LR_STR("BPE");
    if (json_present(json_get(spec, "type")) || !json_present(json_get(spec, "merges"))) {
        struct json type = json_get(spec, "type");
        if (!json_str(type, kind)) return json_fail(type, "type", "text in 'model'", err);
    }
    return LR_OK;
}

static enum lr_status load_model(struct json spec, const struct bpe_image *image, struct tokenizer *t,
                                 struct lr_error *err) {
    struct lr_str kind;
    if (json_kind(spec) != JSON_OBJECT) return json_fail(spec, "model", "an object", err);
    if (image) return bpe_borrow(spec, image, &t->bpe, err);
    LR_TRY(model_kind(spec, &kind, err));
    if (lr_str_is(kind, "BPE")) return bpe_parse(spec, &t->bpe, err);
    if (lr_str_is(kind, "Unigram")) {
        LR_TRY(load_unigram_pieces(json_get(spec, "vocab"), &t->pieces, err));
        return unigram_parse(spec, &t->unigram, err);
    }
    kind = lr_str_cut(kind, 60);
    return lr_fail(err, LR_EMODEL, "%s: the tokenizer model '%.*s' is not supported (BPE and Unigram are)",
                   json_name(spec.doc), LR_STR_ARGS(kind));
}

/* ---- tokenizer.json */

static enum lr_status load_steps(struct json root, struct tokenizer *t, struct lr_error *err) {
    LR_TRY(normalizer_parse(json_get(root, "normalizer"), &t->normalizer, err));
    LR_TRY(pretokenizer_parse(json_get(root, "pre_tokenizer"), &t->pretokenizer, err));
    LR_TRY(post_parse(json_get(root, "post_processor"), &t->post, err));
    return decoder_parse(json_get(root, "decoder"), &t->decoder, err);
}

static enum lr_status load_root(struct json root, const struct bpe_image *image, struct tokenizer *t,
                                struct lr_error *err) {
    struct lr_str version = LR_STR("1.0");
    if (json_kind(root) != JSON_OBJECT)
        return lr_fail(err, LR_EMODEL, "%s: a tokenizer is an object", json_name(root.doc));
    LR_TRY(json_read_str(root, "version", &version, err));
    version = lr_str_cut(version, 60);
    if (!lr_str_is(version, "1.0"))
        return lr_fail(err, LR_EMODEL, "%s: the tokenizer's version is '%.*s', 1.0 is supported",
                       json_name(root.doc), LR_STR_ARGS(version));
    LR_TRY(load_model(json_get(root, "model"), image, t, err));
    LR_TRY(load_steps(root, t, err));
    LR_TRY(added_parse(json_get(root, "added_tokens"), tokenizer_vocab(t), &t->added, err));
    return added_finish(&t->added, t->normalizer, err);
}

static enum lr_status new_tokenizer(struct tokenizer **out, struct lr_error *err) {
    *out = lr_calloc(1, sizeof **out);
    return *out ? LR_OK : lr_fail_memory(err, "the tokenizer", sizeof **out);
}

/* Gives `t` out, or closes it after a failure. */
static enum lr_status hand_over(enum lr_status status, struct tokenizer *t, struct tokenizer **out) {
    *out = status == LR_OK ? t : NULL;
    if (status != LR_OK) tokenizer_close(t);
    return status;
}

/* What the document says beside the tables of a BPE model. */
static enum lr_status copy_rest(struct json root, struct lr_buf *rest, struct lr_error *err) {
    struct json model = json_get(root, "model");
    const struct json tables[] = {json_get(model, "vocab"), json_get(model, "merges")};
    return json_copy(rest, root, tables, 2) ? lr_fail_memory(err, json_name(root.doc), rest->len) : LR_OK;
}

enum lr_status tokenizer_load(struct json_doc *doc, const struct bpe_image *image, struct lr_buf *rest,
                              struct tokenizer **out, struct lr_error *err) {
    struct tokenizer *t;
    enum lr_status status = new_tokenizer(&t, err);
    if (status == LR_OK) status = load_root(json_root(doc), image, t, err);
    if (status == LR_OK && rest && t->bpe) status = copy_rest(json_root(doc), rest, err);
    json_close(doc);
    return hand_over(status, t, out);
}

enum lr_status tokenizer_parse(const char *json, size_t len, const char *name, struct tokenizer **out,
                               struct lr_error *err) {
    struct json_doc *doc;
    *out = NULL;
    LR_TRY(json_parse(json, len, name, &doc, err));
    return tokenizer_load(doc, NULL, NULL, out, err);
}

/* The text is gone before the tables are made. */
enum lr_status tokenizer_open_rest(const char *path, struct tokenizer_id *id, struct lr_buf *rest,
                                   struct tokenizer **out, struct lr_error *err) {
    struct json_doc *doc;
    char *text;
    size_t len;
    *out = NULL;
    LR_TRY(file_read_all(path, LARGEST_FILE, &text, &len, err));
    *id = tokenizer_identify((struct lr_str){text, len});
    enum lr_status status = json_parse(text, len, path, &doc, err);
    lr_free(text);
    return status == LR_OK ? tokenizer_load(doc, NULL, rest, out, err) : status;
}

/* ---- vocab.json and merges.txt: byte-level BPE, of GPT-2's kind or Qwen2's */

static const char gpt2_steps[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
    "\"decoder\":{\"type\":\"ByteLevel\"}}";
static const char gpt2_blank_steps[] =
    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true},"
    "\"decoder\":{\"type\":\"ByteLevel\"}}";
static const char qwen2_steps[] =
    "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
    "\"type\":\"Split\","
    "\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|"
    " ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
    "\"behavior\":\"Isolated\",\"invert\":false},"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},\"decoder\":{\"type\":"
    "\"ByteLevel\"}}";

static enum lr_status choose_steps(struct json config, const char **out, struct lr_error *err) {
    struct lr_str class = LR_STR("GPT2Tokenizer");
    bool blank = false;
    LR_TRY(json_read_str(config, "tokenizer_class", &class, err));
    LR_TRY(json_read_bool(config, "add_prefix_space", &blank, err));
    *out = blank ? gpt2_blank_steps : gpt2_steps;
    if (lr_str_is(class, "GPT2Tokenizer") || lr_str_is(class, "GPT2TokenizerFast")) return LR_OK;
    *out = qwen2_steps;
    if (lr_str_is(class, "Qwen2Tokenizer") || lr_str_is(class, "Qwen2TokenizerFast")) return LR_OK;
    class = lr_str_cut(class, 60);
    return lr_fail(
        err, LR_EMODEL,
        "%s: the tokenizer class '%.*s' needs a tokenizer.json: vocab.json and merges.txt alone serve "
        "GPT2Tokenizer and Qwen2Tokenizer",
        json_name(config.doc), LR_STR_ARGS(class));
}

static enum lr_status load_added_config(struct json config, struct tokenizer *t, struct lr_error *err) {
    struct json list = json_get(config, "added_tokens_decoder");
    struct lr_str end = LR_STR("<|endoftext|>");
    if (json_present(list)) {
        LR_TRY(added_parse(list, tokenizer_vocab(t), &t->added, err));
    } else {
        LR_TRY(added_init(&t->added, 1, end.len, "vocab.json", err));
        if (vocab_find(tokenizer_vocab(t), end) != VOCAB_NONE)
            added_put(&t->added, tokenizer_vocab(t), end, (struct added_token){.special = true});
    }
    return added_finish(&t->added, t->normalizer, err);
}

static enum lr_status load_config(struct json config, struct tokenizer *t, struct lr_error *err) {
    const char *steps;
    struct json_doc *doc;
    LR_TRY(choose_steps(config, &steps, err));
    LR_TRY(json_parse(steps, strlen(steps), "the steps of byte-level BPE", &doc, err));
    enum lr_status status = load_steps(json_root(doc), t, err);
    json_close(doc);
    return status == LR_OK ? load_added_config(config, t, err) : status;
}

static enum lr_status load_vocab_merges(const struct tokenizer_files *files, struct bpe **out,
                                        struct lr_error *err) {
    struct json_doc *doc;
    char *merges = NULL;
    size_t len = 0;
    LR_TRY(json_open(files->vocab, LARGEST_FILE, &doc, err));
    enum lr_status status = file_read_all(files->merges, LARGEST_FILE, &merges, &len, err);
    if (status == LR_OK)
        status = bpe_parse_files(json_root(doc), (struct lr_str){merges, len}, files->merges, out, err);
    if (merges) lr_free(merges);
    json_close(doc);
    return status;
}

static enum lr_status open_pair(const struct tokenizer_files *files, struct tokenizer *t,
                                struct lr_error *err) {
    struct json_doc *config = NULL;
    LR_TRY(load_vocab_merges(files, &t->bpe, err));
    if (files->config) LR_TRY(json_open(files->config, LARGEST_FILE, &config, err));
    enum lr_status status = load_config(json_root(config), t, err);
    json_close(config);
    return status;
}

enum lr_status tokenizer_open(const struct tokenizer_files *files, struct tokenizer **out,
                              struct lr_error *err) {
    struct json_doc *doc;
    struct tokenizer *t;
    *out = NULL;
    if (files->json) {
        LR_TRY(json_open(files->json, LARGEST_FILE, &doc, err));
        return tokenizer_load(doc, NULL, NULL, out, err);
    }
    if (!files->vocab || !files->merges)
        return lr_fail(err, LR_EMODEL,
                       "no tokenizer: tokenizer.json, or vocab.json with merges.txt, is needed");
    LR_TRY(new_tokenizer(&t, err));
    return hand_over(open_pair(files, t, err), t, out);
}
