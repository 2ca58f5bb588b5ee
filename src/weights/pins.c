#include "weights/pins.h"

#include "base/checked.h"
#include "base/mem.h"
#include "base/pages.h"
#include "weights/units.h"

static uint64_t round_up(uint64_t bytes, uint64_t to) {
    return (bytes + to - 1) / to * to;
}

/* Bytes of memory that the first n units of a pin take. */
static uint64_t memory_of(const struct pins *p, const struct pin *pin, uint64_t n) {
    return n ? round_up(pin->skew + units_bytes(pin->record, n), p->grain) : 0;
}

enum lr_status pins_open(const struct tensor_record *const *records, const uint64_t *most, size_t count,
                         uint32_t align, struct pins *out, struct lr_error *err) {
    *out = (struct pins){.pins = lr_calloc(count, sizeof *out->pins), .count = count};
    out->grain = pages_size() > align ? pages_size() : align;
    if (!out->pins) return lr_fail_memory(err, "the table of pinned weights", count * sizeof *out->pins);
    for (size_t i = 0; i < count; i++) {
        struct pin *p = &out->pins[i];
        *p = (struct pin){.record = records[i], .at = out->reserved, .skew = records[i]->offset % align};
        p->most = most[i];
        uint64_t bytes = round_up(memory_of(out, p, most[i]), PAGES_LARGE);
        if (lr_add_u64(out->reserved, bytes, &out->reserved))
            return lr_fail_memory(err, "addresses for weights", UINT64_MAX);
    }
    if (out->reserved) out->range = pages_reserve(out->reserved + PAGES_LARGE);
    if (out->range)
        out->base = out->range + (PAGES_LARGE - (uintptr_t)out->range % PAGES_LARGE) % PAGES_LARGE;
    if (out->base || !out->reserved) return LR_OK;
    uint64_t bytes = out->reserved;
    pins_close(out);
    return lr_fail_memory(err, "addresses for weights", bytes);
}

void pins_close(struct pins *p) {
    if (p->range) pages_release(p->range, p->reserved + PAGES_LARGE);
    lr_free(p->pins);
    *p = (struct pins){0};
}

bool pins_grow(struct pins *p, size_t i, uint64_t units) {
    struct pin *pin = &p->pins[i];
    if (units > pin->most) return false;
    uint64_t need = memory_of(p, pin, units), more = need > pin->usable ? need - pin->usable : 0;
    if (more) {
        uint8_t *from = p->base + pin->at + pin->usable;
        if (!growth_allows(&p->growth, more) || !pages_use(from, more)) return false;
        pages_want_large(from, more); /* each time: what was given back is an ordinary range again */
        if (p->lock && !pages_lock(from, more)) {
            pages_give_back(from, more);
            return false;
        }
        pin->usable = need;
        p->growth.taken += more;
    }
    if (units > pin->units) pin->units = units;
    return true;
}

void pins_shrink(struct pins *p, size_t i, uint64_t units) {
    struct pin *pin = &p->pins[i];
    if (units >= pin->units) return;
    uint64_t keep = memory_of(p, pin, units);
    pin->units = units;
    if (keep >= pin->usable) return;
    pages_give_back(p->base + pin->at + keep, pin->usable - keep);
    p->growth.taken -= pin->usable - keep;
    pin->usable = keep;
}
