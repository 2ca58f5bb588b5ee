#include "model/kvcache.h"

#include "base/checked.h"

static size_t element_size(enum kv_type type) {
    return type == KV_F32 ? 4 : 2;
}

/* Bytes of one position over all layers. */
static uint64_t position_bytes(const struct model_spec *s, enum kv_type type) {
    return (uint64_t)s->layers * 2 * spec_kv_dim(s) * element_size(type);
}

/* The blocks' memory, in slabs that the memory policy allows each: a long context is larger than one may be.
 */
static enum lr_status allocate_slabs(struct arena *arena, struct kv_pool *pool, struct lr_error *err) {
    void *p;
    uint64_t most = KV_SLAB / pool->block_bytes;
    pool->per_slab = most > 1 ? (uint32_t)most : 1;
    pool->n_slabs = pool->n_blocks / pool->per_slab + (pool->n_blocks % pool->per_slab != 0);
    LR_TRY(arena_alloc(arena, pool->n_slabs * sizeof *pool->slabs, "the KV cache's list of slabs", &p, err));
    pool->slabs = p;
    for (uint32_t i = 0, left = pool->n_blocks; i < pool->n_slabs; i++) {
        uint32_t blocks = left < pool->per_slab ? left : pool->per_slab;
        LR_TRY(arena_alloc(arena, blocks * pool->block_bytes, "the KV cache", &p, err));
        if (pool->slabs) pool->slabs[i] = p;
        left -= blocks;
    }
    return LR_OK;
}

enum lr_status kv_pool_init(struct arena *arena, const struct model_spec *s, enum kv_type type,
                            uint32_t positions, struct kv_pool *out, struct lr_error *err) {
    uint32_t n = positions / KERNEL_KV_BLOCK + (positions % KERNEL_KV_BLOCK != 0);
    uint64_t block_bytes, bytes;
    if (lr_mul_u64(position_bytes(s, type), KERNEL_KV_BLOCK, &block_bytes) ||
        lr_mul_u64(block_bytes, n, &bytes))
        return lr_refuse_tensor(err, "the KV cache", UINT64_MAX, "a smaller -c");
    *out = (struct kv_pool){.n_blocks = n,
                            .n_free = n,
                            .layers = s->layers,
                            .kv_dim = spec_kv_dim(s),
                            .type = type,
                            .block_bytes = block_bytes};
    void *p;
    LR_TRY(arena_alloc(arena, n * sizeof *out->free_blocks, "the KV cache's list of blocks", &p, err));
    out->free_blocks = p;
    LR_TRY(allocate_slabs(arena, out, err));
    for (uint32_t i = 0; out->free_blocks && i < n; i++) out->free_blocks[i] = n - 1 - i;
    return LR_OK;
}

enum lr_status kv_sequence_init(struct arena *arena, struct kv_pool *pool, struct kv_sequence *out,
                                struct lr_error *err) {
    void *p;
    LR_TRY(
        arena_alloc(arena, pool->n_blocks * sizeof *out->blocks, "a sequence's table of KV blocks", &p, err));
    *out = (struct kv_sequence){.pool = pool, .blocks = p};
    return LR_OK;
}

enum lr_status kv_sequence_reserve(struct kv_sequence *s, uint32_t positions, struct lr_error *err) {
    uint32_t need = positions / KERNEL_KV_BLOCK + (positions % KERNEL_KV_BLOCK != 0);
    if (need > s->n_blocks && need - s->n_blocks > s->pool->n_free)
        return lr_fail(err, LR_EUSAGE, "the KV cache is full: %u positions asked for, room for %u more",
                       positions, s->pool->n_free * KERNEL_KV_BLOCK);
    while (s->n_blocks < need) s->blocks[s->n_blocks++] = s->pool->free_blocks[--s->pool->n_free];
    return LR_OK;
}

void kv_sequence_clear(struct kv_sequence *s) {
    while (s->n_blocks) s->pool->free_blocks[s->pool->n_free++] = s->blocks[--s->n_blocks];
}

void *kv_slot(const struct kv_sequence *s, uint32_t layer, bool value, uint32_t position) {
    const struct kv_pool *p = s->pool;
    uint64_t row = ((uint64_t)layer * 2 + value) * KERNEL_KV_BLOCK + position % KERNEL_KV_BLOCK;
    uint32_t block = s->blocks[position / KERNEL_KV_BLOCK];
    return p->slabs[block / p->per_slab] + block % p->per_slab * p->block_bytes +
           row * p->kv_dim * element_size(p->type);
}
