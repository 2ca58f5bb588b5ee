/* What a model and a machine are, for --info and --version. */
#include "kernel/blas.h"
#include "kernel/kernel.h"
#include "run/engine.h"
#include "sys/cpu.h"

#include <stdio.h>

#ifdef __clang__
#define COMPILER "" /* its version says its name */
#else
#define COMPILER "gcc "
#endif

enum lr_dtype engine_main_dtype(const struct lr_engine *e) {
    const uint64_t *bytes = e->binding.dtype_bytes;
    int best = LR_F32;
    for (int i = 0; i < LR_DTYPE_COUNT; i++)
        if (bytes[i] > bytes[best]) best = i;
    return (enum lr_dtype)best;
}

struct lr_model_info lr_engine_info(const struct lr_engine *e) {
    const struct model_spec *s = &e->spec;
    return (struct lr_model_info){
        .family = s->family,
        .architecture = e->config.architecture,
        .quant = e->quantised ? quantise_name(e->quant_kind) : "none",
        .quant_path = e->quant_path,
        .dtype = lr_dtype_label(engine_main_dtype(e)),
        .parameters = e->binding.parameters,
        .weight_bytes = e->binding.used_bytes,
        .layers = s->layers,
        .dim = s->dim,
        .heads = s->heads,
        .kv_heads = s->kv_heads,
        .head_dim = s->head_dim,
        .ffn_dim = s->ffn_dim,
        .vocab = s->vocab,
        .max_context = s->max_context,
        .tied_head = s->tied_head,
        .has_template = e->has_template,
        .has_tokenizer = e->tokenizer || e->dir.tokenizer || (e->dir.vocab && e->dir.merges),
    };
}

const char *lr_engine_kept(const struct lr_engine *e, size_t i, const char **quant, uint64_t *bytes) {
    if (i >= e->n_kept) return NULL;
    *quant = e->kept[i].quant;
    *bytes = e->kept[i].bytes;
    return e->kept[i].path;
}

uint64_t lr_memory_total(void) {
    struct memory_info info;
    return memory_read("", 0, &info, NULL) == LR_OK ? info.total : 0;
}

uint64_t lr_memory_peak(void) {
    return memory_peak_resident();
}

void lr_build_info(char *line, size_t size) {
    const struct kernel_table *kernels;
    char blas[160];
    enum lr_status status = kernel_select(cpu_features(), NULL, &kernels, NULL);
    blas_describe(blas, sizeof blas);
    snprintf(line, size, "built by " COMPILER "%s; %s kernels; %s", __VERSION__,
             status == LR_OK ? kernels->name : "no", blas);
}
