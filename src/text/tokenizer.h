/* tokenizer.h - text to ids and back, exactly as the `tokenizers` package does with the same tokenizer.json.
 *
 * Read-only after opening and safe to share between threads. Invalid UTF-8 is read as U+FFFD, one for each
 * maximal invalid subpart. */
#ifndef LR_TEXT_TOKENIZER_H
#define LR_TEXT_TOKENIZER_H

#include "base/error.h"
#include "base/str.h"

struct tokenizer;

/* Which files to read: `json`, or `vocab` and `merges` where there is no tokenizer.json; `config`
 * (tokenizer_config.json) may be NULL. */
struct tokenizer_files {
    const char *json, *vocab, *merges, *config;
};
enum lr_status tokenizer_open(const struct tokenizer_files *files, struct tokenizer **out,
                              struct lr_error *err);
/* The same from a tokenizer.json in memory; `name` stands in messages. */
enum lr_status tokenizer_parse(const char *json, size_t len, const char *name, struct tokenizer **out,
                               struct lr_error *err);
void tokenizer_close(struct tokenizer *t);

/* A tokenizer.json of a BPE model compiled, so that it opens in a few milliseconds: its tables are used where
 * they lie. What it was made from is known by a hash of the whole text. */
struct tokenizer_id {
    uint64_t low, high;
};
struct tokenizer_id tokenizer_identify(struct lr_str text);
/* The same of a file, which is not held in memory. */
enum lr_status tokenizer_identify_file(const char *path, struct tokenizer_id *out, struct lr_error *err);
/* Opens a tokenizer.json. `id`: of the text that was parsed, whatever the file holds by then. Appends to
 * `rest` what tokenizer_compile() wants: nothing where the model is of a kind that is not compiled. */
enum lr_status tokenizer_open_rest(const char *path, struct tokenizer_id *id, struct lr_buf *rest,
                                   struct tokenizer **out, struct lr_error *err);
/* Gives the compiled form, a safetensors file, to `write` piece by piece, so that no copy of the tables is
 * needed; `origin` stands in its metadata. LR_EMEMORY, or what `write` fails with. */
typedef enum lr_status tokenizer_write_fn(void *ctx, struct lr_str piece, struct lr_error *err);
enum lr_status tokenizer_compile(const struct tokenizer *t, struct lr_str rest, struct tokenizer_id source,
                                 const char *origin, tokenizer_write_fn *write, void *ctx,
                                 struct lr_error *err);
/* Opens what stands in `file` (aligned to 8), which must stay as it is until the tokenizer is closed.
 * LR_EMODEL where that is not the compiled form of `source`, or damaged: `path` stands in that message,
 * `name` in those about the tokenizer. */
enum lr_status tokenizer_open_compiled(struct lr_str file, const char *path, struct tokenizer_id source,
                                       const char *name, struct tokenizer **out, struct lr_error *err);

/* Growing list of ids. Starts as {0}; freed with token_list_free. */
struct token_list {
    uint32_t *ids;
    size_t count, cap;
    const volatile int *interrupt; /* nonzero stops what is being encoded into it: LR_EINTERRUPTED; or NULL */
};
int token_list_push(struct token_list *l, uint32_t id);
void token_list_free(struct token_list *l);

/* Appends the ids of `text` to `out`; with `specials` what the post-processor adds too. */
enum lr_status tokenizer_encode(const struct tokenizer *t, struct lr_str text, bool specials,
                                struct token_list *out, struct lr_error *err);
/* Appends the text of ids to `out` as the package's decode() gives it. An id that does not exist
 * decodes to nothing, as there. */
enum lr_status tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool skip_special,
                                struct lr_buf *out, struct lr_error *err);

/* One more than the greatest id. */
uint32_t tokenizer_size(const struct tokenizer *t);
/* The piece as it stands in the vocabulary (not decoded); empty for ids that do not exist. */
struct lr_str tokenizer_piece(const struct tokenizer *t, uint32_t id);
/* The id of a piece or added token, or UINT32_MAX. */
uint32_t tokenizer_find(const struct tokenizer *t, struct lr_str piece);
/* Whether decoded text leaves the id out when specials are skipped. */
bool tokenizer_is_special(const struct tokenizer *t, uint32_t id);
/* Bytes of heap that it holds. */
size_t tokenizer_memory(const struct tokenizer *t);

/* Decoding token by token: what has been given out plus the rest equals tokenizer_decode of all (specials
 * skipped), and half a character is never given out. */
struct token_stream;
enum lr_status token_stream_open(const struct tokenizer *t, struct token_stream **out, struct lr_error *err);
/* Before the first push: the last of the ids that stand before. Their text is not given out, but what follows
 * is then no beginning of a text, where decoders drop a space. */
enum lr_status token_stream_continue(struct token_stream *s, const uint32_t *ids, size_t n,
                                     struct lr_error *err);
/* Appends the text that is now certain. */
enum lr_status token_stream_push(struct token_stream *s, uint32_t id, struct lr_buf *out,
                                 struct lr_error *err);
/* Appends what was held back (a cut character becomes U+FFFD) and starts anew. */
enum lr_status token_stream_end(struct token_stream *s, struct lr_buf *out, struct lr_error *err);
void token_stream_close(struct token_stream *s);

#endif
