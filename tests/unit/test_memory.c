/* What memory there is, read from fixture trees (tests/data/sys) and from this machine. */
#include "support/support.h"

#include "base/mem.h"
#include "sys/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)
#define NO MEMORY_UNLIMITED

static struct memory_info read_case(const char *name, uint64_t user_limit) {
    char root[256];
    struct memory_info info;
    struct lr_error err;
    snprintf(root, sizeof root, "tests/data/sys/%s", name);
    assert_int_equal(memory_read(root, user_limit, &info, &err), LR_OK);
    return info;
}

/* Every tree has 16 GB and 12 GB available, 64 MB of them our own beside, if nothing else is said. */
static void groups_limit_total_and_room(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint64_t limit, room; /* of the control groups */
    } rows[] = {
        {"no-cgroup", NO, NO},
        {"unlimited", NO, NO},
        /* the smallest limit is the parent's, the least room the grandparent's: 3 GB - 2.5 GB */
        {"v1-two-up", 2 * GB, 512 * MB},
        /* memory.high of the slice: 4 GB - (1 GB + 512 MB + 256 MB + 256 MB of kernel) */
        {"v2-systemd", 4 * GB, 2 * GB},
        /* 2 GB - (512 MB + 1 + 2 + 3 + 4 MB of kernel) */
        {"v2-no-kernel-sum", 2 * GB, 2 * GB - 522 * MB},
        {"hybrid", 1 * GB, 1 * GB - 124 * MB},
        /* hierarchical_memory_limit: 1 GB, below the own 2 GB */
        {"v1-docker", 1 * GB, 512 * MB},
        {"v2-container", 1 * GB, 768 * MB},
        {"v2-outside", 3 * GB, 2 * GB},
        {"v2-two-mounts", 2 * GB, 1 * GB},
        /* no memory.stat: limit - memory.current */
        {"files-missing", 2 * GB, 1 * GB},
        {"exhausted", 1 * GB, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct memory_info m = read_case(rows[i].name, 0);
        if (m.cgroup_limit != rows[i].limit || m.cgroup_room != rows[i].room)
            fail_msg("%s: limit %llu, room %llu", rows[i].name, (unsigned long long)m.cgroup_limit,
                     (unsigned long long)m.cgroup_room);
        assert_int_equal(m.mem_total, 16 * GB);
        assert_int_equal(m.mem_available, 12 * GB);
        assert_int_equal(m.total, rows[i].limit < 16 * GB ? rows[i].limit : 16 * GB);
        assert_int_equal(m.room, rows[i].room < 12 * GB ? rows[i].room : 12 * GB);
        assert_int_equal(m.commit_room, NO);
    }
}

static void budget_is_ours_and_room_less_a_reserve(void **state) {
    (void)state;
    struct memory_info m = read_case("no-cgroup", 0);
    assert_int_equal(m.own_anonymous, 64 * MB);
    assert_int_equal(m.own_data, 96 * MB);
    assert_int_equal(m.own_address, 800 * MB);
    assert_int_equal(m.swap_used_by_us, 0);
    uint64_t ours = 12 * GB + 64 * MB;
    assert_int_equal(m.budget, ours - ours / 100); /* one percent is more than 16 MiB */
    m = read_case("v1-docker", 0);
    assert_int_equal(m.budget, 512 * MB + 64 * MB - 16 * MB); /* and here it is less */
    m = read_case("exhausted", 0);
    assert_int_equal(m.cgroup_over, 140 * MB); /* 1164 of 1024 MB: to be given back */
    assert_int_equal(m.budget, 900 * MB - 140 * MB - 16 * MB);
}

static void user_limit_counts_what_we_have(void **state) {
    (void)state;
    struct memory_info m = read_case("no-cgroup", 1 * GB);
    assert_int_equal(m.room, 1 * GB - 64 * MB);
    assert_int_equal(m.budget, 1 * GB - 16 * MB);
    assert_int_equal(m.total, 1 * GB); /* what usage is measured against */
    assert_int_equal(read_case("no-cgroup", 0).total, 16 * GB);
    m = read_case("no-cgroup", 64 * MB);
    assert_int_equal(m.room, 0);
    m = read_case("no-cgroup", 10 * MB);
    assert_int_equal(m.room, 0);
    assert_int_equal(m.budget, 0);
    m = read_case("no-cgroup", 40 * MB); /* 24 MB too many are owned */
    assert_int_equal(m.budget, 24 * MB);
    m = read_case("v1-docker", 20 * GB); /* the group's limit is the smaller */
    assert_int_equal(m.room, 512 * MB);
}

/* What is to be changed where there is too little. */
static void what_bounds_the_room_is_told(void **state) {
    (void)state;
    static const struct {
        const char *tree;
        uint64_t user_limit;
        enum memory_bound bound;
    } rows[] = {
        {"no-cgroup", 0, MEMORY_BY_SYSTEM},      {"no-cgroup", 1 * GB, MEMORY_BY_USER},
        {"v1-docker", 0, MEMORY_BY_GROUP},       {"v1-docker", 20 * GB, MEMORY_BY_GROUP},
        {"v1-docker", 100 * MB, MEMORY_BY_USER}, {"limits", 0, MEMORY_BY_SYSTEM},
        {"data-limit", 0, MEMORY_BY_DATA_LIMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(read_case(rows[i].tree, rows[i].user_limit).bound, rows[i].bound);
}

static void process_and_commit_limits(void **state) {
    (void)state;
    struct memory_info m = read_case("limits", 0);
    assert_int_equal(m.mem_available, 11 * GB); /* MemFree + both file lists + reclaimable slab */
    assert_int_equal(m.swap_used_by_us, 32 * MB);
    assert_int_equal(m.data_limit, 6 * GB);
    assert_int_equal(m.address_limit, 20 * GB);
    assert_int_equal(m.commit_room, 4 * GB);
    assert_int_equal(m.own_data, 512 * MB);
    assert_int_equal(m.room, 4 * GB);
    assert_int_equal(m.own_locked, 1 * MB);
    assert_int_equal(m.lock_limit, 8 * MB);
    m = read_case("data-limit", 0); /* 2 GB of data, of which 512 MB are mapped and 64 MB of them resident */
    assert_int_equal(m.room, 2 * GB - 512 * MB);
    assert_int_equal(m.budget, 1600 * MB - 16 * MB);
    assert_int_equal(m.lock_limit, NO); /* CAP_IPC_LOCK */
    m = read_case("v2-container", 0);   /* the same in a namespace of user ids */
    assert_int_equal(m.lock_limit, 8 * MB);
}

static void garbage_counts_as_no_limit(void **state) {
    (void)state;
    struct memory_info m = read_case("garbage", 0);
    assert_int_equal(m.total, 4 * GB);
    assert_int_equal(m.cgroup_limit, NO);
    assert_int_equal(m.cgroup_room, NO);
    assert_int_equal(m.commit_room, NO);
    assert_int_equal(m.own_anonymous, 0);
    assert_int_equal(m.own_data, 0);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
    assert_int_equal(m.data_limit, limit.rlim_cur == RLIM_INFINITY ? NO : limit.rlim_cur);
}

static void meminfo_must_be_there(void **state) {
    (void)state;
    struct memory_info m;
    struct lr_error err;
    assert_int_equal(memory_read("tests/data/sys/nowhere", 0, &m, &err), LR_EFAILED);
    assert_non_null(strstr(err.message, "tests/data/sys/nowhere/proc/meminfo"));
}

/* A fact must not look missing because memory was refused while it was read. */
static void refused_memory_is_an_error(void **state) {
    (void)state;
    static const char *const roots[] = {"tests/data/sys/v1-two-up", "tests/data/sys/v2-systemd"};
    for (int i = 0; i < 2; i++) {
        enum lr_status status = LR_EMEMORY;
        long n = 0;
        while (status != LR_OK) {
            struct memory_info m;
            struct lr_error err;
            lr_mem_fail_after(++n, 0);
            status = memory_read(roots[i], 0, &m, &err);
            lr_mem_fail_after(0, 0);
            if (status != LR_OK) assert_int_equal(status, LR_EMEMORY);
        }
        assert_true(n > 20);
    }
}

static void this_machine_makes_sense(void **state) {
    (void)state;
    struct memory_info m;
    struct lr_error err;
    assert_int_equal(memory_read("", 0, &m, &err), LR_OK);
    assert_true(m.mem_total > 64 * MB && m.mem_total < 1024 * 1024 * GB);
    assert_true(m.mem_available > 0 && m.mem_available <= m.mem_total);
    assert_true(m.total <= m.mem_total && m.room <= m.mem_available);
    assert_true(m.cgroup_room <= m.cgroup_limit);
    assert_true(m.own_anonymous > 0 && m.own_anonymous < m.own_address);
    assert_true(m.budget < m.own_anonymous + m.room);
}

static void our_own_bytes_are_seen(void **state) {
    (void)state;
    size_t size = 64 * MB;
    uint64_t before = memory_own_anonymous();
    assert_true(before > 0);
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    memset(p, 1, size);
    assert_in_range(memory_own_anonymous(), before + size / 2, before + 16 * size);
    assert_true(memory_peak_resident() >= before + size / 2);
    munmap(p, size);
    assert_true(memory_own_anonymous() < before + size / 2);
    assert_true(memory_peak_resident() >= before + size / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_limit_total_and_room),
        cmocka_unit_test(budget_is_ours_and_room_less_a_reserve),
        cmocka_unit_test(user_limit_counts_what_we_have),
        cmocka_unit_test(what_bounds_the_room_is_told),
        cmocka_unit_test(process_and_commit_limits),
        cmocka_unit_test(garbage_counts_as_no_limit),
        cmocka_unit_test(meminfo_must_be_there),
        cmocka_unit_test(refused_memory_is_an_error),
        cmocka_unit_test(this_machine_makes_sense),
        cmocka_unit_test(our_own_bytes_are_seen),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
