#include "kernel/blas.h"

#include <cblas.h>
#include <dlfcn.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/mem.h"

/* Address space that the library maps for each calling thread, and for itself (0.3.21: 128 and 39 MiB). */
#define BUFFER_ADDRESS  (128ull << 20)
#define LIBRARY_ADDRESS (64ull << 20)
/* Of its buffer a call touches this much (measured: 1.8 MiB, with any shape and core type). */
#define BUFFER_TOUCHED (2ull << 20)
/* Widened weight rows: enough to hide the packing of x, small enough to stay in the cache. */
#define PANEL_FLOATS (256u << 10)

struct blas {
    void *library;
    __typeof__(cblas_sgemm) *sgemm;
    const struct kernel_table *kernels;
    uint32_t threads;
    float *panels; /* [threads, PANEL_FLOATS] */
};

uint64_t blas_memory(uint32_t threads) {
    return threads * (PANEL_FLOATS * sizeof(float) + BUFFER_TOUCHED);
}

/* Whether all limits (address space, data, strict overcommit) would let so many bytes be mapped. */
static bool room_for(uint64_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return false;
    munmap(p, bytes);
    return true;
}

/* Loads the library while this thread is bound to one processor: it then starts no threads of its own, which
 * would spin for a tenth of a second and map a buffer each. */
static void *load_library(void) {
    cpu_set_t all, one;
    int cpu = sched_getcpu();
    bool bound = cpu >= 0 && cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof all, &all) == 0;
    if (bound) {
        CPU_ZERO(&one);
        CPU_SET((size_t)cpu, &one);
        bound = sched_setaffinity(0, sizeof one, &one) == 0;
    }
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
    if (bound) sched_setaffinity(0, sizeof all, &all);
    return library;
}

/* The function called `name`, through memory as ISO C has no cast from an object pointer to a function. */
static bool find_function(void *library, const char *name, void *out) {
    void *symbol = dlsym(library, name);
    memcpy(out, &symbol, sizeof symbol);
    return symbol != NULL;
}

struct warm_up {
    const struct blas *b;
    atomic_uint arrived;
};

/* Waits until every thread is here, so that each makes its own call and all take a buffer at once. */
static void warm_thread(void *ctx, uint32_t task, uint32_t thread) {
    (void)task;
    struct warm_up *warm = ctx;
    enum { SIDE = 192 };
    float *panel = warm->b->panels + (size_t)thread * PANEL_FLOATS;
    memset(panel, 0, PANEL_FLOATS * sizeof *panel);
    atomic_fetch_add(&warm->arrived, 1);
    while (atomic_load(&warm->arrived) < warm->b->threads) sched_yield();
    warm->b->sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, SIDE, SIDE, SIDE, 1.0f, panel, SIDE,
                   panel + SIDE * SIDE, SIDE, 0.0f, panel + 2 * SIDE * SIDE, SIDE);
}

static enum lr_status prepare(struct blas *b, struct threads *threads, struct lr_error *err) {
    void (*set_num_threads)(int);
    if (!find_function(b->library, "cblas_sgemm", &b->sgemm))
        return lr_fail(err, LR_EFAILED, "libopenblas.so.0 has no cblas_sgemm");
    if (find_function(b->library, "openblas_set_num_threads", &set_num_threads)) set_num_threads(1);
    size_t size = (size_t)b->threads * PANEL_FLOATS * sizeof(float);
    b->panels = lr_malloc(size);
    if (!b->panels) return lr_fail_memory(err, "matrix panels", size);
    struct warm_up warm = {.b = b};
    threads_run(threads, b->threads, warm_thread, &warm);
    return LR_OK;
}

enum lr_status blas_open(const struct kernel_table *kernels, struct threads *threads, struct blas **out,
                         struct lr_error *err) {
    *out = NULL;
    uint32_t n = threads_count(threads);
    uint64_t need = n * BUFFER_ADDRESS + LIBRARY_ADDRESS;
    if (!room_for(need)) {
        lr_log(LR_LOG_WARN,
               "a memory limit leaves no room for OpenBLAS (%llu MB of address space): native "
               "matrix products are used",
               (unsigned long long)(need >> 20));
        return LR_OK;
    }
    struct blas *b = lr_calloc(1, sizeof *b);
    if (!b) return lr_fail_memory(err, "OpenBLAS", sizeof *b);
    *b = (struct blas){.library = load_library(), .kernels = kernels, .threads = n};
    if (!b->library) {
        lr_log(LR_LOG_WARN, "OpenBLAS cannot be loaded (%s): native matrix products are used", dlerror());
        lr_free(b);
        return LR_OK;
    }
    enum lr_status status = prepare(b, threads, err);
    if (status != LR_OK) {
        blas_close(b);
        return status;
    }
    *out = b;
    return LR_OK;
}

void blas_describe(char *out, size_t size) {
    char *(*config)(void);
    void *library = room_for(BUFFER_ADDRESS + LIBRARY_ADDRESS) ? load_library() : NULL;
    bool known = library && find_function(library, "openblas_get_config", &config);
    snprintf(out, size, "%s", known ? config() : library ? "OpenBLAS" : "no OpenBLAS");
}

/* The library stays loaded: its buffers are kept for the next engine. */
void blas_close(struct blas *b) {
    if (!b) return;
    lr_free(b->panels);
    lr_free(b);
}

size_t blas_piece(const struct tensor_view *w, size_t n_x) {
    if (w->cols > PANEL_FLOATS || w->cols == 0 || w->rows > INT_MAX || n_x > INT_MAX) return 0;
    return PANEL_FLOATS / w->cols;
}

void blas_rows(const struct blas *b, uint32_t thread, const struct tensor_view *w, size_t first, size_t n,
               const float *x, size_t n_x, float *out, size_t ld_out) {
    size_t k = w->cols, size = lr_dtype_size(w->dtype);
    const char *from = (const char *)w->data + first * k * size;
    const float *rows = (const float *)(const void *)from;
    if (w->dtype != LR_F32 || (uintptr_t)from % sizeof(float) != 0) {
        float *panel = b->panels + (size_t)thread * PANEL_FLOATS;
        for (size_t r = 0; r < n; r++) tensor_widen(b->kernels, w, first + r, 0, k, panel + r * k);
        rows = panel;
    }
    b->sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_x, (int)n, (int)k, 1.0f, x, (int)k, rows, (int)k,
             0.0f, out + first, (int)ld_out);
}
