#include "text/compiled.h"

#include "base/json_write.h"
#include "format/safetensors.h"
#include "sys/file.h"

#include <xxhash.h>

#define ALIGN 64u

static const char *const part_names[COMPILED_PARTS] = {"facts", "slots", "merges", "entries", "text", "rest"};

uint64_t compiled_hash(const struct compiled_facts *facts, const struct lr_str *parts) {
    struct compiled_facts f = *facts;
    f.hash = 0;
    uint64_t h = XXH3_64bits(&f, sizeof f);
    for (int i = COMPILED_SLOTS; i < COMPILED_PARTS; i++)
        h = XXH3_64bits_withSeed(parts[i].data, parts[i].len, h);
    return h;
}

/* ---- writing */

static int append_header(struct lr_buf *b, const struct lr_str *parts, const char *origin) {
    uint64_t at = 0;
    int bad = lr_buf_append(b, "\0\0\0\0\0\0\0\0", 8);
    bad |= lr_buf_printf(
        b, "{\"__metadata__\":{\"format\":\"llm-run tokenizer %d\",\"origin\":", COMPILED_VERSION);
    bad |= json_write_string(b, lr_str_of(origin)) | lr_buf_append_char(b, '}');
    for (int i = 0; i < COMPILED_PARTS; i++) {
        unsigned long long end = at + parts[i].len;
        bad |= lr_buf_printf(b, ",\"%s\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[%llu,%llu]}",
                             part_names[i], parts[i].len, (unsigned long long)at, end);
        at = end;
    }
    bad |= lr_buf_append_char(b, '}');
    while (!bad && b->len % ALIGN) bad = lr_buf_append_char(b, ' ');
    for (unsigned i = 0; i < 8 && !bad; i++) b->data[i] = (char)((b->len - 8) >> (8 * i));
    return bad;
}

enum lr_status tokenizer_compile(const struct tokenizer *t, struct lr_str rest, struct tokenizer_id source,
                                 const char *origin, tokenizer_write_fn *write, void *ctx,
                                 struct lr_error *err) {
    struct bpe_image image = bpe_image(t->bpe);
    const struct vocab *v = &image.vocab;
    struct compiled_facts facts = {
        .version = COMPILED_VERSION, .vocab_seed = v->seed, .merge_seed = image.merge_seed, .source = source};
    const struct lr_str parts[COMPILED_PARTS] = {
        [COMPILED_FACTS] = {(const char *)&facts, sizeof facts},
        [COMPILED_SLOTS] = {(const char *)v->slots, (v->mask + 1) * sizeof *v->slots},
        [COMPILED_MERGES] = {(const char *)image.merges, (image.merge_mask + 1) * BPE_MERGE_BYTES},
        [COMPILED_ENTRIES] = {(const char *)v->entries, v->size * sizeof *v->entries},
        [COMPILED_TEXT] = {v->text, v->text_size},
        [COMPILED_REST] = rest,
    };
    facts.hash = compiled_hash(&facts, parts);
    struct lr_buf header = {0};
    enum lr_status status = LR_OK;
    if (append_header(&header, parts, origin))
        status = lr_fail_memory(err, "a compiled tokenizer's header", header.len);
    if (status == LR_OK) status = write(ctx, lr_buf_str(&header), err);
    for (int i = 0; i < COMPILED_PARTS && status == LR_OK; i++) status = write(ctx, parts[i], err);
    lr_buf_free(&header);
    return status;
}

/* ---- reading */

static enum lr_status fail(const char *name, const char *what, struct lr_error *err) {
    return lr_fail(err, LR_EMODEL, "%s: %s", name, what);
}

/* Each lies within the file, as the header was checked. */
static enum lr_status find_parts(const char *data, const struct st_header *h, const char *name,
                                 struct lr_str *parts, struct lr_error *err) {
    if (h->count != COMPILED_PARTS) return fail(name, "it has other parts than a compiled tokenizer", err);
    for (size_t i = 0; i < COMPILED_PARTS; i++) {
        const struct st_tensor *t = &h->tensors[i];
        parts[i] = (struct lr_str){data + t->offset, (size_t)t->bytes};
        if (!lr_str_is(t->name, part_names[i]) || t->bytes == 0)
            return fail(name, "it has other parts than a compiled tokenizer", err);
        if (i < COMPILED_TEXT && (uintptr_t)parts[i].data % sizeof(uint64_t))
            return fail(name, "its tables are not aligned", err);
    }
    return LR_OK;
}

enum lr_status compiled_find(struct lr_str file, const char *path, struct lr_str *parts,
                             struct lr_error *err) {
    struct st_header h;
    LR_TRY(st_header_parse((const uint8_t *)file.data, file.len, file.len, path, &h, err));
    enum lr_status status = find_parts(file.data, &h, path, parts, err);
    st_header_close(&h);
    return status;
}

static enum lr_status check_facts(const struct lr_str *parts, const struct tokenizer_id *source,
                                  const char *name, struct compiled_facts *out, struct lr_error *err) {
    if (parts[COMPILED_FACTS].len != sizeof *out) return fail(name, "its facts are damaged", err);
    memcpy(out, parts[COMPILED_FACTS].data, sizeof *out);
    if (out->version != COMPILED_VERSION) return fail(name, "it is of another version", err);
    if (parts[COMPILED_SLOTS].len < sizeof(uint64_t) || parts[COMPILED_MERGES].len < BPE_MERGE_BYTES)
        return fail(name, "a table is empty", err);
    if (out->source.low != source->low || out->source.high != source->high)
        return fail(name, "it was made from another tokenizer", err);
    return out->hash == compiled_hash(out, parts) ? LR_OK : fail(name, "its hash is another: damaged", err);
}

static void *table(struct lr_str part) {
    void *p; /* read alone, as it is borrowed */
    memcpy(&p, &part.data, sizeof p);
    return p;
}

static struct bpe_image image_of(const struct lr_str *parts, const struct compiled_facts *f) {
    uint64_t size = parts[COMPILED_ENTRIES].len / sizeof(struct vocab_entry);
    return (struct bpe_image){
        .vocab = {.text = table(parts[COMPILED_TEXT]),
                  .entries = table(parts[COMPILED_ENTRIES]),
                  .slots = table(parts[COMPILED_SLOTS]),
                  .size = size <= VOCAB_MAX_ID + 1 ? (uint32_t)size : 0,
                  .mask = parts[COMPILED_SLOTS].len / sizeof(uint64_t) - 1,
                  .seed = f->vocab_seed,
                  .text_size = parts[COMPILED_TEXT].len,
                  .text_used = parts[COMPILED_TEXT].len},
        .merges = table(parts[COMPILED_MERGES]),
        .merge_mask = parts[COMPILED_MERGES].len / BPE_MERGE_BYTES - 1,
        .merge_seed = f->merge_seed,
    };
}

static enum lr_status open_parts(const struct lr_str *parts, const struct compiled_facts *facts,
                                 const char *name, struct tokenizer **out, struct lr_error *err) {
    struct json_doc *doc;
    struct bpe_image image = image_of(parts, facts);
    LR_TRY(json_parse(parts[COMPILED_REST].data, parts[COMPILED_REST].len, name, &doc, err));
    return tokenizer_load(doc, &image, NULL, out, err);
}

enum lr_status tokenizer_open_compiled(struct lr_str file, const char *path, struct tokenizer_id source,
                                       const char *name, struct tokenizer **out, struct lr_error *err) {
    struct lr_str parts[COMPILED_PARTS] = {0};
    struct compiled_facts facts;
    *out = NULL;
    LR_TRY(compiled_find(file, path, parts, err));
    LR_TRY(check_facts(parts, &source, path, &facts, err));
    return open_parts(parts, &facts, name, out, err);
}

/* ---- what it was made from */

static struct tokenizer_id id_of(XXH128_hash_t h) {
    return (struct tokenizer_id){h.low64, h.high64};
}

struct tokenizer_id tokenizer_identify(struct lr_str text) {
    return id_of(XXH3_128bits(text.data, text.len));
}

static void take_block(void *state, const char *data, size_t len) {
    XXH3_128bits_update(state, data, len);
}

enum lr_status tokenizer_identify_file(const char *path, struct tokenizer_id *out, struct lr_error *err) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) return lr_fail_memory(err, path, sizeof *out);
    XXH3_128bits_reset(state);
    enum lr_status status = file_pass(path, take_block, state, err);
    *out = id_of(XXH3_128bits_digest(state));
    XXH3_freeState(state);
    return status;
}
