#include "support/support.h"

#include "support/folder.h"
#include "support/safetensors.h"

#include "base/mem.h"
#include "weights/catalog.h"

static struct lr_error err;
static struct catalog c;

static int make_folder(void **state) {
    folder_setup(state);
    support_write_file(folder, "config.json", "{}", 2);
    return 0;
}

static int remove_folder(void **state) {
    catalog_close(&c);
    return folder_teardown(state);
}

static const char one[] = "model-00001-of-00002.safetensors", two[] = "model-00002-of-00002.safetensors";

static const struct support_tensor alpha = {"alpha", "F32", 2, {2, 3}, "0123456789abcdefghijklmn", 24};
static const struct support_tensor beta = {"beta", "BF16", 1, {4}, "BETABETA", 8};
static const struct support_tensor gamma_ = {"gamma", "F16", 1, {1}, "gg", 2};

static void put_shards(const struct support_tensor *second, size_t n) {
    const struct support_tensor first[] = {gamma_, alpha};
    support_write_safetensors(folder, one, first, 2, 3);
    support_write_safetensors(folder, two, second, n, 5);
}

static void put_index(const char *map) {
    char text[500];
    int n = snprintf(text, sizeof text, "{\"weight_map\":{%s}}", map);
    support_write_file(folder, "model.safetensors.index.json", text, (size_t)n);
}

static enum lr_status open_catalog(void) {
    struct model_dir d;
    enum lr_status status = model_dir_open(folder, MODEL_DIR_WEIGHTS, &d, &err);
    if (status == LR_OK) status = catalog_open(&d, &c, &err);
    model_dir_close(&d);
    return status;
}

static void opens(void) {
    catalog_close(&c);
    if (open_catalog() != LR_OK) fail_msg("%s", err.message);
}

static void refused(const char *tail) {
    char expected[5000];
    catalog_close(&c);
    assert_int_equal(open_catalog(), LR_EMODEL);
    snprintf(expected, sizeof expected, "%s/%s", folder, tail);
    assert_string_equal(err.message, expected);
    assert_null(c.tensors);
    assert_null(c.files);
}

static void finds_every_tensor(void **state) {
    (void)state;
    put_shards(&beta, 1);
    opens();
    assert_int_equal(c.count, 3);
    assert_int_equal(c.n_files, 2);
    assert_int_equal(c.total_bytes, 34);
    const struct support_tensor *all[] = {&alpha, &beta, &gamma_};
    for (size_t i = 0; i < 3; i++) {
        const struct tensor_record *t = catalog_find(&c, lr_str_of(all[i]->name));
        assert_ptr_equal(t, &c.tensors[i]); /* sorted by name */
        assert_int_equal(t->bytes, all[i]->bytes);
        assert_int_equal(t->rank, all[i]->rank);
        assert_int_equal(t->shape[0], all[i]->shape[0]);
        assert_string_equal(lr_dtype_name(t->dtype), all[i]->dtype);
        size_t len;
        char *file = support_read_file(c.files[t->file].path, &len);
        assert_int_equal(len, c.files[t->file].size);
        assert_memory_equal(file + t->offset, all[i]->data, all[i]->bytes);
        free(file);
    }
    static const char *const absent[] = {"", "alph", "alpha2", "Alpha", "zeta"};
    for (size_t i = 0; i < 5; i++) assert_null(catalog_find(&c, lr_str_of(absent[i])));
}

static void a_name_in_two_shards(void **state) {
    (void)state;
    const struct support_tensor second[] = {beta, alpha};
    put_shards(second, 2);
    assert_int_equal(open_catalog(), LR_EMODEL);
    assert_non_null(strstr(err.message, ": tensor 'alpha' is in model-0000"));
    assert_non_null(strstr(err.message, "/model-0000"));
}

static void the_index_agrees(void **state) {
    (void)state;
    put_shards(&beta, 1);
    put_index("\"alpha\":\"model-00001-of-00002.safetensors\",\"beta\":\"model-00002-of-00002.safetensors\","
              "\"gamma\":\"model-00001-of-00002.safetensors\"");
    opens();
    assert_int_equal(c.count, 3);
    put_index("\"alpha\":\"model-00001-of-00002.safetensors\",\"beta\":\"model-00002-of-00002.safetensors\"");
    refused("model.safetensors.index.json: tensor 'gamma' of model-00001-of-00002.safetensors is not listed");
    put_index("\"alpha\":\"model-00001-of-00002.safetensors\",\"beta\":\"model-00002-of-00002.safetensors\","
              "\"gamma\":\"model-00002-of-00002.safetensors\"");
    refused("model.safetensors.index.json: tensor 'gamma' should be in model-00002-of-00002.safetensors, but "
            "is in "
            "model-00001-of-00002.safetensors");
    put_index(
        "\"alpha\":\"model-00001-of-00002.safetensors\",\"delta\":\"model-00002-of-00002.safetensors\"");
    refused("model.safetensors.index.json: tensor 'delta' should be in model-00002-of-00002.safetensors, "
            "which does "
            "not hold it");
}

static void a_damaged_shard(void **state) {
    (void)state;
    put_shards(&beta, 1);
    support_write_raw_safetensors(folder, two, 5000, "{}", NULL, 0);
    refused(
        "model-00002-of-00002.safetensors: the header ends at byte 5,008, the file has 10 (a download cut "
        "short?)");
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    put_shards(&beta, 1);
    put_index("\"alpha\":\"model-00001-of-00002.safetensors\",\"beta\":\"model-00002-of-00002.safetensors\","
              "\"gamma\":\"model-00001-of-00002.safetensors\"");
    enum lr_status status;
    long n = 0;
    do {
        catalog_close(&c);
        lr_mem_fail_after(++n, 0);
        status = open_catalog();
        lr_mem_fail_after(0, 0);
        assert_true(status == LR_OK || (status == LR_EMEMORY && !c.files && !c.tensors));
    } while (status != LR_OK);
    assert_true(n > 20);
}

static void no_shards_at_all(void **state) {
    (void)state;
    struct model_dir none = {0};
    assert_int_equal(catalog_open(&none, &c, &err), LR_OK);
    assert_null(catalog_find(&c, LR_STR("a")));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(finds_every_tensor), TEST(a_name_in_two_shards),      TEST(the_index_agrees),
        TEST(a_damaged_shard),    TEST(every_allocation_may_fail), TEST(no_shards_at_all),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
