/* json_scan.h - the strict pass over JSON text before cJSON sees it; used by json.c alone.
 *
 * cJSON accepts more than JSON (control characters, bytes that are not UTF-8, text after the value), cuts
 * strings at NUL, keeps numbers as doubles and recurses. So this pass checks the whole grammar (RFC 8259,
 * plus the NaN, Infinity and -Infinity that Python writes) without recursion, and hands over a text that
 * cJSON cannot misread. What cJSON could not hold (integers of 16 and more characters, numbers of more than
 * 60, the three non-numbers) is rewritten into strings that begin with byte 0xFF, which no valid string does.
 */
#ifndef LR_FORMAT_JSON_SCAN_H
#define LR_FORMAT_JSON_SCAN_H

#include "base/error.h"
#include "base/str.h"

#define JSON_MARK         '\xff'
#define JSON_SMALL        16u /* containers of at most so many children have no index */
#define JSON_MAX_TREE     (UINT64_C(1) << 30)
#define JSON_NODE_BYTES   64u
#define JSON_STRING_ROUND 8u

struct json_scan {
    struct lr_str text;    /* what cJSON is to read: part of the input, or `marked` */
    struct lr_buf marked;  /* the input with its marks, if there were any */
    uint64_t nodes;        /* values */
    uint64_t string_bytes; /* upper bound of what their strings, keys and number texts take */
    uint64_t index_bytes;  /* of the indexes of large containers */
};

/* Slots of the hash table of an object with `n` members: a power of two, at most half full. */
static inline uint64_t json_slots(uint64_t n) {
    uint64_t slots = 4 * (uint64_t)JSON_SMALL;
    while (slots < 2 * n) slots *= 2;
    return slots;
}
/* Bytes of the index of a container with `n` children: a pointer for each, and an object's hash table. */
static inline uint64_t json_index_bytes(uint64_t n, bool object) {
    if (n <= JSON_SMALL) return 0;
    return n * sizeof(void *) + (object ? json_slots(n) * sizeof(uint64_t) : 0);
}

/* Checks `text`. LR_EMODEL names line and column. On success `out->marked` is the caller's to free. */
enum lr_status json_scan(struct lr_str text, const char *name, struct json_scan *out, struct lr_error *err);

#endif
