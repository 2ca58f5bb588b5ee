/* json_write.h - JSON values written to a buffer. (Reading is format/json's; nothing here parses.)
 *
 * Each returns 0, or -1 when memory is refused, so that a caller may OR them together. */
#ifndef LR_BASE_JSON_WRITE_H
#define LR_BASE_JSON_WRITE_H

#include "base/str.h"

/* A string with its quotes. Invalid UTF-8 becomes U+FFFD, one for each maximal invalid part. */
int json_write_string(struct lr_buf *out, struct lr_str text);
/* A number with `digits` significant digits; null when it is not finite. */
int json_write_number(struct lr_buf *out, double x, int digits);
/* [1,2,3] */
int json_write_ids(struct lr_buf *out, const uint32_t *ids, size_t n);

#endif
