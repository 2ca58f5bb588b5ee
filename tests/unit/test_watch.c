/* Looks at memory while working: the same as memory_read at every moment, and what is added to it. */
#include "support/support.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/watch.h"

#include <math.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)

static void assert_equal(const char *root, const struct watch_look *look, const struct memory_info *m) {
    if (look->room != m->room || look->own_anonymous != m->own_anonymous || look->budget != m->budget ||
        look->total != m->total || look->swap_used_by_us != m->swap_used_by_us)
        fail_msg("%s: room %llu, not %llu; budget %llu, not %llu", root, (unsigned long long)look->room,
                 (unsigned long long)m->room, (unsigned long long)look->budget,
                 (unsigned long long)m->budget);
}

/* A look now, which must be what memory_read says now. */
static struct watch_look look_at(struct watch *w, const char *root, uint64_t user_limit) {
    struct watch_look look;
    struct memory_info m;
    struct lr_error err;
    assert_int_equal(watch_look(w, &look, &err), LR_OK);
    assert_int_equal(memory_read(root, user_limit, &m, &err), LR_OK);
    assert_equal(root, &look, &m);
    return look;
}

static struct watch *open_watch(const char *root) {
    struct watch *w;
    struct lr_error err;
    assert_int_equal(watch_open(root, 0, &w, &err), LR_OK);
    return w;
}

static void every_tree_reads_as_memory_read_has_it(void **state) {
    (void)state;
    static const uint64_t limits[] = {0, 10 * MB, 1 * GB, 20 * GB};
    struct file_list trees;
    size_t looked = 0;
    assert_int_equal(file_list_open("tests/data/sys", &trees, NULL), LR_OK);
    for (size_t i = 0; i < trees.count * 4; i++) {
        char root[256];
        struct watch *w;
        struct memory_info m;
        snprintf(root, sizeof root, "tests/data/sys/%s", trees.names[i / 4]);
        enum lr_status expected = memory_read(root, limits[i % 4], &m, NULL);
        assert_int_equal(watch_open(root, limits[i % 4], &w, NULL), expected);
        if (expected != LR_OK) continue;
        for (int k = 0; k < 3; k++) {
            struct watch_strain strain;
            look_at(w, root, limits[i % 4]);
            assert_int_equal(watch_strain(w, &strain, NULL), LR_OK);
            assert_true(strain.stalled == 0 && !strain.limit_met);
        }
        watch_close(w);
        looked++;
    }
    assert_true(looked >= 4 * 14);
    file_list_close(&trees);
}

static void meminfo_must_be_there(void **state) {
    (void)state;
    struct watch *w;
    struct lr_error err;
    assert_int_equal(watch_open("tests/data/sys/nowhere", 0, &w, &err), LR_EFAILED);
    assert_non_null(strstr(err.message, "tests/data/sys/nowhere/proc/meminfo"));
    assert_null(w);
    watch_close(NULL);
}

/* ---- what changes while we look: a tree of our own */

#define OWN    "sys/fs/cgroup/memory/job/own"
#define PARENT "sys/fs/cgroup/memory/job"
#define TOP    "sys/fs/cgroup/memory"
#define V2     "sys/fs/cgroup/unified/job"

static void make_folders(const char *root, const char *path) {
    char name[4096];
    for (const char *end = path; end; end = strchr(end + 1, '/')) {
        snprintf(name, sizeof name, "%s/%.*s", root, (int)(end - path), path);
        mkdir(name, 0700);
    }
    snprintf(name, sizeof name, "%s/%s", root, path);
    mkdir(name, 0700);
}

static void say(const char *root, const char *name, const char *text) {
    support_write_file(root, name, text, strlen(text));
}

static void say_group(const char *root, const char *folder, const char *limit, const char *inherited) {
    char name[2048], text[512];
    make_folders(root, folder);
    snprintf(name, sizeof name, "%s/memory.limit_in_bytes", folder);
    say(root, name, limit);
    snprintf(name, sizeof name, "%s/memory.stat", folder);
    snprintf(text, sizeof text,
             "hierarchical_memory_limit %s\ntotal_active_anon 104857600\ntotal_inactive_anon 0\n", inherited);
    say(root, name, text);
}

#define NONE   "9223372036854771712"
#define MOUNT  "35 31 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
#define MOUNT2 "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

/* 16 GB, 12 of them available; in a group two below the top of v1, none of them limited. */
static char *make_tree(void) {
    char *root = support_make_folder();
    make_folders(root, "proc/self");
    make_folders(root, "proc/pressure");
    say(root, "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 12582912 kB\n");
    say(root, "proc/self/status", "RssAnon: 65536 kB\nVmData: 98304 kB\nVmSize: 819200 kB\nVmSwap: 0 kB\n");
    say(root, "proc/self/limits", "Max data size  unlimited  unlimited  bytes\n");
    say(root, "proc/self/cgroup", "4:memory:/job/own\n");
    say(root, "proc/self/mountinfo", MOUNT MOUNT2);
    say_group(root, OWN, NONE, NONE);
    say_group(root, PARENT, NONE, NONE);
    say_group(root, TOP, NONE, NONE);
    return root;
}

static void changes_are_seen(void **state) {
    (void)state;
    char *root = make_tree();
    struct watch *w = open_watch(root);
    assert_int_equal(look_at(w, root, 0).room, 12 * GB);
    say(root, "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 1048576 kB\n");
    assert_int_equal(look_at(w, root, 0).room, 1 * GB);
    say(root, "proc/self/status", "RssAnon: 131072 kB\nVmData: 98304 kB\nVmSwap: 4096 kB\n");
    struct watch_look look = look_at(w, root, 0);
    assert_int_equal(look.own_anonymous, 128 * MB);
    assert_int_equal(look.swap_used_by_us, 4 * MB);
    assert_int_equal(look.budget, 1 * GB + 128 * MB - 16 * MB);
    say(root, "proc/self/limits", "Max data size  134217728  unlimited  bytes\n");
    assert_int_equal(look_at(w, root, 0).room, 32 * MB); /* 128 - 96 MB */
    say(root, "proc/meminfo", "nothing\n");
    struct lr_error err;
    assert_int_equal(watch_look(w, &look, &err), LR_EFAILED);
    say(root, "proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 16384 kB\n");
    assert_int_equal(look_at(w, root, 0).room, 16 * MB);
    watch_close(w);
    support_remove_folder(root);
}

static void limits_that_are_set_later_are_seen(void **state) {
    (void)state;
    char *root = make_tree();
    struct watch *w = open_watch(root);
    assert_int_equal(look_at(w, root, 0).total, 16 * GB);
    /* on the group above: our own group inherits it */
    say_group(root, PARENT, "2147483648", "2147483648");
    say_group(root, OWN, NONE, "2147483648");
    assert_int_equal(look_at(w, root, 0).total, 2 * GB);
    assert_int_equal(look_at(w, root, 0).room, 2 * GB - 100 * MB);
    /* on the top, that does not say so itself */
    say_group(root, PARENT, NONE, "1073741824");
    say_group(root, OWN, NONE, "1073741824");
    say_group(root, TOP, NONE, "1073741824");
    assert_int_equal(look_at(w, root, 0).total, 1 * GB);
    /* the parent has the least room of those that inherit it */
    say(root, PARENT "/memory.stat", "hierarchical_memory_limit 1073741824\ntotal_active_anon 805306368\n");
    assert_int_equal(look_at(w, root, 0).room, 256 * MB);
    say_group(root, PARENT, NONE, NONE);
    say_group(root, OWN, NONE, NONE);
    say_group(root, TOP, NONE, NONE);
    assert_int_equal(look_at(w, root, 0).total, 16 * GB);
    watch_close(w);
    support_remove_folder(root);
}

/* A controller that is switched on later, a group that goes. */
static void files_that_come_and_go(void **state) {
    (void)state;
    char *root = make_tree(), gone[4096];
    say(root, "proc/self/cgroup", "0::/job\n");
    make_folders(root, V2);
    struct watch *w = open_watch(root);
    assert_int_equal(look_at(w, root, 0).total, 16 * GB);
    say(root, V2 "/memory.high", "3221225472\n");
    say(root, V2 "/memory.current", "1073741824\n");
    assert_int_equal(look_at(w, root, 0).room, 2 * GB);
    say(root, V2 "/memory.stat", "active_anon 536870912\nkernel 0\n");
    assert_int_equal(look_at(w, root, 0).room, 2 * GB + 512 * MB);
    say(root, V2 "/memory.high", "max\n");
    assert_int_equal(look_at(w, root, 0).room, 12 * GB);
    watch_close(w);
    snprintf(gone, sizeof gone, "%s/" V2 "/memory.high", root);
    unlink(gone);
    w = open_watch(root);
    assert_int_equal(look_at(w, root, 0).room, 12 * GB);
    watch_close(w);
    support_remove_folder(root);
}

static void a_move_to_another_group_is_seen(void **state) {
    (void)state;
    char *root = make_tree();
    say_group(root, TOP "/other", "1073741824", "1073741824");
    struct watch *w = open_watch(root);
    assert_int_equal(look_at(w, root, 0).total, 16 * GB);
    say(root, "proc/self/cgroup", "4:memory:/other\n");
    assert_int_equal(look_at(w, root, 0).total, 1 * GB);
    say(root, "proc/self/cgroup", "");
    assert_int_equal(look_at(w, root, 0).total, 16 * GB);
    say(root, "proc/self/cgroup", "4:memory:/other\n0::/job\n");
    assert_int_equal(look_at(w, root, 0).total, 1 * GB);
    watch_close(w);
    support_remove_folder(root);
}

static size_t open_files(void) {
    struct file_list list;
    assert_int_equal(file_list_open("/proc/self/fd", &list, NULL), LR_OK);
    size_t count = list.count;
    file_list_close(&list);
    return count;
}

static void more_groups_than_are_kept_open(void **state) {
    (void)state;
    char *root = make_tree(), member[1024] = "4:memory:", folder[1024] = TOP;
    for (int i = 0; i < 60; i++) {
        snprintf(folder + strlen(folder), 8, "/g%d", i);
        snprintf(member + strlen(member), 8, "/g%d", i);
        say_group(root, folder, i ? NONE : "1073741824", "1073741824");
    }
    say(root, "proc/self/cgroup", strcat(member, "\n"));
    size_t before = open_files();
    struct watch *w = open_watch(root);
    assert_int_equal(look_at(w, root, 0).total, 1 * GB);
    assert_in_range(open_files(), before + 64, before + 2 * 32 + 10); /* of 122 */
    say_group(root, folder, NONE, "536870912");
    say_group(root, TOP "/g0", "536870912", "536870912");
    assert_int_equal(look_at(w, root, 0).total, 512 * MB);
    watch_close(w);
    support_remove_folder(root);
}

/* ---- what memory_read has not */

/* With memory available to the machine, or not. */
static void say_available(const char *root, unsigned long kb) {
    char text[128];
    snprintf(text, sizeof text, "MemTotal: 16777216 kB\nMemAvailable: %lu kB\n", kb);
    say(root, "proc/meminfo", text);
}

static struct watch_strain strain_of(struct watch *w) {
    struct watch_strain strain;
    assert_int_equal(watch_strain(w, &strain, NULL), LR_OK);
    return strain;
}

/* Each row is what one file says from then on, and what is to be seen of it. */
struct strain_row {
    const char *name, *text;
    double stalled;
    bool limit_met;
};

static void check_strains(struct watch *w, const char *root, const struct strain_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        say(root, rows[i].name, rows[i].text);
        look_at(w, root, 0);
        struct watch_strain strain = strain_of(w);
        if (fabs(strain.stalled - rows[i].stalled) > 1e-9 || strain.limit_met != rows[i].limit_met)
            fail_msg("row %zu: %g s, %d", i, strain.stalled, strain.limit_met);
        strain = strain_of(w);
        assert_true(strain.stalled == 0 && !strain.limit_met);
    }
}

static void strain_is_what_grew(void **state) {
    (void)state;
    char *root = make_tree();
    say(root, "proc/self/cgroup", "0::/job\n");
    make_folders(root, V2);
    say_available(root, 1 << 20); /* of 16 GB: short */
    say(root, "proc/pressure/memory", "some avg10=0.00 avg60=0.00 total=7\nfull avg10=0.00 total=5\n");
    struct watch *w = open_watch(root);
    assert_true(strain_of(w).stalled == 0);
    static const struct strain_row rows[] = {
        {"proc/pressure/memory", "some avg10=0.00 total=7\nfull avg10=9.00 total=50\n", 0, false},
        {"proc/pressure/memory", "some avg10=0.00 total=2007\nfull avg10=9.00 total=50\n", 2e-3, false},
        {V2 "/memory.pressure", "some avg10=0.00 total=400\nfull avg10=0.00 total=3\n", 0, false},
        {V2 "/memory.pressure", "some avg10=0.00 total=900\nfull avg10=0.00 total=3\n", 5e-4, false},
        {V2 "/../memory.pressure", "some avg10=0.00 total=1\n", 0, false}, /* the group above */
        {V2 "/memory.events", "low 0\nhigh 0\nmax 0\noom 0\n", 0, false},
        {V2 "/memory.events", "low 1\nhigh 0\nmax 0\noom 0\n", 0, false},
        {V2 "/memory.events", "low 1\nhigh 1\nmax 0\noom 0\n", 0, true},
        {V2 "/memory.events", "low 1\nhigh 1\nmax 5\noom 0\n", 0, true},
        {V2 "/../memory.events", "high 0\nmax 2\n", 0, false},
        {V2 "/../memory.events", "high 0\nmax 3\n", 0, true},
        {V2 "/memory.events", "", 0, false},
        {"proc/pressure/memory", "some total=x\nsome\n", 0, false},
    };
    check_strains(w, root, rows, sizeof rows / sizeof *rows);
    /* a group and those above it stand still at once: that is not twice as long */
    say(root, V2 "/memory.pressure", "some avg10=0.00 total=1900\n");
    say(root, V2 "/../memory.pressure", "some avg10=0.00 total=801\n");
    assert_true(fabs(strain_of(w).stalled - 1e-3) < 1e-9);
    watch_close(w);
    support_remove_folder(root);
}

/* Of the machine's standing still we are the reason only where it is short, or a group of ours is. */
static void the_machines_strain_is_not_always_ours(void **state) {
    (void)state;
    char *root = make_tree();
    say(root, "proc/pressure/memory", "some avg10=0.00 total=0\n");
    say(root, OWN "/memory.failcnt", "3\n");
    say(root, PARENT "/memory.failcnt", "0\n");
    struct watch *w = open_watch(root);
    static const struct strain_row rows[] = {
        {"proc/pressure/memory", "some avg10=0.00 total=1000\n", 0, false},
        {OWN "/memory.failcnt", "4\n", 0, true},
        {PARENT "/memory.failcnt", "7\n", 0, true},
        {OWN "/memory.failcnt", "4\n", 0, false},
        {OWN "/memory.failcnt", "0\n", 0, false}, /* it can be set back */
    };
    check_strains(w, root, rows, sizeof rows / sizeof *rows);
    say(root, "proc/pressure/memory", "some avg10=0.00 total=3000\n");
    say(root, OWN "/memory.failcnt", "1\n");
    assert_true(fabs(strain_of(w).stalled - 2e-3) < 1e-9);
    say_available(root, 1 << 20);
    look_at(w, root, 0);
    say(root, "proc/pressure/memory", "some avg10=0.00 total=4000\n");
    assert_true(fabs(strain_of(w).stalled - 1e-3) < 1e-9);
    say_available(root, 12 << 20);
    static const struct {
        unsigned refaults;
        bool ours;
    } rows2[] = {{1000, false}, {1255, false}, {1511, true}, {1511, false}, {7000, true}, {0, false}};
    for (size_t i = 0; i < sizeof rows2 / sizeof *rows2; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "hierarchical_memory_limit 1073741824\ntotal_workingset_refault_file %u\n"
                 "total_active_anon 0\n",
                 rows2[i].refaults);
        say(root, OWN "/memory.stat", text);
        look_at(w, root, 0);
        snprintf(text, sizeof text, "some avg10=0.00 total=%zu\n", 5000 + 1000 * i);
        say(root, "proc/pressure/memory", text);
        if ((strain_of(w).stalled > 0) != rows2[i].ours) fail_msg("refaults, row %zu", i);
    }
    watch_close(w);
    support_remove_folder(root);
}

/* ---- what it takes */

static void a_look_takes_no_memory_and_closing_closes(void **state) {
    (void)state;
    static const char *const roots[] = {"tests/data/sys/v1-two-up", "tests/data/sys/v2-systemd", ""};
    for (int i = 0; i < 3; i++) {
        size_t before = open_files();
        struct watch *w = open_watch(roots[i]);
        struct watch_look look;
        struct watch_strain strain;
        assert_true(open_files() > before);
        size_t during = open_files();
        lr_mem_fail_after(0, 0);
        for (int k = 0; k < 5; k++) {
            assert_int_equal(watch_look(w, &look, NULL), LR_OK);
            assert_int_equal(watch_strain(w, &strain, NULL), LR_OK);
        }
        assert_int_equal(lr_mem_count(), 0);
        assert_int_equal(open_files(), during);
        watch_close(w);
        assert_int_equal(open_files(), before);
    }
}

/* At each allocation in turn: also when the groups are found anew, after which a look succeeds. */
static void refused_memory_is_an_error(void **state) {
    (void)state;
    char *root = make_tree();
    struct watch *w = NULL;
    struct watch_look look;
    struct lr_error err;
    size_t before = open_files();
    long n = 0;
    for (enum lr_status status = LR_EMEMORY; status != LR_OK;) {
        lr_mem_fail_after(++n, 0);
        status = watch_open(root, 0, &w, &err);
        lr_mem_fail_after(0, 0);
        if (status == LR_OK) break;
        assert_int_equal(status, LR_EMEMORY);
        assert_null(w);
        assert_int_equal(open_files(), before);
    }
    assert_true(n > 20);
    say_group(root, TOP "/other", "1073741824", "1073741824");
    for (n = 1; n < 12; n++) {
        say(root, "proc/self/cgroup", n % 2 ? "4:memory:/other\n" : "4:memory:/job/own\n");
        lr_mem_fail_after(n, 0);
        enum lr_status status = watch_look(w, &look, &err);
        lr_mem_fail_after(0, 0);
        assert_int_equal(status, LR_EMEMORY);
        assert_int_equal(look_at(w, root, 0).total, n % 2 ? 1 * GB : 16 * GB);
    }
    watch_close(w);
    support_remove_folder(root);
}

/* The least of many. */
struct cost {
    double begin, best;
};
static void begin_cost(struct cost *c) {
    c->begin = clock_now();
}
static void end_cost(struct cost *c) {
    double seconds = clock_now() - c->begin;
    if (c->best == 0 || seconds < c->best) c->best = seconds;
}

static void this_machine_and_what_a_look_costs(void **state) {
    (void)state;
    enum { LOOKS = 200 };
    struct watch *w = open_watch("");
    struct watch_look look = {0};
    struct watch_strain strain;
    struct memory_info m;
    struct cost looking = {0}, asking = {0}, once = {0};
    for (int i = 0; i < LOOKS; i++) {
        begin_cost(&looking);
        assert_int_equal(watch_look(w, &look, NULL), LR_OK);
        end_cost(&looking);
        begin_cost(&asking);
        assert_int_equal(watch_strain(w, &strain, NULL), LR_OK);
        end_cost(&asking);
        begin_cost(&once);
        assert_int_equal(memory_read("", 0, &m, NULL), LR_OK);
        end_cost(&once);
    }
    printf("a look costs %.1f us at best, asking for strain %.1f us, memory_read %.1f us\n",
           looking.best * 1e6, asking.best * 1e6, once.best * 1e6);
    assert_true(looking.best < 0.01 && asking.best < 0.01);
    assert_true(look.room > 0 && look.room <= m.mem_total && look.total == m.total);
    assert_true(look.own_anonymous > 0 && look.budget < look.own_anonymous + look.room);
    watch_close(w);
}

static void our_own_bytes_are_seen(void **state) {
    (void)state;
    size_t size = 64 * MB;
    struct watch *w = open_watch("");
    struct watch_look before, after;
    assert_int_equal(watch_look(w, &before, NULL), LR_OK);
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    memset(p, 1, size);
    assert_int_equal(watch_look(w, &after, NULL), LR_OK);
    assert_true(after.own_anonymous >= before.own_anonymous + size / 2);
    munmap(p, size);
    assert_int_equal(watch_look(w, &after, NULL), LR_OK);
    assert_true(after.own_anonymous < before.own_anonymous + size / 2);
    watch_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tree_reads_as_memory_read_has_it),
        cmocka_unit_test(meminfo_must_be_there),
        cmocka_unit_test(changes_are_seen),
        cmocka_unit_test(limits_that_are_set_later_are_seen),
        cmocka_unit_test(files_that_come_and_go),
        cmocka_unit_test(a_move_to_another_group_is_seen),
        cmocka_unit_test(more_groups_than_are_kept_open),
        cmocka_unit_test(strain_is_what_grew),
        cmocka_unit_test(the_machines_strain_is_not_always_ours),
        cmocka_unit_test(a_look_takes_no_memory_and_closing_closes),
        cmocka_unit_test(refused_memory_is_an_error),
        cmocka_unit_test(this_machine_and_what_a_look_costs),
        cmocka_unit_test(our_own_bytes_are_seen),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
