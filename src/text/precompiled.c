#include "text/precompiled.h"

#include "base/mem.h"
#include "text/unicode.h"

#include <utf8proc.h>

#define MAX_GRAPHEME 6 /* bytes: longer graphemes are only mapped character by character */

struct precompiled {
    struct lr_buf blob;  /* all bytes */
    size_t units;        /* of the trie: u32 little-endian, from byte 4 */
    struct lr_str texts; /* replacements, each ended by NUL */
};

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* 0; 1: not base64; -1: memory. */
static int decode_base64(struct lr_str in, struct lr_buf *out) {
    uint32_t bits = 0;
    int have = 0;
    while (in.len && in.data[in.len - 1] == '=') in.len--;
    for (size_t i = 0; i < in.len; i++) {
        int v = base64_value(in.data[i]);
        if (v < 0) return 1;
        bits = (bits << 6) | (uint32_t)v;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        if (lr_buf_append_char(out, (char)(bits >> have))) return -1;
    }
    return 0;
}

static uint32_t read_u32(const struct precompiled *p, size_t at) {
    const unsigned char *b = (const unsigned char *)p->blob.data + at;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

enum lr_status precompiled_parse(struct lr_str base64, const char *file, struct precompiled **out,
                                 struct lr_error *err) {
    *out = NULL;
    struct precompiled *p = lr_calloc(1, sizeof *p);
    int rc = p ? decode_base64(base64, &p->blob) : -1;
    size_t trie = rc == 0 && p->blob.len >= 4 ? read_u32(p, 0) : 0;
    if (rc == 0 && trie % 4 == 0 && trie && trie <= p->blob.len - 4) {
        p->units = trie / 4;
        p->texts = lr_str_from(lr_buf_str(&p->blob), 4 + trie);
        *out = p;
        return LR_OK;
    }
    precompiled_free(p);
    if (rc < 0) return lr_fail_memory(err, "a character map", base64.len);
    return lr_fail(err, LR_EMODEL, "%s: normalizer: precompiled_charsmap of %zu characters is damaged", file,
                   base64.len);
}

void precompiled_free(struct precompiled *p) {
    if (p) lr_buf_free(&p->blob);
    lr_free(p);
}

/* Unit `i` of the trie; outside it a unit whose label no byte has. */
static uint32_t unit_at(const struct precompiled *p, size_t i) {
    return i < p->units ? read_u32(p, 4 + i * 4) : UINT32_C(1) << 31;
}

static size_t unit_offset(uint32_t u) {
    return (size_t)(u >> 10) << ((u & (1u << 9)) >> 6);
}

/* The replacement of the shortest key that `key` begins with. */
static bool find(const struct precompiled *p, struct lr_str key, struct lr_str *as) {
    size_t node = unit_offset(unit_at(p, 0));
    for (size_t i = 0; i < key.len && key.data[i]; i++) {
        unsigned char c = (unsigned char)key.data[i];
        node ^= c;
        uint32_t u = unit_at(p, node);
        if ((u & ((UINT32_C(1) << 31) | 0xFF)) != c) return false;
        node ^= unit_offset(u);
        if (!((u >> 8) & 1)) continue;
        struct lr_str from = lr_str_from(p->texts, unit_at(p, node) & ((UINT32_C(1) << 31) - 1));
        const char *end = from.len ? memchr(from.data, 0, from.len) : NULL;
        *as = (struct lr_str){from.data, end ? (size_t)(end - from.data) : from.len};
        return true;
    }
    return false;
}

static int map_characters(const struct precompiled *p, struct lr_str grapheme, struct lr_buf *out) {
    for (size_t at = 0; at < grapheme.len;) {
        size_t begin = at;
        unicode_next(grapheme, &at);
        struct lr_str c = {grapheme.data + begin, at - begin}, as;
        if (lr_buf_append_str(out, find(p, c, &as) ? as : c)) return -1;
    }
    return 0;
}

static int map_grapheme(const struct precompiled *p, struct lr_str grapheme, struct lr_buf *out) {
    struct lr_str as;
    if (grapheme.len < MAX_GRAPHEME && find(p, grapheme, &as)) return lr_buf_append_str(out, as);
    return map_characters(p, grapheme, out);
}

int precompiled_apply(const struct precompiled *p, struct lr_str text, struct lr_buf *out) {
    size_t begin = 0, at = 0;
    utf8proc_int32_t before = 0, state = 0;
    while (at < text.len) {
        size_t next = at;
        utf8proc_int32_t c = (utf8proc_int32_t)unicode_next(text, &next);
        if (at > begin && utf8proc_grapheme_break_stateful(before, c, &state)) {
            if (map_grapheme(p, (struct lr_str){text.data + begin, at - begin}, out)) return -1;
            begin = at;
        }
        before = c;
        at = next;
    }
    return begin < text.len ? map_grapheme(p, lr_str_from(text, begin), out) : 0;
}
