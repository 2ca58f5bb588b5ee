/* matmul_run: pieces, threads, bias, OpenBLAS and what happens where it has no room. */
#include "support/support.h"

#include "each.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "sys/threads.h"

static const enum lr_dtype dtypes[] = EACH_FLOAT_DTYPES;
enum { DTYPES = 3 };

/* A product: a matrix that begins at an odd address, activations and a bias. */
struct product {
    struct tensor_view w;
    char *block;
    float *x, *bias;
    size_t n_x;
};

static struct product product_make(enum lr_dtype dtype, size_t rows, size_t cols, size_t n_x) {
    float *values = each_vector(rows * cols, rows);
    struct product p = {.block = malloc(rows * cols * lr_dtype_size(dtype) + 1), .n_x = n_x};
    each_pack(dtype, values, rows * cols, p.block + 1);
    free(values);
    p.w = (struct tensor_view){.data = p.block + 1, .dtype = dtype, .rows = rows, .cols = cols};
    p.x = each_vector(n_x * cols, cols);
    p.bias = each_vector(rows, 3);
    return p;
}

static void product_free(struct product *p) {
    free(p->block);
    free(p->x);
    free(p->bias);
}

static struct matmul open_with(const struct kernel_table *t, uint32_t n_threads, enum matmul_mode mode) {
    struct threads *threads;
    struct matmul m;
    struct lr_error err;
    assert_int_equal(threads_create(n_threads, &threads, &err), LR_OK);
    assert_int_equal(matmul_open(t, threads, mode, false, &m, &err), LR_OK);
    return m;
}

static void close_with(struct matmul *m) {
    struct threads *threads = m->threads;
    matmul_close(m);
    threads_destroy(threads);
}

/* Activations [from, from + n) of the product. */
static void multiply(const struct matmul *m, const struct product *p, const float *bias, size_t from,
                     size_t n, float *out) {
    struct matmul_input in;
    void *room = malloc(n * KERNEL_PREPARED_BYTES(p->w.cols) + 1);
    matmul_prepare(m, p->w.dtype, p->x + from * p->w.cols, n, p->w.cols, room, &in);
    matmul_run(m, &p->w, bias, &in, out, p->w.rows);
    free(room);
}

static float *run(const struct matmul *m, const struct product *p, const float *bias) {
    float *out = malloc(p->n_x * p->w.rows * sizeof *out);
    multiply(m, p, bias, 0, p->n_x, out);
    return out;
}

/* As the sum in float64 within half an ulp for each of the additions that an element passes. */
static void check_values(const struct product *p, const float *bias, const float *out) {
    for (size_t m = 0; m < p->n_x; m++) {
        for (size_t r = 0; r < p->w.rows; r++) {
            double sum = bias ? bias[r] : 0, magnitude = fabs(sum);
            for (size_t k = 0; k < p->w.cols; k++) {
                double one =
                    (double)each_element(p->w.dtype, p->w.data, r * p->w.cols + k) * p->x[m * p->w.cols + k];
                sum += one;
                magnitude += fabs(one);
            }
            double bound = ((double)p->w.cols / 4 + 8) * 0x1p-24 * magnitude;
            if (fabs(out[m * p->w.rows + r] - sum) > bound)
                fail_msg("[%zu, %zu]: %.9g for %.9g", m, r, out[m * p->w.rows + r], sum);
        }
    }
}

static void test_every_mode_is_right(void **state) {
    (void)state;
    static const enum matmul_mode modes[] = {MATMUL_AUTO, MATMUL_NATIVE, MATMUL_BLAS};
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 700, 2}, {130, 67, 33}, {1031, 96, 65}};
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int mode = 0; mode < 3; mode++) {
            struct matmul m = open_with(tables[i], 2, modes[mode]);
            for (int c = 0; c < DTYPES * 4; c++) {
                struct product p =
                    product_make(dtypes[c % 3], shapes[c / 3][0], shapes[c / 3][1], shapes[c / 3][2]);
                const float *bias = c % 2 ? p.bias : NULL;
                bool rounds = each_rounds(tables[i], p.w.dtype) && p.w.cols >= KERNEL_ROUNDED_FROM &&
                              modes[mode] != MATMUL_BLAS;
                for (size_t k = 0; rounds && k < p.n_x * p.w.cols; k++) p.x[k] = each_to_bf16(p.x[k]);
                float *out = run(&m, &p, bias);
                check_values(&p, bias, out);
                free(out);
                product_free(&p);
            }
            close_with(&m);
        }
    }
}

/* Under native: the same bits for every number of threads, and for activations one by one. */
static void check_threads(const struct kernel_table *t, const struct product *p) {
    size_t rows = p->w.rows;
    struct matmul one = open_with(t, 1, MATMUL_NATIVE);
    float *want = malloc(p->n_x * rows * sizeof *want);
    for (size_t i = 0; i < p->n_x; i++) multiply(&one, p, p->bias, i, 1, want + i * rows);
    close_with(&one);
    for (uint32_t n = 1; n <= 4; n++) {
        struct matmul m = open_with(t, n, MATMUL_NATIVE);
        float *out = run(&m, p, p->bias);
        assert_memory_equal(out, want, p->n_x * rows * sizeof *out);
        free(out);
        close_with(&m);
    }
    free(want);
}

static void test_native_bits_do_not_depend_on_threads(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        for (int d = 0; d < DTYPES; d++) {
            struct product p = product_make(dtypes[d], 333, 1027, 19);
            check_threads(tables[i], &p);
            product_free(&p);
        }
    }
}

/* f32 rows that are aligned are multiplied where they lie. */
static void test_blas_in_place(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    each_table(tables);
    struct product p = product_make(LR_F32, 70, 50, 8);
    memmove(p.block, p.block + 1, 70 * 50 * sizeof(float));
    p.w.data = p.block;
    struct matmul m = open_with(tables[0], 2, MATMUL_BLAS);
    float *out = run(&m, &p, NULL);
    check_values(&p, NULL, out);
    free(out);
    close_with(&m);
    product_free(&p);
}

/* A row longer than a panel, no row, and no activation. */
static void test_odd_shapes(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    each_table(tables);
    struct matmul m = open_with(tables[0], 2, MATMUL_BLAS);
    struct product p = product_make(LR_BF16, 2, (1u << 18) + 5, 2);
    float *out = run(&m, &p, NULL);
    check_values(&p, NULL, out);
    multiply(&m, &p, NULL, 0, 0, NULL);
    p.w.rows = 0;
    multiply(&m, &p, NULL, 0, 2, NULL);
    p.w.rows = 2;
    p.w.cols = 0;
    multiply(&m, &p, NULL, 0, 2, out);
    for (int i = 0; i < 4; i++) assert_true(out[i] == 0);
    free(out);
    close_with(&m);
    product_free(&p);
}

/* One activation and one row, longer than any piece; no column. */
static void test_row_longer_than_a_piece(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    each_table(tables);
    struct matmul m = open_with(tables[0], 2, MATMUL_NATIVE);
    struct product p = product_make(LR_BF16, 1, (1u << 18) + 5, 1);
    float *out = run(&m, &p, NULL);
    check_values(&p, NULL, out);
    p.w.cols = 0;
    multiply(&m, &p, NULL, 0, 1, out);
    assert_true(out[0] == 0);
    free(out);
    close_with(&m);
    product_free(&p);
}

/* Auto takes memory, and loads OpenBLAS, for those kernels alone that are ever slower. */
static void test_auto_takes_what_it_needs(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    for (int i = each_table(tables); i-- > 0;) {
        bool never = tables[i]->blas_from == KERNEL_BLAS_NEVER;
        struct matmul m = open_with(tables[i], 2, MATMUL_AUTO);
        assert_int_equal(m.mode, never ? MATMUL_NATIVE : MATMUL_AUTO);
        assert_int_equal(m.blas == NULL, never);
        close_with(&m);
        assert_int_equal(matmul_memory(tables[i], MATMUL_NATIVE, 4), 0);
        assert_true(matmul_memory(tables[i], MATMUL_BLAS, 1) > 0);
        assert_int_equal(matmul_memory(tables[i], MATMUL_AUTO, 4),
                         never ? 0 : 4 * matmul_memory(tables[i], MATMUL_BLAS, 1));
    }
}

static void test_allocation_failures(void **state) {
    (void)state;
    const struct kernel_table *tables[EACH_TABLES];
    struct threads *threads;
    struct matmul m;
    struct lr_error err;
    each_table(tables);
    assert_int_equal(threads_create(2, &threads, &err), LR_OK);
    for (long n = 1;; n++) {
        lr_mem_fail_after(n, 0);
        enum lr_status status = matmul_open(tables[0], threads, MATMUL_BLAS, false, &m, &err);
        lr_mem_fail_after(0, 0);
        if (status == LR_OK) break;
        assert_int_equal(status, LR_EMEMORY);
        assert_true(n < 10);
    }
    matmul_close(&m);
    threads_destroy(threads);
}

static void keep_line(void *ctx, enum lr_log_level level, const char *line) {
    if (level == LR_LOG_WARN) snprintf(ctx, 512, "%s", line);
}

/* In a process of its own with `limit` on `resource`: native is taken, with a warning, and is right. */
static void check_without_room(int resource, rlim_t limit) {
    pid_t child = fork();
    if (child == 0) {
        const struct kernel_table *tables[EACH_TABLES];
        char line[512] = "";
        each_table(tables);
        lr_log_set(keep_line, line);
        struct rlimit r = {limit, limit};
        setrlimit(resource, &r);
        alarm(20);
        struct matmul m = open_with(tables[0], 1, MATMUL_BLAS);
        struct product p = product_make(LR_BF16, 40, 40, 5);
        float *out = run(&m, &p, NULL);
        check_values(&p, NULL, out);
        _exit(m.mode == MATMUL_NATIVE && !m.blas && strstr(line, "OpenBLAS") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_without_room(void **state) {
    (void)state;
#ifdef SUPPORT_SHADOWED
    print_message("sanitizers need unlimited address space\n");
    skip();
#endif
    SUPPORT_NOT_EMULATED(SUPPORT_LIMITS);
    check_without_room(RLIMIT_AS, 150u << 20);
    check_without_room(RLIMIT_DATA, 100u << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_room), /* first: it forks before OpenBLAS is loaded */
        cmocka_unit_test(test_every_mode_is_right),
        cmocka_unit_test(test_native_bits_do_not_depend_on_threads),
        cmocka_unit_test(test_blas_in_place),
        cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_row_longer_than_a_piece),
        cmocka_unit_test(test_auto_takes_what_it_needs),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests_name("kernel matmul", tests, NULL, NULL);
}
