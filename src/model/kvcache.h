/* kvcache.h - keys and values of past positions, in blocks of KERNEL_KV_BLOCK positions from one pool, with a
 * table per sequence. A block holds all layers, of each the KV heads one after the other (kernel/kv.h).
 * Memory behind a block is touched when its first position is written. Not thread-safe. */
#ifndef LR_MODEL_KVCACHE_H
#define LR_MODEL_KVCACHE_H

#include "base/arena.h"
#include "kernel/kernel.h"
#include "model/spec.h"

#define KV_SLAB (UINT64_C(1) << 30)

struct kv_pool {
    uint8_t *
        *slabs; /* [n_slabs] of `per_slab` blocks each: no allocation is larger than KV_SLAB, or one block */
    uint32_t n_slabs, per_slab;
    uint32_t *free_blocks; /* [n_blocks] stack of those not taken */
    uint32_t n_blocks, n_free;
    uint32_t kv_heads;
    enum kv_type type;
    uint64_t head_bytes, block_bytes; /* of one head of a layer in a block; of a block */
};

struct kv_sequence {
    struct kv_pool *pool;
    uint32_t *blocks; /* [pool->n_blocks], of them `n_blocks` taken, in the order of positions */
    uint8_t **at;     /* [pool->n_blocks]: where each begins */
    uint32_t n_blocks;
};

/* A pool for `positions`, rounded up to whole blocks, in `arena` (which may be measuring). */
enum lr_status kv_pool_init(struct arena *arena, const struct model_spec *s, enum kv_type type,
                            uint32_t positions, struct kv_pool *out, struct lr_error *err);
/* An empty sequence; its table lives in `arena`. */
enum lr_status kv_sequence_init(struct arena *arena, struct kv_pool *pool, struct kv_sequence *out,
                                struct lr_error *err);
/* Takes blocks until `positions` fit; LR_EUSAGE when the pool has no more (nothing is taken then). */
enum lr_status kv_sequence_reserve(struct kv_sequence *s, uint32_t positions, struct lr_error *err);
/* Gives all blocks back. */
void kv_sequence_clear(struct kv_sequence *s);

/* Where a KV head's part of a layer begins in each block. */
uint64_t kv_head_offset(const struct kv_pool *p, uint32_t layer, uint32_t head);
/* That part of the block with `position`, to be written to by kv_store(). */
uint8_t *kv_head(const struct kv_sequence *s, uint32_t layer, uint32_t head, uint32_t position);

#endif
