#include "weights/stream.h"

#include "base/mem.h"
#include "weights/units.h"

void stream_open(const struct stream_source *source, struct readers *readers, struct stream *out) {
    *out = (struct stream){.source = *source, .readers = readers};
}

enum lr_status stream_use(struct stream *s, struct ring_size size, uint8_t *memory, struct lr_error *err) {
    lr_free(s->slots);
    s->slots = NULL;
    s->size = (struct ring_size){0};
    s->head = s->touched = 0;
    if (!size.slots) return LR_OK;
    s->slots = lr_calloc(size.slots, sizeof *s->slots);
    if (!s->slots) return lr_fail_memory(err, "the ring's slots", size.slots * sizeof *s->slots);
    for (uint32_t i = 0; i < size.slots; i++) s->slots[i].memory = memory + i * size.slot;
    s->size = size;
    return LR_OK;
}

void stream_close(struct stream *s) {
    if (s->slots) stream_reset(s);
    lr_free(s->slots);
    *s = (struct stream){0};
}

static bool is_streamed(const struct stream *s, size_t i) {
    const struct plan_tensor *t = &s->source.tensors[i];
    if (t->kind == WEIGHT_ESSENTIAL && s->skip_head) return false;
    return weight_read_whole(t) && s->unit < units_count(t->record);
}

/* Moves on to the next block that is not pinned; false where everything is. */
static bool find_next(struct stream *s) {
    if (s->tensor < s->source.count && s->unit < s->source.pinned[s->tensor])
        s->unit = s->source.pinned[s->tensor];
    for (size_t tries = 0; tries <= s->source.count; tries++) {
        if (s->tensor < s->source.count && is_streamed(s, s->tensor)) return true;
        s->tensor = s->tensor + 1 < s->source.count ? s->tensor + 1 : 0;
        s->unit = s->source.pinned[s->tensor];
    }
    return false;
}

static void submit_next(struct stream *s) {
    struct stream_slot *slot = &s->slots[(s->head + s->queued) % s->size.slots];
    const struct tensor_record *t = s->source.tensors[s->tensor].record;
    uint64_t end = units_block_end(t, s->unit, s->size.span);
    slot->tensor = s->tensor;
    slot->unit = s->unit;
    slot->request = (struct read_request){
        .file = &s->source.files[t->file],
        .begin = t->offset + units_bytes(t, s->unit),
        .end = t->offset + units_bytes(t, end),
        .to = slot->memory,
    };
    s->queued++;
    if (s->touched < s->size.slots) s->touched++;
    s->unit = end;
    readers_submit(s->readers, &slot->request);
}

static void fill(struct stream *s) {
    while (s->queued < s->size.slots && find_next(s)) submit_next(s);
}

static void drop_oldest(struct stream *s) {
    readers_wait(s->readers, &s->slots[s->head].request, NULL);
    s->head = (s->head + 1) % s->size.slots;
    s->queued--;
}

void stream_reset(struct stream *s) {
    if (s->queued) readers_drop(s->readers);
    while (s->queued) drop_oldest(s);
}

static bool is_queued(const struct stream *s, size_t tensor, uint64_t unit) {
    for (uint32_t i = 0; i < s->queued; i++) {
        const struct stream_slot *slot = &s->slots[(s->head + i) % s->size.slots];
        if (slot->tensor == tensor && slot->unit == unit) return true;
    }
    return false;
}

/* Makes the block the oldest in the ring, or the next to be read; whether it was read ahead. */
static bool seek(struct stream *s, size_t tensor, uint64_t unit) {
    bool ahead = is_queued(s, tensor, unit);
    if (ahead) {
        while (s->slots[s->head].tensor != tensor || s->slots[s->head].unit != unit) drop_oldest(s);
    } else {
        stream_reset(s);
        s->tensor = tensor;
        s->unit = unit;
    }
    return ahead;
}

enum lr_status stream_take(struct stream *s, size_t tensor, uint64_t unit, const void **data,
                           struct lr_error *err) {
    bool ahead = seek(s, tensor, unit);
    fill(s);
    struct stream_slot *slot = &s->slots[s->head];
    enum lr_status status = readers_wait(s->readers, &slot->request, ahead ? NULL : err);
    *data = slot->memory + slot->request.begin % slot->request.file->align;
    if (status == LR_OK) return LR_OK;
    stream_reset(s); /* who asks again has it read again: at once where it may have failed long ago */
    return ahead ? stream_take(s, tensor, unit, data, err) : status;
}

void stream_release(struct stream *s) {
    if (!s->queued) return;
    s->head = (s->head + 1) % s->size.slots;
    s->queued--;
    fill(s);
}
