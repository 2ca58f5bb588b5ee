/* Where each weight lives: the arithmetic behind plan_make(). */
#include "weights/place.h"

#include "base/memory_policy.h"
#include "base/pages.h"
#include "weights/units.h"

#define MB (UINT64_C(1) << 20)
/* Measured: with 16 the disk is idle while a head is multiplied, with 64 now and then. */
#define RING_USUAL (96 * MB)
#define RING_SHARE 8 /* of the budget, at most one part in this many */
#define ALIGN_MOST PLACE_ALIGN

/* What pinning the first n units costs: whole pages, and one for where the bytes begin. */
static uint64_t cost(const struct plan_facts *f, const struct tensor_record *t, uint64_t n) {
    return n ? place_pages(f, units_bytes(t, n)) + place_pages(f, 1) : 0;
}

uint64_t place_pass_bytes(const struct plan_facts *f) {
    uint64_t sum = 0;
    for (size_t i = 0; i < f->n_tensors; i++)
        if (weight_read_whole(&f->tensors[i])) sum += f->tensors[i].record->bytes;
    return sum;
}

uint64_t place_vector_bytes(const struct plan_facts *f) {
    uint64_t sum = 0;
    for (size_t i = 0; i < f->n_tensors; i++)
        if (f->tensors[i].kind == WEIGHT_VECTOR) sum += f->tensors[i].record->shape[0] * sizeof(float);
    return sum;
}

uint64_t place_resident_cost(const struct plan_facts *f) {
    uint64_t sum = 0;
    for (size_t i = 0; i < f->n_tensors; i++)
        if (f->tensors[i].kind != WEIGHT_VECTOR)
            sum += cost(f, f->tensors[i].record, units_count(f->tensors[i].record));
    return sum;
}

const struct tensor_record *place_too_large(const struct plan_facts *f) {
    for (size_t i = 0; i < f->n_tensors; i++)
        if (f->tensors[i].kind != WEIGHT_VECTOR && f->tensors[i].record->bytes > POLICY_MAX_TENSOR)
            return f->tensors[i].record;
    return NULL;
}

/* Bytes of a slot for blocks of `span` units. */
static uint64_t slot_bytes(const struct plan_facts *f, uint32_t span) {
    uint64_t largest = 0;
    for (size_t i = 0; i < f->n_tensors; i++) {
        if (!weight_read_whole(&f->tensors[i])) continue;
        uint64_t bytes = units_bytes(f->tensors[i].record, span);
        if (bytes > largest) largest = bytes;
    }
    return (largest + 3 * ALIGN_MOST - 1) / ALIGN_MOST * ALIGN_MOST;
}

/* Blocks of `span` units that a pass reads at most: a ring for more would read the next pass's but one. */
static uint64_t blocks_in_pass(const struct plan_facts *f, uint32_t span) {
    uint64_t n = 0;
    for (size_t i = 0; i < f->n_tensors; i++)
        if (weight_read_whole(&f->tensors[i])) n += (units_count(f->tensors[i].record) + span - 1) / span;
    return n;
}

/* Where the ring is small its blocks are, so that all readers have one and as many are ready: what is needed
 * at least does not depend on how the disk likes to be read. */
struct ring_size plan_ring(const struct plan_facts *f, uint64_t room) {
    uint64_t block = f->rates.block > UNIT_BYTES ? f->rates.block : UNIT_BYTES;
    uint64_t depth = f->rates.depth ? f->rates.depth : 16;
    uint64_t most = f->budget / RING_SHARE < RING_USUAL ? f->budget / RING_SHARE : RING_USUAL;
    if (most > room) most = room;
    struct ring_size r = {.span = (uint32_t)(block / UNIT_BYTES)};
    while (r.span > 1 && (most < 2 * depth * slot_bytes(f, r.span) || blocks_in_pass(f, r.span) < 2 * depth))
        r.span /= 2;
    r.slot = slot_bytes(f, r.span);
    uint64_t slots = most / r.slot, blocks = blocks_in_pass(f, r.span);
    if (slots > blocks) slots = blocks;
    r.slots = slots < 2 ? 2 : (uint32_t)slots;
    return r;
}

/* ---- pinning: `*room` bytes are given out */

/* Pins up to `want` units of tensor i in all, as far as `*quota` goes. */
static void pin_up_to(const struct plan_facts *f, size_t i, uint64_t want, uint64_t *quota,
                      uint64_t *pinned) {
    const struct tensor_record *t = f->tensors[i].record;
    uint64_t have = pinned[i], paid = cost(f, t, have), low = have, high = want;
    while (low < high) { /* the most units that the quota pays for */
        uint64_t middle = low + (high - low + 1) / 2;
        if (cost(f, t, middle) - paid <= *quota && units_bytes(t, middle) <= POLICY_MAX_TENSOR)
            low = middle;
        else
            high = middle - 1;
    }
    *quota -= cost(f, t, low) - paid;
    pinned[i] = low;
}

static void pin_essential(const struct plan_facts *f, uint64_t *room, uint64_t *pinned) {
    for (size_t i = 0; i < f->n_tensors; i++)
        if (f->tensors[i].kind == WEIGHT_ESSENTIAL)
            pin_up_to(f, i, units_count(f->tensors[i].record), room, pinned);
}

/* Tensors of a layer stand together: [begin, end). */
static size_t layer_end(const struct plan_facts *f, size_t begin) {
    size_t end = begin;
    while (end < f->n_tensors && f->tensors[end].kind != WEIGHT_ESSENTIAL &&
           f->tensors[end].layer == f->tensors[begin].layer)
        end++;
    return end;
}

/* Pins of one layer as much as the quota pays for, small matrices first: so that what is left to be read is
 * in few, long pieces. Unused quota stays in `*quota`. */
static void pin_layer(const struct plan_facts *f, size_t begin, size_t end, uint64_t *quota,
                      uint64_t *pinned) {
    for (uint64_t done = 0;;) {
        size_t next = end;
        uint64_t least = UINT64_MAX;
        for (size_t i = begin; i < end;
             i++) { /* the smallest that is larger than those done, or equal and later */
            uint64_t rank = f->tensors[i].record->bytes * f->n_tensors + i;
            if (f->tensors[i].kind != WEIGHT_LAYER || rank < done || rank >= least) continue;
            least = rank;
            next = i;
        }
        if (next == end) return;
        pin_up_to(f, next, units_count(f->tensors[next].record), quota, pinned);
        done = least + 1;
    }
}

/* One more unit here and there, until not even the smallest rest is paid for. */
static void pin_rest(const struct plan_facts *f, uint64_t *room, uint64_t *pinned) {
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < f->n_tensors; i++) {
            uint64_t have = pinned[i];
            if (f->tensors[i].kind != WEIGHT_LAYER || have >= units_count(f->tensors[i].record)) continue;
            pin_up_to(f, i, have + 1, room, pinned);
            more |= pinned[i] > have;
        }
    }
}

static uint64_t layer_bytes(const struct plan_facts *f, size_t begin, size_t end) {
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++)
        if (f->tensors[i].kind == WEIGHT_LAYER) sum += f->tensors[i].record->bytes;
    return sum;
}

void place_pins(const struct plan_facts *f, uint64_t room, uint64_t *pinned) {
    for (size_t i = 0; i < f->n_tensors; i++) pinned[i] = 0;
    pin_essential(f, &room, pinned);
    const uint64_t all = layer_bytes(f, 0, f->n_tensors), for_layers = room;
    for (size_t i = 0, end; i < f->n_tensors; i = end) {
        end = layer_end(f, i);
        if (end == i) {
            end = i + 1;
            continue;
        }
        double part = all ? (double)layer_bytes(f, i, end) / (double)all : 0;
        uint64_t share = (uint64_t)(part * (double)for_layers), quota = share;
        pin_layer(f, i, end, &quota, pinned);
        room -= share - quota;
    }
    pin_rest(f, &room, pinned);
}

void place_all(const struct plan_facts *f, uint64_t *pinned) {
    for (size_t i = 0; i < f->n_tensors; i++)
        pinned[i] = f->tensors[i].kind == WEIGHT_VECTOR ? 0 : units_count(f->tensors[i].record);
}

void place_sum(const struct plan_facts *f, const uint64_t *pinned, uint64_t *bytes, uint64_t *taken,
               uint64_t *streamed) {
    *bytes = *taken = *streamed = 0;
    for (size_t i = 0; i < f->n_tensors; i++) {
        const struct tensor_record *t = f->tensors[i].record;
        *bytes += units_bytes(t, pinned[i]);
        *taken += cost(f, t, pinned[i]);
        if (weight_read_whole(&f->tensors[i])) *streamed += t->bytes - units_bytes(t, pinned[i]);
    }
}

uint64_t place_small_pages(const struct plan_facts *f, const uint64_t *pinned) {
    uint64_t sum = 0;
    for (size_t i = 0; i < f->n_tensors; i++)
        if (pinned[i]) sum += cost(f, f->tensors[i].record, pinned[i]) % PAGES_LARGE;
    return sum;
}
