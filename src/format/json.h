/* json.h - JSON as hostile input, read-only. The one user of cJSON, whose traps are closed here: look-up is
 * case-sensitive and indexed, the whole input must be one value, integers are exact to 64 bits, NaN and
 * Infinity stand as numbers that only fail when they are used, depth and size are bounded. Refused: NUL and
 * raw control characters in strings, bytes that are not UTF-8, halves of surrogate pairs, duplicate keys of
 * one object. A byte order mark is skipped.
 *
 * A value is a small handle; an absent one has kind JSON_ABSENT, and every accessor takes it. Views point
 * into the document and live until json_close. A document may be read by several threads. */
#ifndef LR_FORMAT_JSON_H
#define LR_FORMAT_JSON_H

#include "base/error.h"
#include "base/str.h"

struct json_doc;

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    const struct json_doc *doc;
    const void *node;
};

#define JSON_MAX_DEPTH 64

/* Parses `len` bytes of UTF-8 text; `name` (a file name) stands in messages, which give line and column. The
 * text may be freed afterwards. LR_EMODEL for damaged text. */
enum lr_status json_parse(const char *text, size_t len, const char *name, struct json_doc **out,
                          struct lr_error *err);
/* Reads and parses a file of at most `max` bytes. */
enum lr_status json_open(const char *path, uint64_t max, struct json_doc **out, struct lr_error *err);
void json_close(struct json_doc *doc);
struct json json_root(const struct json_doc *doc);
/* The name given to json_parse, for messages. */
const char *json_name(const struct json_doc *doc);

enum json_kind json_kind(struct json v);
static inline bool json_present(struct json v) {
    return json_kind(v) > JSON_NULL;
}
/* The member `key` of an object; absent for other kinds. Constant time for large objects. */
struct json json_get(struct json object, const char *key);
struct json json_get_str(struct json object, struct lr_str key);
/* Members or elements; 0 for other kinds. Constant time. */
size_t json_count(struct json v);
/* Element `i` of an array; constant time. */
struct json json_at(struct json array, size_t i);

/* Walks members or elements in file order: for (struct json v = json_first(a); json_kind(v); v =
 * json_next(v)). */
struct json json_first(struct json container);
struct json json_next(struct json v);
/* The key under which a member stands; empty for elements and the root. */
struct lr_str json_key(struct json v);

/* Plain reads: false when the value is not of that kind (or not finite, or not exact). */
bool json_str(struct json v, struct lr_str *out);
bool json_double(struct json v, double *out);
/* An integer also when it is written as 32.0 or 3.2e1. Exact, or false. */
bool json_i64(struct json v, int64_t *out);
bool json_u64(struct json v, uint64_t *out);
bool json_bool(struct json v, bool *out);

/* Appends the text of a value, but for members or elements that are among `without` [n]: read again it gives
 * the same. 0, or -1 when memory is refused. */
int json_copy(struct lr_buf *out, struct json v, const struct json *without, size_t n);

/* The failure that `v`, found under `key`, is not `needed` ("a list of numbers"): names file, key and value.
 */
enum lr_status json_fail(struct json v, const char *key, const char *needed, struct lr_error *err);

/* Reads of one member with a message. An absent or null key leaves *out as it is (the default stands) and
 * succeeds; a key of the wrong kind, NaN, or out of [min, max] is LR_EMODEL and names file and key. */
enum lr_status json_read_u32(struct json object, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                             struct lr_error *err);
enum lr_status json_read_double(struct json object, const char *key, double min, double max, double *out,
                                struct lr_error *err);
enum lr_status json_read_bool(struct json object, const char *key, bool *out, struct lr_error *err);
enum lr_status json_read_str(struct json object, const char *key, struct lr_str *out, struct lr_error *err);

#endif
