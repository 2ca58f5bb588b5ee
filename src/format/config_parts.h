/* config_parts.h - what the files of config.h share; used by them alone. */
#ifndef LR_FORMAT_CONFIG_PARTS_H
#define LR_FORMAT_CONFIG_PARTS_H

#include "format/config.h"

#define CONFIG_MAX_BYTES (UINT64_C(16) << 20)

/* Token ids under `key`: a number or a list of them. An absent key changes nothing; null is none; negative
 * numbers, which some files write for "none", are left out. */
enum lr_status config_read_ids(struct json object, const char *key, uint32_t *ids, uint32_t max, uint32_t *n,
                               struct lr_error *err);

/* Refuses by its method what a `quantization_config` of `object` says, if that is not fp8. */
enum lr_status config_check_quantised(struct json object, struct lr_error *err);
/* What one that was not refused says of scales. */
void config_read_fp8(const struct config_file *f, struct fp8_config *out);

/* rope_scaling, rope_parameters and rope_theta of `text`. */
enum lr_status config_read_rope(struct json text, uint32_t max_position, struct rope_config *r,
                                struct lr_error *err);

#endif
