#include "run/stop.h"

/* Where `stop` stands in `text`, or where its beginning stands at the end of `text`; text.len when neither.
 */
static size_t first_claim(struct lr_str text, struct lr_str stop, bool *whole) {
    for (size_t at = 0; at < text.len; at++) {
        size_t left = text.len - at, n = left < stop.len ? left : stop.len;
        if (memcmp(text.data + at, stop.data, n)) continue;
        *whole = n == stop.len;
        return at;
    }
    *whole = false;
    return text.len;
}

bool stop_find(const struct stop_strings *stops, struct lr_str text, size_t *safe) {
    size_t found = text.len;
    bool any = false;
    *safe = text.len;
    for (size_t i = 0; i < stops->count; i++) {
        struct lr_str stop = lr_str_of(stops->strings[i]);
        bool whole;
        if (!stop.len) continue;
        size_t at = first_claim(text, stop, &whole);
        if (whole && at <= found) {
            found = at;
            any = true;
        }
        if (at < *safe) *safe = at;
    }
    if (any) *safe = found;
    return any;
}
