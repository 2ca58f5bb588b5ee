#include "support/safetensors.h"

#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"

void support_write_raw_safetensors(const char *folder, const char *name, uint64_t length, const char *header,
                                   const void *data, size_t data_len) {
    struct lr_buf file = {0};
    for (int i = 0; i < 8; i++) assert_int_equal(lr_buf_append_char(&file, (char)(length >> (8 * i))), 0);
    assert_int_equal(lr_buf_append_str(&file, lr_str_of(header)), 0);
    assert_int_equal(lr_buf_append(&file, data, data_len), 0);
    support_write_file(folder, name, file.data, file.len);
    lr_buf_free(&file);
}

void support_write_safetensors(const char *folder, const char *name, const struct support_tensor *tensors,
                               size_t n, unsigned mod8) {
    struct lr_buf header = {0}, data = {0};
    lr_buf_append_char(&header, '{');
    for (size_t i = 0; i < n; i++) {
        const struct support_tensor *t = &tensors[i];
        lr_buf_printf(&header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", t->name, t->dtype);
        for (uint32_t k = 0; k < t->rank; k++)
            lr_buf_printf(&header, "%s%llu", k ? "," : "", (unsigned long long)t->shape[k]);
        lr_buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", data.len, data.len + t->bytes);
        if (t->data)
            lr_buf_append(&data, t->data, t->bytes);
        else
            for (size_t k = 0; k < t->bytes; k++) lr_buf_append_char(&data, 0);
    }
    lr_buf_append_char(&header, '}');
    while (header.len % 8 != mod8) lr_buf_append_char(&header, ' ');
    support_write_raw_safetensors(folder, name, header.len, header.data, data.data, data.len);
    lr_buf_free(&header);
    lr_buf_free(&data);
}
