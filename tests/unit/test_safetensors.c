#include "support/support.h"

#include "support/folder.h"
#include "support/safetensors.h"

#include "base/mem.h"
#include "format/safetensors.h"

#include <unistd.h>

static struct lr_error err;
static struct st_header h;

/* Parses a file of `header` and `data_len` bytes of data, in memory. */
static enum lr_status parse(const char *header, size_t data_len) {
    size_t len = strlen(header), total = 8 + len + data_len;
    uint8_t *file = calloc(1, total);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)(len >> (8 * i));
    memcpy(file + 8, header, len);
    enum lr_status status = st_header_parse(file, total, total, "m", &h, &err);
    free(file);
    return status;
}

static void accepted(const char *header, size_t data_len) {
    if (parse(header, data_len) != LR_OK) fail_msg("%s", err.message);
}

static void refused(const char *header, size_t data_len, const char *message) {
    assert_int_equal(parse(header, data_len), LR_EMODEL);
    assert_string_equal(err.message, message);
    assert_null(h.tensors);
}

#define T(dtype, shape, begin, end)                                                                          \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void sorts_by_offset(void **state) {
    (void)state;
    accepted("{\"b\":" T("F32", "[2,1]", 6,
                         14) ",\"__metadata__\":{\"format\":\"pt\"},\"a\":" T("BF16", "[3]", 0, 6) "}   ",
             14);
    assert_int_equal(h.count, 2);
    assert_true(lr_str_is(h.tensors[0].name, "a") && lr_str_is(h.tensors[1].name, "b"));
    assert_int_equal(h.tensors[0].dtype, LR_BF16);
    assert_int_equal(h.tensors[1].dtype, LR_F32);
    assert_int_equal(h.tensors[0].rank, 1);
    assert_int_equal(h.tensors[1].rank, 2);
    assert_int_equal(h.tensors[1].shape[0], 2);
    assert_int_equal(h.tensors[1].shape[1], 1);
    assert_int_equal(h.tensors[0].bytes, 6);
    assert_int_equal(h.tensors[0].offset, h.data_begin);
    assert_int_equal(h.tensors[1].offset, h.data_begin + 6);
    assert_int_equal(h.data_begin + 14, h.file_size);
    st_header_close(&h);
}

static void legal_oddities(void **state) {
    (void)state;
    accepted("{}", 0);
    assert_int_equal(h.count, 0);
    st_header_close(&h);
    accepted("{\"__metadata__\":null}", 0);
    st_header_close(&h);
    /* No dimensions is one element; empty tensors lie anywhere between others. */
    accepted("{\"s\":" T("F64", "[]", 0, 8) ",\"z\":" T("F32", "[0,5]", 8, 8) ",\"y\":" T(
                 "U8", "[0]", 0, 0) ",\"t\":" T("U8", "[1]", 8, 9) "}",
             9);
    assert_int_equal(h.count, 4);
    assert_int_equal(h.tensors[1].rank, 0);
    assert_int_equal(h.tensors[1].bytes, 8);
    st_header_close(&h);
    accepted("  \n{\"a\":{\"new_key\":1,\"dtype\":\"I8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}\t ", 1);
    st_header_close(&h);
    accepted("{\"a\":" T("U8", "[1,1,1,1,1,1,1,1]", 0, 1) "}", 1);
    st_header_close(&h);
    accepted("{\"\":" T("U8", "[1]", 0, 1) "}", 1);
    st_header_close(&h);
}

static void every_dtype(void **state) {
    (void)state;
    for (int d = 0; d < LR_OTHER; d++) {
        char header[128];
        size_t bits = lr_dtype_bits((enum lr_dtype)d);
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%zu]}}",
                 lr_dtype_name((enum lr_dtype)d), bits / 2);
        accepted(header, bits / 2);
        assert_int_equal(h.tensors[0].dtype, d);
        st_header_close(&h);
    }
}

/* Whether it may be used is decided where tensors are bound. */
static void a_dtype_that_is_not_known_keeps_its_name(void **state) {
    (void)state;
    accepted("{\"a\":" T("f32", "[2]", 0, 5) ",\"b\":" T("TERNARY_OF_THE_FUTURE", "[9]", 5, 6) "}", 6);
    assert_int_equal(h.tensors[0].dtype, LR_OTHER);
    assert_string_equal(h.tensors[0].other, "f32");
    assert_int_equal(h.tensors[0].bytes, 5);
    assert_string_equal(h.tensors[1].other, "TERNARY_OF_THE_");
    st_header_close(&h);
}

static void tensors_are_checked(void **state) {
    (void)state;
    refused("{\"a\":" T("F32", "[2]", 0, 4) "}", 4,
            "m: tensor 'a' has 4 bytes of data, its shape and dtype F32 make 8");
    refused("{\"a\":" T("F4", "[2]", 0, 8) "}", 8,
            "m: tensor 'a' has 8 bytes of data, its shape and dtype F4 make 1");
    refused("{\"a\":" T("F6_E2M3", "[2]", 0, 2) "}", 2,
            "m: tensor 'a' has 12 bits, which are no whole bytes");
    refused("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "m: tensor 'a' has no dtype");
    refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "m: tensor 'a' has no shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8,
            "m: tensor 'a' has no data_offsets of two whole numbers");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8,
            "m: tensor 'a' has no data_offsets of two whole numbers");
    refused("{\"a\":" T("F32", "[-2]", 0, 8) "}", 8,
            "m: tensor 'a' has a shape that does not consist of whole numbers");
    refused("{\"a\":" T("F32", "[\"2\"]", 0, 8) "}", 8,
            "m: tensor 'a' has a shape that does not consist of whole numbers");
    refused("{\"a\":" T("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1,
            "m: tensor 'a' has 9 dimensions, at most 8 are supported");
    refused("{\"a\":" T("U8", "[1]", 1, 0) "}", 1,
            "m: tensor 'a' has data_offsets that end (0) before they begin (1)");
    refused("{\"a\":" T("U8", "[1]", -1, 0) "}", 1, "m: tensor 'a' has no data_offsets of two whole numbers");
    refused("{\"a\":7}", 0, "m: tensor 'a' is not described by an object");
    refused("[]", 0, "m: the header is not an object");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "m: __metadata__ is not an object of texts");
    refused("{\"__metadata__\":[]}", 0, "m: __metadata__ is not an object of texts");
}

static void sizes_do_not_wrap(void **state) {
    (void)state;
    refused("{\"a\":" T("F32", "[4611686018427387904]", 0, 0) "}", 0,
            "m: tensor 'a' has a shape whose size overflows 64 bits");
    refused("{\"a\":" T("U8", "[4294967296,4294967296,0]", 0, 0) "}", 0,
            "m: tensor 'a' has a shape whose size overflows 64 bits");
    refused("{\"a\":" T("U8", "[18446744073709551615]", 0, 18446744073709551615) "}", 1,
            "m: tensor 'a' ends beyond 64 bits");
    refused("{\"a\":" T("U8", "[0]", 18446744073709551615, 18446744073709551615) "}", 1,
            "m: tensor 'a' ends beyond 64 bits");
    refused("{\"a\":" T("U8", "[18446744073709551616]", 0, 0) "}", 0,
            "m: tensor 'a' has a shape that does not consist of whole numbers");
    /* 2^53 + 1 is no double: an offset read as one would be a byte off. */
    refused("{\"a\":" T("U8", "[9007199254740993]", 0, 9007199254740993) "}", 1,
            "m: tensor 'a' ends at byte 9,007,199,254,741,084, the file has 92 (a download cut short?)");
}

static void data_is_contiguous(void **state) {
    (void)state;
    refused("{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[2]", 3, 5) "}", 5,
            "m: a gap of 1 byte between tensor 'a' (to byte 115) and tensor 'b'");
    refused("{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[2]", 1, 3) "}", 3,
            "m: tensors 'a' (bytes 113 to 115) and 'b' (114 to 116) overlap");
    refused("{\"a\":" T("U8", "[2]", 1, 3) "}", 3,
            "m: a gap of 1 byte between the header (to byte 61) and tensor 'a'");
    refused(
        "{\"a\":" T("U8", "[2]", 0, 2) "}", 3,
        "m: the tensors end at byte 63, the file has 64: 1 too many (a download that was resumed wrongly?)");
    refused("{\"a\":" T("U8", "[3]", 0, 3) "}", 2,
            "m: tensor 'a' ends at byte 64, the file has 63 (a download cut short?)");
    refused(
        "{}", 1,
        "m: the tensors end at byte 10, the file has 11: 1 too many (a download that was resumed wrongly?)");
    /* a wrong offset leaves a hole too: the tensor with it is the one to name */
    refused("{\"a\":" T("U8", "[2]", 90, 92) ",\"b\":" T("U8", "[2]", 2, 4) "}", 4,
            "m: tensor 'a' ends at byte 207, the file has 119 (a download cut short?)");
    /* one that lies inside of another, and is empty */
    refused("{\"a\":" T("U8", "[4]", 0, 4) ",\"b\":" T("U8", "[0]", 2, 2) "}", 4,
            "m: tensors 'a' (bytes 113 to 117) and 'b' (115 to 115) overlap");
    refused("{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[2]", 1002, 1004) "}", 1004,
            "m: a gap of 1,000 bytes between tensor 'a' (to byte 121) and tensor 'b'");
}

static void the_header_is_json(void **state) {
    (void)state;
    refused("{\"a\":" T("U8", "[1]", 0, 1) ",\"a\":" T("U8", "[1]", 0, 1) "}", 1,
            "m: header: the key 'a' stands twice in one object");
    refused("{\"a\":", 0,
            "m: header: line 1, column 6: the text ends where a value should stand (cut short?)");
    refused("{} x", 0, "m: header: line 1, column 4: 'x' where the end of the text should stand");
    refused("", 0, "m: header is empty");
    char deep[300];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    deep[299] = '\0';
    refused(deep, 0, "m: header: line 1, column 69: nested more than 64 levels deep");
}

static enum lr_status open_raw(uint64_t length, const char *header) {
    support_write_raw_safetensors(folder, "m", length, header, NULL, 0);
    return st_header_open(at("m"), &h, &err);
}

static void ends_with(const char *tail) {
    if (!lr_str_ends(lr_str_of(err.message), lr_str_of(tail)))
        fail_msg("'%s' not in '%s'", tail, err.message);
}

static void lengths_are_checked(void **state) {
    (void)state;
    assert_int_equal(open_raw(2, "{}"), LR_OK);
    assert_int_equal(h.data_begin, 10);
    st_header_close(&h);
    assert_int_equal(open_raw(3, "{}"), LR_EMODEL);
    ends_with("/m: the header ends at byte 11, the file has 10 (a download cut short?)");
    assert_int_equal(open_raw(UINT64_MAX, "{}"), LR_EMODEL);
    ends_with(
        "/m: the header is said to have 18,446,744,073,709,551,615 bytes, at most 100,000,000 are read (not "
        "a safetensors file?)");
    support_write_file(folder, "m", "1234567", 7);
    assert_int_equal(st_header_open(at("m"), &h, &err), LR_EMODEL);
    ends_with("/m has 7 bytes, a safetensors file has at least 8 (a download cut short?)");
    support_write_file(folder, "m", "", 0);
    assert_int_equal(st_header_open(at("m"), &h, &err), LR_EMODEL);
    ends_with("/m has 0 bytes, a safetensors file has at least 8 (a download cut short?)");
    support_write_file(folder, "m", "<!doctype html>\n<html>", 22);
    assert_int_equal(st_header_open(at("m"), &h, &err), LR_EMODEL);
    ends_with(
        "/m is not a safetensors file but a web page (a download that failed?): download the file again");
    assert_int_equal(st_header_open(folder, &h, &err), LR_EMODEL);
    unlink(at("m"));
    assert_int_equal(st_header_open(at("m"), &h, &err), LR_EMODEL);
    ends_with("/m: cannot be opened: No such file or directory");
}

static void the_greatest_header(void **state) {
    (void)state;
    assert_int_equal(open_raw(ST_MAX_HEADER, "{}"), LR_EMODEL);
    ends_with("/m: the header ends at byte 100,000,008, the file has 10 (a download cut short?)");
    assert_int_equal(open_raw(ST_MAX_HEADER + 1, "{}"), LR_EMODEL);
    ends_with("bytes, at most 100,000,000 are read (not a safetensors file?)");
    char *blanks = malloc(ST_MAX_HEADER + 2);
    assert_non_null(blanks);
    memset(blanks, ' ', ST_MAX_HEADER + 1);
    memcpy(blanks, "{}", 2);
    blanks[ST_MAX_HEADER + 1] = '\0';
    assert_int_equal(open_raw(ST_MAX_HEADER + 1, blanks), LR_EMODEL);
    blanks[ST_MAX_HEADER] = '\0';
    assert_int_equal(open_raw(ST_MAX_HEADER, blanks), LR_OK);
    st_header_close(&h);
    free(blanks);
}

static void git_lfs_pointers(void **state) {
    (void)state;
    static const char pointer[] =
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
        "size 4976698672\n";
    support_write_file(folder, "m", pointer, sizeof pointer - 1);
    assert_int_equal(st_header_open(at("m"), &h, &err), LR_EMODEL);
    char tail[4300];
    snprintf(tail, sizeof tail,
             "/m is a Git LFS pointer, not the file itself; fetch it with: git -C '%s' lfs pull", folder);
    ends_with(tail);
    assert_int_equal(st_header_parse((const uint8_t *)pointer, 130, 130, "m", &h, &err), LR_EMODEL);
    assert_string_equal(err.message,
                        "m is a Git LFS pointer, not the file itself; fetch it with: git -C '.' lfs pull");
}

static void data_begins_at_any_byte(void **state) {
    (void)state;
    static const float values[3] = {1, 2, 3};
    const struct support_tensor t = {"a", "F32", 1, {3}, values, sizeof values};
    for (unsigned mod = 0; mod < 8; mod++) {
        support_write_safetensors(folder, "m", &t, 1, mod);
        assert_int_equal(st_header_open(at("m"), &h, &err), LR_OK);
        assert_int_equal(h.data_begin % 8, mod);
        size_t len;
        char *file = support_read_file(at("m"), &len);
        assert_memory_equal(file + h.tensors[0].offset, values, sizeof values);
        free(file);
        st_header_close(&h);
    }
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    const struct support_tensor t[] = {{"a", "F32", 1, {3}, NULL, 12}, {"b", "F16", 2, {2, 2}, NULL, 8}};
    support_write_safetensors(folder, "m", t, 2, 0);
    enum lr_status status;
    long n = 0;
    do {
        lr_mem_fail_after(++n, 0);
        status = st_header_open(at("m"), &h, &err);
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || (status == LR_EMEMORY && !h.tensors && !h.names));
    } while (status != LR_OK);
    assert_true(n > 5);
    st_header_close(&h);
}

static void a_real_file(void **state) {
    (void)state;
    SUPPORT_NEEDS_DATA(file, "models/story-llama-hf/model.safetensors");
    assert_int_equal(st_header_open(file, &h, &err), LR_OK);
    assert_true(h.count > 10);
    for (size_t i = 0; i < h.count; i++) assert_int_equal(h.tensors[i].dtype, LR_F32);
    st_header_close(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_by_offset),
        cmocka_unit_test(legal_oddities),
        cmocka_unit_test(every_dtype),
        cmocka_unit_test(a_dtype_that_is_not_known_keeps_its_name),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(data_is_contiguous),
        cmocka_unit_test(the_header_is_json),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(the_greatest_header),
        cmocka_unit_test(git_lfs_pointers),
        cmocka_unit_test(data_begins_at_any_byte),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_real_file),
    };
    return cmocka_run_group_tests_name("safetensors", tests, folder_setup, folder_teardown);
}
