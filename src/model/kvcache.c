#include "model/kvcache.h"

#include "base/checked.h"
#include "kernel/kv.h"

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
    uint64_t head_bytes = kv_head_bytes(type, s->head_dim), block_bytes, bytes;
    if (lr_mul_u64(head_bytes, (uint64_t)s->layers * s->kv_heads, &block_bytes) ||
        lr_mul_u64(block_bytes, n, &bytes))
        return lr_refuse_tensor(err, "the KV cache", UINT64_MAX, "a smaller -c");
    *out = (struct kv_pool){.n_blocks = n,
                            .n_free = n,
                            .kv_heads = s->kv_heads,
                            .type = type,
                            .head_bytes = head_bytes,
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
    void *blocks, *at;
    const uint64_t n = pool->n_blocks;
    LR_TRY(arena_alloc(arena, n * sizeof *out->blocks, "a sequence's table of KV blocks", &blocks, err));
    LR_TRY(arena_alloc(arena, n * sizeof *out->at, "the addresses of a sequence's KV blocks", &at, err));
    *out = (struct kv_sequence){.pool = pool, .blocks = blocks, .at = at};
    return LR_OK;
}

enum lr_status kv_sequence_reserve(struct kv_sequence *s, uint32_t positions, struct lr_error *err) {
    uint32_t need = positions / KERNEL_KV_BLOCK + (positions % KERNEL_KV_BLOCK != 0);
    if (need > s->n_blocks && need - s->n_blocks > s->pool->n_free)
        return lr_fail(err, LR_EUSAGE, "the KV cache is full: %u positions asked for, room for %u more",
                       positions, s->pool->n_free * KERNEL_KV_BLOCK);
    for (; s->n_blocks < need; s->n_blocks++) {
        uint32_t block = s->pool->free_blocks[--s->pool->n_free];
        s->blocks[s->n_blocks] = block;
        s->at[s->n_blocks] =
            s->pool->slabs[block / s->pool->per_slab] + block % s->pool->per_slab * s->pool->block_bytes;
    }
    return LR_OK;
}

void kv_sequence_clear(struct kv_sequence *s) {
    while (s->n_blocks) s->pool->free_blocks[s->pool->n_free++] = s->blocks[--s->n_blocks];
}

uint64_t kv_head_offset(const struct kv_pool *p, uint32_t layer, uint32_t head) {
    return ((uint64_t)layer * p->kv_heads + head) * p->head_bytes;
}

uint8_t *kv_head(const struct kv_sequence *s, uint32_t layer, uint32_t head, uint32_t position) {
    return s->at[position / KERNEL_KV_BLOCK] + kv_head_offset(s->pool, layer, head);
}
