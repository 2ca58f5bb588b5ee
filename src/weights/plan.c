#include "weights/plan.h"

#include "base/checked.h"
#include "base/memory_policy.h"
#include "base/pages.h"
#include "weights/place.h"
#include "weights/predict.h"

#define CHUNK        128u
#define CHUNK_STREAM 512u /* where weights are read again in each pass, and up to ... */
#define CHUNK_MOST                                                                                           \
    4096u               /* ... this while that takes longer than the products, if it costs no more than ... */
#define CHUNK_SHARE 16u /* ... a part in this many of the budget */
#define USEFUL      2048u /* positions: with fewer a model is rather streamed than mapped */
#define RING_APART  4u    /* a ring is another one if it is larger or smaller by a part in so many */

/* What the process owns with a context, pins and ring apart. */
struct owned {
    uint64_t kv, work, sum; /* sum: UINT64_MAX where it is beyond any memory */
};

static struct owned owned_with(const struct plan_facts *f, uint32_t context, uint32_t chunk) {
    struct owned o;
    f->session(f->session_ctx, context, chunk, &o.kv, &o.work, NULL);
    if (lr_add_u64(o.kv, o.work, &o.sum) || lr_add_u64(o.sum, f->tokenizer, &o.sum) ||
        lr_add_u64(o.sum, f->fixed + place_vector_bytes(f), &o.sum))
        o.sum = UINT64_MAX;
    return o;
}

/* Whether the policy lets the session's arena grow to that, block by block (model/kvcache.h: of a gigabyte).
 */
static bool arena_allowed(const struct plan_facts *f, const struct owned *o) {
    const uint64_t block = UINT64_C(1) << 30, total = o->kv + o->work, others = f->tokenizer + f->fixed;
    uint64_t available = others < f->budget ? f->budget - others : 0, size = 0;
    for (uint64_t at = 0; at < total; at += block)
        if (!policy_grow(size, at, total - at < block ? total - at : block, available, &size)) return false;
    return true;
}

/* What must be in memory besides what the process owns, in each mode: the mapped files' part that each pass
 * reads, the least ring, or all copies. */
static uint64_t beside(const struct plan_facts *f, enum lr_load mode) {
    struct ring_size ring = plan_ring(f, 0);
    switch (mode) {
    case LR_LOAD_MAP:
        return place_pass_bytes(f);
    case LR_LOAD_RESIDENT:
        return place_resident_cost(f);
    default:
        return place_pages(f, 2 * ring.slot);
    }
}

/* Addresses: mapping takes them for whole files, streaming some for the stacks of readers and the ring's
 * alignment. */
static uint64_t addresses(const struct plan_facts *f, enum lr_load mode, uint64_t owned) {
    uint64_t sum, more = mode == LR_LOAD_STREAM ? 2 * PAGES_LARGE : 0;
    if (lr_add_u64(owned, mode == LR_LOAD_MAP ? f->files : beside(f, mode), &sum)) return UINT64_MAX;
    if (lr_add_u64(sum, more, &sum)) return UINT64_MAX;
    return sum > f->opening ? sum : f->opening;
}

uint64_t plan_addresses(const struct plan_facts *f, const struct lr_plan *p) {
    return addresses(f, p->mode, owned_with(f, p->context, p->chunk).sum);
}

static bool fits(const struct plan_facts *f, enum lr_load mode, uint32_t context, uint32_t chunk) {
    struct owned o = owned_with(f, context, chunk);
    uint64_t sum;
    if (lr_add_u64(o.sum, beside(f, mode), &sum) || sum > f->budget || f->opening + f->fixed > f->budget)
        return false;
    if (mode == LR_LOAD_RESIDENT && place_resident_cost(f) > f->lock) return false;
    return arena_allowed(f, &o) && addresses(f, mode, o.sum) <= f->address;
}

/* The greatest context in [0, most] that fits, by halving. */
static uint32_t greatest_context(const struct plan_facts *f, enum lr_load mode, uint32_t chunk,
                                 uint32_t most) {
    uint32_t low = 0, high = most;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2 + 1;
        if (fits(f, mode, middle, chunk))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Tokens of a prompt in one pass: the usual, and the fewer where memory is short; multiples of what the
 * kernels take at once, 6 or 4 activations. */
static const uint32_t chunks[] = {CHUNK, 72, 36, 12, 1};

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* The usual chunk, or the largest smaller one with which anything fits. */
static uint32_t choose_chunk(const struct plan_facts *f, enum lr_load mode, uint32_t context) {
    if (f->chunk) return f->chunk;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        if (fits(f, mode, context, chunks[i])) return chunks[i];
    return chunks[0];
}

/* Streaming, one pass over the weights serves a whole chunk: a larger one, where it takes little from the
 * pins. */
static uint32_t widen_chunk(const struct plan_facts *f, uint32_t context, uint32_t chunk) {
    if (f->chunk || chunk < CHUNK) return chunk;
    uint64_t usual = owned_with(f, context, CHUNK).work, pass = place_pass_bytes(f);
    uint64_t streamed = pass > f->budget ? pass - f->budget : 0;
    uint32_t wide = CHUNK_STREAM;
    while (wide < CHUNK_MOST && predict_disk_is_slower(f, streamed, wide)) wide *= 2;
    for (; wide > CHUNK; wide /= 2)
        if (owned_with(f, context, wide).work - usual <= f->budget / CHUNK_SHARE &&
            fits(f, LR_LOAD_STREAM, context, wide))
            return wide;
    return chunk;
}

/* The context for a mode: what was asked for, else as much as fits up to the usual; 0: none fits. */
static uint32_t choose_context(const struct plan_facts *f, enum lr_load mode) {
    if (f->wanted) return f->wanted;
    uint32_t most = smaller(f->limit, f->maximum), context = 0;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks && !context; i++)
        context = greatest_context(f, mode, f->chunk ? f->chunk : chunks[i], most);
    return context;
}

/* Mapped, if all of it fits with a context that is of use; otherwise streamed. */
static enum lr_load choose_mode(const struct plan_facts *f) {
    if (f->load != LR_LOAD_AUTO) return f->load;
    uint32_t context = choose_context(f, LR_LOAD_MAP), usual = smaller(f->limit, f->maximum);
    if (!f->wanted && context < smaller(usual, USEFUL)) return LR_LOAD_STREAM;
    return fits(f, LR_LOAD_MAP, context, choose_chunk(f, LR_LOAD_MAP, context)) ? LR_LOAD_MAP
                                                                                : LR_LOAD_STREAM;
}

/* Where addresses are short, pins take no more than are left: each tensor's begin at a large page. */
static uint64_t room_in_addresses(const struct plan_facts *f, uint64_t used, uint64_t room) {
    if (f->address == UINT64_MAX) return room;
    uint64_t taken = used + (f->n_tensors + 1) * PAGES_LARGE,
             left = taken < f->address ? f->address - taken : 0;
    return room < left ? room : left;
}

/* At most the half of what is left for weights. The ring that is there stays if it is about as large as one
 * made now: with another one, what was read ahead is lost. */
static uint64_t ring_bytes(const struct plan_facts *f, uint64_t room) {
    struct ring_size ring = plan_ring(f, room / 2);
    uint64_t bytes = place_pages(f, ring.slot * ring.slots), apart = bytes / RING_APART;
    bool stays = f->ring <= room && f->ring >= bytes - apart && f->ring <= bytes + apart;
    return stays ? f->ring : bytes;
}

/* What the process owns without pins and ring, with the KV caches as far as this plan is for. */
static uint64_t owned_now(const struct plan_facts *f, const struct owned *o, const struct lr_plan *p) {
    return o->sum - o->kv + p->kv_now - f->unfilled;
}

/* Pins what the budget leaves; without a ring if that is all. */
static void place_streamed(const struct plan_facts *f, const struct owned *o, uint64_t *pinned,
                           struct lr_plan *out) {
    uint64_t used = owned_now(f, o, out), room = used < f->budget ? f->budget - used : 0, bytes;
    room = room_in_addresses(f, o->sum, room); /* the KV cache has all of its addresses */
    place_pins(f, room < f->lock ? room : f->lock, pinned);
    place_sum(f, pinned, &bytes, &out->pins, &out->streamed);
    out->pinned = bytes;
    if (!out->streamed) return;
    out->ring = ring_bytes(f, room);
    room = out->ring < room ? room - out->ring : 0;
    place_pins(f, room < f->lock ? room : f->lock, pinned);
    place_sum(f, pinned, &out->pinned, &out->pins, &out->streamed);
}

static void place(const struct plan_facts *f, const struct owned *o, uint64_t *pinned, struct lr_plan *out) {
    for (size_t i = 0; i < f->n_tensors; i++) pinned[i] = 0;
    if (out->mode == LR_LOAD_STREAM && (out->fits || f->open)) place_streamed(f, o, pinned, out);
    if (out->mode == LR_LOAD_STREAM && !out->fits && !f->open) out->ring = beside(f, LR_LOAD_STREAM);
    if (out->mode != LR_LOAD_RESIDENT) return;
    place_all(f, pinned);
    place_sum(f, pinned, &out->pinned, &out->pins, &out->streamed);
}

/* The smallest budget with which it fits, by halving: the sum of the parts, or more where the policy wants
 * it. */
static uint64_t least_need(const struct plan_facts *f, enum lr_load mode, uint32_t context, uint32_t chunk) {
    struct plan_facts other = *f;
    struct owned o = owned_with(f, context, chunk);
    uint64_t low, high;
    other.address = other.lock = UINT64_MAX;
    if (lr_add_u64(o.sum, beside(f, mode), &low) || lr_add_u64(low, f->opening, &low) || low > UINT64_MAX / 4)
        return UINT64_MAX;
    for (high = 2 * low, low = 0; low < high;) {
        other.budget = low + (high - low) / 2;
        if (fits(&other, mode, context, chunk))
            high = other.budget;
        else
            low = other.budget + 1;
    }
    return low;
}

static struct owned judge(const struct plan_facts *f, struct lr_plan *out) {
    *out = (struct lr_plan){.budget = f->budget, .tokenizer = f->tokenizer, .mode = choose_mode(f)};
    out->context = choose_context(f, out->mode);
    if (!out->context) out->context = 1;
    out->chunk = choose_chunk(f, out->mode, out->context);
    out->fits = fits(f, out->mode, out->context, out->chunk);
    if (out->mode == LR_LOAD_RESIDENT && place_too_large(f)) out->fits = false;
    if (out->mode == LR_LOAD_STREAM) out->chunk = widen_chunk(f, out->context, out->chunk);
    out->chunk = smaller(out->chunk, out->context);
    out->context_that_fits = greatest_context(f, out->mode, out->chunk, f->maximum);
    struct owned o = owned_with(f, out->context, out->chunk);
    out->kv = o.kv;
    out->work = o.work;
    out->fixed = f->fixed - f->unfilled + place_vector_bytes(f);
    out->least = least_need(f, out->mode, out->context, out->chunk);
    return o;
}

void plan_judge(const struct plan_facts *f, struct lr_plan *out) {
    judge(f, out);
}

/* The parts and their sum. Reading the tokenizer comes first, when the rest is not there yet. */
static void add_up(const struct plan_facts *f, const struct owned *o, struct lr_plan *out) {
    if (o->sum == UINT64_MAX || lr_add_u64(owned_now(f, o, out), out->pins + out->ring, &out->need))
        out->need = UINT64_MAX;
    if (out->need < f->opening + f->fixed) out->opening = f->opening + f->fixed - out->need;
    out->need += out->opening;
}

bool plan_lock_short(const struct plan_facts *f, const struct lr_plan *p) {
    if (p->mode == LR_LOAD_RESIDENT) return place_resident_cost(f) > f->lock;
    return p->mode == LR_LOAD_STREAM && p->streamed && p->budget > f->lock &&
           p->budget - f->lock > p->need - p->pins;
}

void plan_make(const struct plan_facts *f, uint64_t *pinned, struct lr_plan *out) {
    struct owned o = judge(f, out);
    for (size_t i = 0; i < f->n_tensors; i++) out->weights += f->tensors[i].record->bytes;
    out->kv_now = f->filled && f->filled < out->context ? owned_with(f, f->filled, out->chunk).kv : o.kv;
    place(f, &o, pinned, out);
    out->mapped = out->mode == LR_LOAD_MAP ? out->weights : 0;
    add_up(f, &o, out);
    predict_speed(f, pinned, out);
}
