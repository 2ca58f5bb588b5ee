#include "base/dtype.h"

static const struct {
    const char *name, *label;
    size_t size;
} rows[LR_DTYPE_COUNT] = {
    [LR_F32] = {"F32", "f32", 4},
    [LR_F16] = {"F16", "f16", 2},
    [LR_BF16] = {"BF16", "bf16", 2},
    [LR_F64] = {"F64", "f64", 8},
    [LR_F8_E4M3] = {"F8_E4M3", "f8_e4m3", 1},
    [LR_F8_E5M2] = {"F8_E5M2", "f8_e5m2", 1},
    [LR_I64] = {"I64", "i64", 8},
    [LR_I32] = {"I32", "i32", 4},
    [LR_I16] = {"I16", "i16", 2},
    [LR_I8] = {"I8", "i8", 1},
    [LR_U64] = {"U64", "u64", 8},
    [LR_U32] = {"U32", "u32", 4},
    [LR_U16] = {"U16", "u16", 2},
    [LR_U8] = {"U8", "u8", 1},
    [LR_BOOL] = {"BOOL", "bool", 1},
};

const char *lr_dtype_name(enum lr_dtype dtype) {
    return rows[dtype].name;
}

size_t lr_dtype_size(enum lr_dtype dtype) {
    return rows[dtype].size;
}

const char *lr_dtype_label(enum lr_dtype dtype) {
    return rows[dtype].label;
}

bool lr_dtype_parse(struct lr_str name, enum lr_dtype *out) {
    for (int i = 0; i < LR_DTYPE_COUNT; i++) {
        if (!lr_str_is(name, rows[i].name)) continue;
        *out = (enum lr_dtype)i;
        return true;
    }
    return false;
}
