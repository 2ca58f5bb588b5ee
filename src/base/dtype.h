/* dtype.h - the element types that a safetensors file can hold, one row each. Used by the header check (shape
 * x dtype = bytes), the catalog and the kernels' tensor views. */
#ifndef LR_BASE_DTYPE_H
#define LR_BASE_DTYPE_H

#include "base/str.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "llm-run uses weights where they lie in the file, which is little-endian: so must the machine be"
#endif

enum lr_dtype {
    LR_F32,
    LR_F16,
    LR_BF16,
    LR_F64,
    LR_C64,
    LR_F8_E4M3,
    LR_F8_E4M3FNUZ,
    LR_F8_E5M2,
    LR_F8_E5M2FNUZ,
    LR_F8_E8M0,
    LR_F6_E2M3,
    LR_F6_E3M2,
    LR_F4,
    LR_I64,
    LR_I32,
    LR_I16,
    LR_I8,
    LR_U64,
    LR_U32,
    LR_U16,
    LR_U8,
    LR_BOOL,
    LR_OTHER, /* a name that is none of these: a tensor that can be passed over, but not used */
    LR_Q8,    /* no file's dtypes, but ours: kernel/quant.h */
    LR_Q4,
    LR_DTYPE_COUNT
};

/* The name as safetensors writes it ("BF16"). */
const char *lr_dtype_name(enum lr_dtype dtype);
/* Bits of one element; 0 for LR_OTHER, LR_Q8 and LR_Q4. */
unsigned lr_dtype_bits(enum lr_dtype dtype);
/* Bytes of one element of a dtype of whole bytes. */
size_t lr_dtype_size(enum lr_dtype dtype);
/* The fp8 kinds that are run: e4m3 (no infinities, one NaN of each sign) and e5m2 (as IEEE has them). */
static inline bool lr_dtype_is_fp8(enum lr_dtype dtype) {
    return dtype == LR_F8_E4M3 || dtype == LR_F8_E5M2;
}
/* The dtype of a safetensors name; false when it is not known. */
bool lr_dtype_parse(struct lr_str name, enum lr_dtype *out);
/* The name as in the project's own lines: "bf16", "f32". */
const char *lr_dtype_label(enum lr_dtype dtype);

#endif
