#include "base/dtype.h"

static const struct {
    const char *name, *label;
    unsigned bits;
} rows[LR_DTYPE_COUNT] = {
    [LR_F32] = {"F32", "f32", 32},
    [LR_F16] = {"F16", "f16", 16},
    [LR_BF16] = {"BF16", "bf16", 16},
    [LR_F64] = {"F64", "f64", 64},
    [LR_C64] = {"C64", "c64", 64},
    [LR_F8_E4M3] = {"F8_E4M3", "f8_e4m3", 8},
    [LR_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", "f8_e4m3fnuz", 8},
    [LR_F8_E5M2] = {"F8_E5M2", "f8_e5m2", 8},
    [LR_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", "f8_e5m2fnuz", 8},
    [LR_F8_E8M0] = {"F8_E8M0", "f8_e8m0", 8},
    [LR_F6_E2M3] = {"F6_E2M3", "f6_e2m3", 6},
    [LR_F6_E3M2] = {"F6_E3M2", "f6_e3m2", 6},
    [LR_F4] = {"F4", "f4", 4},
    [LR_I64] = {"I64", "i64", 64},
    [LR_I32] = {"I32", "i32", 32},
    [LR_I16] = {"I16", "i16", 16},
    [LR_I8] = {"I8", "i8", 8},
    [LR_U64] = {"U64", "u64", 64},
    [LR_U32] = {"U32", "u32", 32},
    [LR_U16] = {"U16", "u16", 16},
    [LR_U8] = {"U8", "u8", 8},
    [LR_BOOL] = {"BOOL", "bool", 8},
    [LR_OTHER] = {"?", "?", 0},
    [LR_Q8] = {"Q8", "q8", 0},
    [LR_Q4] = {"Q4", "q4", 0},
};

const char *lr_dtype_name(enum lr_dtype dtype) {
    return rows[dtype].name;
}

size_t lr_dtype_size(enum lr_dtype dtype) {
    return rows[dtype].bits / 8;
}

unsigned lr_dtype_bits(enum lr_dtype dtype) {
    return rows[dtype].bits;
}

const char *lr_dtype_label(enum lr_dtype dtype) {
    return rows[dtype].label;
}

bool lr_dtype_parse(struct lr_str name, enum lr_dtype *out) {
    for (int i = 0; i < LR_OTHER; i++) {
        if (!lr_str_is(name, rows[i].name)) continue;
        *out = (enum lr_dtype)i;
        return true;
    }
    return false;
}
