/* The parsers of the kernel's small files: lines, numbers, values, processor lists, places of control groups.
 */
#include "support/support.h"
#include "support/system.h"

#include "base/mem.h"
#include "sys/cgroup.h"
#include "sys/facts.h"

#include <errno.h>

static void text_is_split(void **state) {
    (void)state;
    struct lr_str rest = LR_STR("a b\n\nlast"), part;
    assert_true(facts_line(&rest, &part));
    assert_true(lr_str_is(part, "a b"));
    assert_true(facts_line(&rest, &part));
    assert_int_equal(part.len, 0);
    assert_true(facts_line(&rest, &part));
    assert_true(lr_str_is(part, "last"));
    assert_false(facts_line(&rest, &part));
    rest = LR_STR(" \tone  two\n");
    assert_true(facts_word(&rest, &part));
    assert_true(lr_str_is(part, "one"));
    assert_true(facts_word(&rest, &part));
    assert_true(lr_str_is(part, "two"));
    assert_false(facts_word(&rest, &part));
    struct lr_str nothing = {NULL, 0};
    assert_false(facts_line(&nothing, &part));
    assert_false(facts_word(&nothing, &part));
}

static void numbers_are_whole_words(void **state) {
    (void)state;
    uint64_t n;
    static const struct {
        const char *text;
        bool good;
        uint64_t n;
    } rows[] = {
        {"0", true, 0},
        {" \t42\n", true, 42},
        {"7 kB", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"00000000000000000000000001", true, 1},
        {"", false, 0},
        {"\n", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"12x", false, 0},
        {"0x10", false, 0},
        {"1.5", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(facts_number(lr_str_of(rows[i].text), &n), rows[i].good);
        if (rows[i].good) assert_int_equal(n, rows[i].n);
    }
    assert_false(facts_number((struct lr_str){NULL, 0}, &n));
    assert_true(facts_number((struct lr_str){"123", 2}, &n)); /* not a byte beyond the view */
    assert_int_equal(n, 12);
}

static void limits_know_what_stands_for_none(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t n;
    } rows[] = {
        {"max\n", FACTS_UNLIMITED},
        {"unlimited            unlimited            bytes", FACTS_UNLIMITED},
        {"9223372036854771712", FACTS_UNLIMITED}, /* 4 KiB pages */
        {"9223372036854710272", FACTS_UNLIMITED}, /* 64 KiB pages */
        {"1152921504606846976", FACTS_UNLIMITED},
        {"1152921504606846975", (UINT64_C(1) << 60) - 1},
        {"0", 0},
        {"512000000  unlimited  bytes", 512000000},
    };
    uint64_t n;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(facts_limit(lr_str_of(rows[i].text), &n));
        assert_int_equal(n, rows[i].n);
    }
    assert_false(facts_limit(LR_STR(""), &n));
    assert_false(facts_limit(LR_STR("maximum"), &n));
    assert_false(facts_limit(LR_STR("-1"), &n));
}

static void values_are_found_by_whole_key(void **state) {
    (void)state;
    struct lr_str text = LR_STR("Active(anon):  1 kB\nActive:   2 kB\nactive_anon_x 3\nactive_anon 4\n"
                                "model name\t: A CPU \nMax data size    5  6 bytes\nempty:\nlast 7"),
                  value;
    assert_true(facts_value(text, "model name", &value));
    assert_true(lr_str_is(value, "A CPU"));
    assert_true(facts_value(text, "empty", &value));
    assert_int_equal(value.len, 0);
    assert_false(facts_value(text, "model", &value));
    assert_false(facts_value(text, "Activ", &value));
    assert_false(facts_value(text, "none", &value));
    assert_int_equal(facts_kb(text, "Active"), 2048);
    assert_int_equal(facts_kb(text, "Active(anon)"), 1024);
    assert_int_equal(facts_count(text, "active_anon"), 4);
    assert_int_equal(facts_count(text, "Max data size"), 5);
    assert_int_equal(facts_count(text, "last"), 7);
    assert_int_equal(facts_count(text, "model name"), 0);
    assert_int_equal(facts_kb(LR_STR("big 18014398509481983"), "big"), UINT64_MAX - 1023);
    assert_int_equal(facts_kb(LR_STR("big 18014398509481984"), "big"), 0);
    assert_false(facts_value((struct lr_str){NULL, 0}, "key", &value));
    assert_false(facts_value(LR_STR("key"), "key", &value)); /* a key with nothing behind it */
}

static void processor_lists(void **state) {
    (void)state;
    struct facts_cpus set;
    assert_true(facts_cpus_parse(LR_STR("0-3,8,10-11\n"), &set));
    assert_int_equal(facts_cpus_count(&set), 7);
    assert_true(facts_cpus_has(&set, 3) && facts_cpus_has(&set, 8) && facts_cpus_has(&set, 11));
    assert_false(facts_cpus_has(&set, 4) || facts_cpus_has(&set, 9) || facts_cpus_has(&set, 12));
    assert_true(facts_cpus_parse(LR_STR("8191"), &set));
    assert_true(facts_cpus_has(&set, 8191));
    assert_false(facts_cpus_has(&set, 8192));
    static const char *const bad[] = {"",     "\n", "3-1", "8192",  "0-8192", "x",
                                      "0,,1", "0-", "-",   "1-2-3", "0,x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(facts_cpus_parse(lr_str_of(bad[i]), &set));
        assert_int_equal(facts_cpus_count(&set), 0);
    }
}

/* ---- places of control groups */

#define V1(root, point, options)                                                                             \
    "35 31 0:32 " root " " point " rw shared:9 master:2 - cgroup cgroup rw," options "\n"
#define V2(root, point) "41 31 0:38 " root " " point " rw - cgroup2 cgroup2 rw,nsdelegate\n"

static void places_are_found(void **state) {
    (void)state;
    static const struct {
        const char *groups, *mounts, *controller, *mount, *below;
    } rows[] = {
        {"4:memory:/a/b\n", V1("/", "/cg/memory", "memory"), "memory", "/cg/memory", "/a/b"},
        {"4:memory:/\n", V1("/", "/cg/memory", "memory"), "memory", "/cg/memory", ""},
        {"0::/a\n", V2("/", "/cg"), NULL, "/cg", "/a"},
        /* another hierarchy's line, mount or version is not ours */
        {"4:memory:/a\n", V1("/", "/cg/cpu", "cpu,cpuacct"), "memory", "", ""},
        {"4:memoryx:/a\n", V1("/", "/cg/memory", "memory"), "memory", "", ""},
        {"4:memory:/a\n", V2("/", "/cg"), "memory", "", ""},
        {"4:memory:/a\n", V2("/", "/cg"), NULL, "", ""},
        {"0::/a\n", V1("/", "/cg/memory", "memory"), NULL, "", ""},
        {"1:name=systemd:/a\n0::/b\n", V1("/", "/s", "name=systemd") V2("/", "/u"), NULL, "/u", "/b"},
        /* controllers that share a hierarchy */
        {"3:cpu,cpuacct:/c\n", V1("/", "/cg/cpu", "cpuacct,cpu"), "cpu", "/cg/cpu", "/c"},
        {"3:cpu,cpuacct:/c\n", V1("/", "/cg/cpu", "cpuacct,cpu"), "cpuacct", "/cg/cpu", "/c"},
        /* a mount that begins at our group, above it, beside it */
        {"4:memory:/docker/1\n", V1("/docker/1", "/cg", "memory"), "memory", "/cg", ""},
        {"4:memory:/docker/1/x\n", V1("/docker/1", "/cg", "memory"), "memory", "/cg", "/x"},
        {"4:memory:/docker/12\n", V1("/docker/1", "/cg", "memory"), "memory", "/cg", ""},
        {"4:memory:/\n", V1("/docker/1", "/cg", "memory"), "memory", "/cg", ""},
        /* views of namespaces */
        {"0::/../x\n", V2("/", "/cg"), NULL, "/cg", ""},
        {"0::/../x/y\n", V2("/..", "/cg"), NULL, "/cg", "/x/y"},
        {"0::/\n", V2("/../..", "/cg"), NULL, "/cg", ""},
        {"0::/a/../b\n", V2("/", "/cg"), NULL, "/cg", ""},
        /* of several mounts the one that shows the most */
        {"0::/p/o\n", V2("/p/o", "/one") V2("/", "/two") V2("/p", "/three"), NULL, "/two", "/p/o"},
        {"0::/p/o\n", V2("/q", "/one") V2("/p", "/two") V2("/r", "/three"), NULL, "/two", "/o"},
        {"0::/p/o\n", V2("/q", "/one") V2("/r", "/two"), NULL, "/one", ""},
        /* what is escaped, and colons in names */
        {"0::/a:b\n", V2("/", "/c\\040g\\134x"), NULL, "/c g\\x", "/a:b"},
        {"0::/a\\x2db/c\n", V2("/a\\134x2db", "/cg\\"), NULL, "/cg\\", "/c"},
        {"0::/a\n", V2("/", "/cg\\04"), NULL, "/cg\\04", "/a"},
        /* damage */
        {"", V2("/", "/cg"), NULL, "", ""},
        {"0::/a", "", NULL, "", ""},
        {"0::a\n0:\n0\n::\n", V2("/", "/cg"), NULL, "", ""},
        {"0::/a", "41 31 0:38 / /cg rw - cgroup2 cgroup2\n41 31 0:38 / /cg rw cgroup2 x rw\n41", NULL, "",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cgroup_place place;
        struct lr_error err;
        assert_int_equal(cgroup_locate(lr_str_of(rows[i].groups), lr_str_of(rows[i].mounts),
                                       rows[i].controller, &place, &err),
                         LR_OK);
        if (!lr_str_is(lr_buf_str(&place.mount), rows[i].mount) ||
            !lr_str_is(lr_buf_str(&place.below), rows[i].below))
            fail_msg("row %zu: '%s' '%s'", i, place.mount.data, place.below.data);
        cgroup_place_free(&place);
    }
}

static void place_survives_refused_memory(void **state) {
    (void)state;
    enum lr_status status = LR_EMEMORY;
    for (long n = 1; status != LR_OK; n++) {
        struct cgroup_place place;
        struct lr_error err;
        lr_mem_fail_after(n, 0);
        status = cgroup_locate(LR_STR("0::/a/b\n"), LR_STR(V2("/a/b", "/one") V2("/", "/two")), NULL, &place,
                               &err);
        lr_mem_fail_after(0, 0);
        if (status == LR_OK) {
            assert_true(n > 3);
            assert_string_equal(place.mount.data, "/two");
        } else {
            assert_int_equal(status, LR_EMEMORY);
            assert_null(place.mount.data);
        }
        cgroup_place_free(&place);
    }
}

static void missing_file_is_an_empty_text(void **state) {
    (void)state;
    struct lr_buf text;
    struct lr_error err = {.status = LR_OK};
    assert_int_equal(facts_read("tests/data/sys/nowhere", "none", &text, &err), LR_OK);
    assert_int_equal(text.len, 0);
    assert_int_equal(err.message[0], '\0');
    assert_int_equal(facts_read("tests/data", "sys", &text, &err), LR_OK); /* a folder */
    assert_int_equal(text.len, 0);
    lr_buf_free(&text);
}

static void stalls_are_found(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t total;
    } rows[] = {
        {"some avg10=0.00 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=1.50 avg300=0.00 "
         "total=345\n",
         12},
        {"full avg10=0.00 total=12\n", 0},
        {"some total=18446744073709551616\n", 0},
        {"some avg10=0.00 total=\nsome total=3\n", 0},
        {"somewhat total=3\n", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(facts_stall(lr_str_of(rows[i].text)), rows[i].total);
}

/* No fact is taken for absent because no more files can be opened, but for one that was looked at before. */
static void too_many_open_files_are_an_error(void **state) {
    (void)state;
    static const int codes[] = {EMFILE, ENFILE, EACCES, EIO};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        enum lr_status wanted = codes[i] == EMFILE || codes[i] == ENFILE ? LR_EFAILED : LR_OK;
        struct facts_file f;
        struct lr_error err;
        struct lr_str text;
        struct lr_buf whole;
        assert_int_equal(facts_file_name(&f, "/proc", "no-such-file", true, &err), LR_OK);
        system_refuse(SYSTEM_OPENS, codes[i], 1, true);
        assert_int_equal(facts_read("/proc", "self/status", &whole, &err), wanted);
        if (wanted) assert_non_null(strstr(err.message, strerror(codes[i])));
        assert_int_equal(facts_file_read(&f, &text, &err), wanted);
        assert_int_equal(facts_file_read(&f, &text, &err), LR_OK);
        system_refuse(SYSTEM_KINDS, 0, 0, false);
        facts_file_close(&f);
    }
}

static void files_are_read_again(void **state) {
    (void)state;
    char *folder = support_make_folder();
    for (int keep = 0; keep < 2; keep++) {
        struct facts_file f = {0};
        struct lr_str text;
        assert_int_equal(facts_file_read(&f, &text, NULL), LR_OK); /* without a name */
        assert_int_equal(text.len, 0);
        assert_int_equal(facts_file_name(&f, folder, keep ? "kept" : "f", keep, NULL), LR_OK);
        assert_int_equal(facts_file_read(&f, &text, NULL), LR_OK);
        assert_int_equal(text.len, 0);
        static const char *const says[] = {"one", "", "a longer text", "two"};
        for (int i = 0; i < 4; i++) {
            support_write_file(folder, keep ? "kept" : "f", says[i], strlen(says[i]));
            assert_int_equal(facts_file_read(&f, &text, NULL), LR_OK);
            assert_true(lr_str_is(text, says[i]));
            assert_int_equal(f.fd >= 0, keep);
        }
        facts_file_close(&f);
        assert_null(f.path);
        facts_file_close(&f);
    }
    support_remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_split),
        cmocka_unit_test(numbers_are_whole_words),
        cmocka_unit_test(limits_know_what_stands_for_none),
        cmocka_unit_test(values_are_found_by_whole_key),
        cmocka_unit_test(processor_lists),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(place_survives_refused_memory),
        cmocka_unit_test(missing_file_is_an_empty_text),
        cmocka_unit_test(stalls_are_found),
        cmocka_unit_test(files_are_read_again),
        cmocka_unit_test(too_many_open_files_are_an_error),
    };
    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
