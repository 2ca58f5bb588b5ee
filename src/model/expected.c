#include "model/expected.h"

#include <stdio.h>

#define NAME_BYTES 96u

static void add(const struct model_spec *s, struct catalog *c, enum lr_dtype dtype, const char *prefix,
                enum tensor_role role) {
    char name[NAME_BYTES];
    uint32_t rank;
    uint64_t rows, cols;
    int n = snprintf(name, sizeof name, "%s%s", prefix, spec_role_name(role));
    spec_role_shape(s, role, &rank, &rows, &cols);
    catalog_add(c, (struct lr_str){name, (size_t)n}, dtype, rows, rank == 2 ? cols : 0);
}

static bool is_matrix(const struct model_spec *s, int role) {
    uint32_t rank;
    uint64_t rows, cols;
    spec_role_shape(s, (enum tensor_role)role, &rank, &rows, &cols);
    return rank == 2;
}

enum lr_status expected_catalog(const struct model_spec *s, enum lr_dtype dtype, bool fp8,
                                struct catalog *out, struct lr_error *err) {
    size_t most = 3 + (size_t)s->layers * ROLE_COUNT;
    LR_TRY(catalog_make(most, most * NAME_BYTES, out, err));
    add(s, out, dtype, "model.", ROLE_EMBED);
    add(s, out, dtype, "model.", ROLE_FINAL_NORM);
    if (!s->tied_head) add(s, out, dtype, "", ROLE_HEAD);
    for (uint32_t i = 0; i < s->layers; i++) {
        char prefix[NAME_BYTES / 2];
        snprintf(prefix, sizeof prefix, "model.layers.%u.", i);
        for (int role = ROLE_FIRST_IN_LAYER; role < ROLE_COUNT; role++)
            if (s->uses[role])
                add(s, out, fp8 && is_matrix(s, role) ? LR_F8_E4M3 : dtype, prefix, (enum tensor_role)role);
    }
    catalog_sort(out);
    return LR_OK;
}
