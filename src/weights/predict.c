#include "weights/predict.h"

#include "base/dtype.h"
#include "weights/place.h"

/* Seconds for the parts of a token that no rate tells of: norms, attention of a short text, waiting for each
 * other (measured: about 15 us for a layer). */
#define LAYER_SECONDS 15e-6
/* Of a prompt's pass: that share of the reading is not hidden by products, and what stands between products
 * takes so much more (measured: chunks of 4 to 256 tokens within 8 %). */
#define SEEN_SHARE     0.5
#define BETWEEN_FACTOR 1.05
/* Products whose weights are handed over by a ring, row block by row block, beside those of mapped weights
 * (measured: 1.04 to 1.1). */
#define HANDED_FACTOR 1.05
/* What the disk gives while products run on the same processors: this share of its rate alone. A small ring
 * holds up both the disk and the products, as each of its bytes waits for the other side (measured: 6 MB 0.66
 * of the rate, 11 MB 0.8, 20 MB 0.84, 45 MB 0.9, 80 MB 0.94). */
#define STREAM_SHARE  0.94
#define WAITING_BYTES 2.3e6
/* Bytes a second of memory that the system clears before it is pinned, beside the reading: in large pages,
 * and in small ones (measured over a sweep of pins from 24 to 570 MB). */
#define CLEAR_RATE 20e9
#define SMALL_RATE 2.2e9
/* What reading a tokenizer's files takes for each byte that it holds afterwards; starting at all; and
 * starting readers, and waiting for the last ones. */
#define TOKENIZER_RATE  130e6
#define START_SECONDS   0.005
#define READERS_SECONDS 0.004

static double greater(double a, double b) {
    return a > b ? a : b;
}

/* Multiply-adds for one token: of the layers, and of the head. */
static void count_work(const struct plan_facts *f, double *layers, double *head) {
    *layers = *head = 0;
    for (size_t i = 0; i < f->n_tensors; i++) {
        const struct plan_tensor *t = &f->tensors[i];
        double n = (double)t->record->shape[0] * (double)t->record->shape[1];
        if (t->record->rank != 2) continue;
        if (t->kind == WEIGHT_LAYER) *layers += n;
        if (t->kind == WEIGHT_ESSENTIAL) *head += n;
    }
}

bool predict_disk_is_slower(const struct plan_facts *f, uint64_t streamed, uint32_t chunk) {
    const struct plan_rates *r = &f->rates;
    double layers, head;
    count_work(f, &layers, &head);
    return r->disk > 0 && r->prefill > 0 && (double)streamed / r->disk > (layers * chunk + head) / r->prefill;
}

/* Seconds that a pass of n tokens takes for its products: weights come from memory once, partly while those
 * before are multiplied with each token. */
static double products_seconds(const struct plan_facts *f, double n) {
    const struct plan_rates *r = &f->rates;
    double layers, head, token = (double)place_pass_bytes(f) / r->product;
    count_work(f, &layers, &head);
    double many = n > 1 ? (layers * n + head) * BETWEEN_FACTOR / r->prefill + token * SEEN_SHARE : 0;
    return greater(token, many) + LAYER_SECONDS * f->layers;
}

static double clear_seconds(const struct plan_facts *f, const uint64_t *pinned, uint64_t pins) {
    double small = (double)place_small_pages(f, pinned);
    return small / SMALL_RATE + ((double)pins - small) / CLEAR_RATE;
}

void predict_speed(const struct plan_facts *f, const uint64_t *pinned, struct lr_plan *p) {
    const struct plan_rates *r = &f->rates;
    double ring = (double)p->ring, waiting = p->streamed ? ring / (ring + WAITING_BYTES) : 1;
    double disk = r->disk > 0 ? (double)p->streamed / (r->disk * STREAM_SHARE * waiting) : 0;
    double handed = p->streamed ? HANDED_FACTOR / waiting : 1;
    bool disk_known = r->disk > 0 || !p->streamed;
    if (r->product > 0 && disk_known) p->decode_tok_s = 1 / greater(disk, products_seconds(f, 1));
    if (r->prefill > 0 && r->product > 0 && disk_known)
        p->prefill_tok_s = p->chunk / greater(disk, products_seconds(f, p->chunk) * handed);
    uint64_t load = p->mode == LR_LOAD_MAP ? f->cold : p->pins;
    if (r->disk > 0 || !load)
        p->load_s = START_SECONDS + (double)f->tokenizer / TOKENIZER_RATE +
                    (load ? (double)load / r->disk + READERS_SECONDS : 0) + clear_seconds(f, pinned, p->pins);
}
