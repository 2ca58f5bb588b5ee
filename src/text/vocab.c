#include "text/vocab.h"

#include "base/mem.h"

#include <xxhash.h>

#define SLOT_HASH (~UINT64_C(0) << 32)

static uint64_t hash_piece(const struct vocab *v, struct lr_str piece) {
    return XXH3_64bits_withSeed(piece.data, piece.len, v->seed);
}

static uint64_t slots_for(size_t count) {
    uint64_t n = 16;
    while (n < 2 * (uint64_t)count) n *= 2;
    return n;
}

enum lr_status vocab_init(struct vocab *v, size_t count, size_t text_size, uint32_t size, const char *name,
                          const char *key, struct lr_error *err) {
    *v = (struct vocab){0};
    if (count > VOCAB_MAX_ID || size > VOCAB_MAX_ID + 1 || size > 4 * (uint64_t)count + 1000000)
        return lr_fail(err, LR_EMODEL, "%s: %s: the greatest id is %u, too great for %zu entries", name, key,
                       size - 1, count);
    if (text_size >= VOCAB_NONE)
        return lr_fail(err, LR_EMODEL, "%s: %s: its pieces hold %zu bytes, more than 4 GB", name, key,
                       text_size);
    uint64_t slots = slots_for(count);
    v->text = lr_malloc(text_size + 1);
    v->entries = lr_malloc(((size_t)size + 1) * sizeof *v->entries);
    v->slots = lr_calloc(slots, sizeof *v->slots);
    if (!v->text || !v->entries || !v->slots) {
        vocab_free(v);
        return lr_fail_memory(err, key, text_size + size * sizeof *v->entries + slots * sizeof *v->slots);
    }
    memset(v->entries, 0xFF, ((size_t)size + 1) * sizeof *v->entries);
    v->seed = (uintptr_t)v->text; /* an address: nobody can prepare pieces that collide */
    v->mask = slots - 1;
    v->size = size;
    v->text_size = text_size;
    return LR_OK;
}

void vocab_free(struct vocab *v) {
    if (!v->borrowed) {
        lr_free(v->text);
        lr_free(v->entries);
        lr_free(v->slots);
    }
    *v = (struct vocab){0};
}

/* Whether a slot is free or leads to an entry. */
static bool slot_leads(const struct vocab *v, uint64_t slot) {
    return !slot || ((uint32_t)slot && vocab_has(v, (uint32_t)slot - 1));
}

bool vocab_borrow(struct vocab *v) {
    uint64_t wrong = 0;
    v->borrowed = true;
    v->count = 0;
    if (!v->size || v->size > VOCAB_MAX_ID + 1 || v->text_size >= VOCAB_NONE || (v->mask & (v->mask + 1)))
        return false;
    for (uint32_t i = 0; i < v->size; i++) {
        struct vocab_entry e = v->entries[i];
        wrong += e.begin != VOCAB_NONE && (uint64_t)e.begin + e.len > v->text_size;
    }
    for (uint64_t i = 0; i <= v->mask; i++) {
        wrong += !slot_leads(v, v->slots[i]);
        v->count += v->slots[i] != 0;
    }
    return !wrong && v->count <= v->mask; /* a search ends at a free slot */
}

/* Where the piece stands in the table, or the free slot where it would. */
static uint64_t *find_slot(const struct vocab *v, uint64_t hash, struct lr_str piece) {
    uint64_t i = hash & v->mask;
    for (; v->slots[i]; i = (i + 1) & v->mask) {
        if ((v->slots[i] ^ hash) & SLOT_HASH) continue;
        struct vocab_entry e = v->entries[(uint32_t)v->slots[i] - 1];
        if (e.len == piece.len && memcmp(v->text + e.begin, piece.data, piece.len) == 0) break;
    }
    return &v->slots[i];
}

enum vocab_added vocab_add(struct vocab *v, uint32_t id, struct lr_str piece) {
    if (vocab_has(v, id)) return VOCAB_SAME_ID;
    uint64_t hash = hash_piece(v, piece), *slot = find_slot(v, hash, piece);
    if (*slot) return VOCAB_SAME_PIECE;
    *slot = (hash & SLOT_HASH) | (id + 1);
    v->entries[id] = (struct vocab_entry){(uint32_t)v->text_used, (uint32_t)piece.len};
    memcpy(v->text + v->text_used, piece.data, piece.len);
    v->text_used += piece.len;
    v->count++;
    return VOCAB_OK;
}

uint64_t vocab_ask(const struct vocab *v, struct lr_str piece) {
    if (!v->count) return 0;
    uint64_t hash = hash_piece(v, piece);
    __builtin_prefetch(&v->slots[hash & v->mask]);
    return hash;
}

uint32_t vocab_answer(const struct vocab *v, uint64_t asked, struct lr_str piece) {
    if (!v->count) return VOCAB_NONE;
    uint64_t slot = *find_slot(v, asked, piece);
    return slot ? (uint32_t)slot - 1 : VOCAB_NONE;
}

uint32_t vocab_find(const struct vocab *v, struct lr_str piece) {
    return vocab_answer(v, v->count ? hash_piece(v, piece) : 0, piece);
}

bool vocab_has(const struct vocab *v, uint32_t id) {
    return id < v->size && v->entries[id].begin != VOCAB_NONE;
}

struct lr_str vocab_piece(const struct vocab *v, uint32_t id) {
    if (!vocab_has(v, id)) return LR_STR("");
    return (struct lr_str){v->text + v->entries[id].begin, v->entries[id].len};
}

size_t vocab_memory(const struct vocab *v) {
    if (!v->slots || v->borrowed) return 0;
    return v->text_size + v->size * sizeof *v->entries + (v->mask + 1) * sizeof *v->slots;
}
