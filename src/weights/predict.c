#include "weights/predict.h"

#include "base/dtype.h"
#include "weights/place.h"

/* Seconds for the parts of a token that no rate tells of: norms, attention of a short text, waiting for each
 * other (measured: about 15 us for a layer). */
#define LAYER_SECONDS 15e-6
/* The weights of a pass take so much longer than the same products in a block of memory: they are mapped in
 * small pages, and some of the block is found in a cache (measured: 1.04 to 1.15). */
#define PASS_FACTOR 1.08
/* Attention, and all that is no product of a weight, beside the products of a prompt (measured: 1.03 to 1.2).
 */
#define PREFILL_FACTOR 1.06
/* What the disk gives while products run on the same processors (measured: 0.90 to 0.94 of its rate alone).
 */
#define STREAM_SHARE 0.92
/* A ring of fewer bytes does not keep a disk busy (measured: 6.6 MB gave 0.7 to 0.9 of the rate, 12 MB 0.96).
 */
#define BUSY_RING 8e6
/* Bytes a second of memory that the system clears before it is pinned. */
#define CLEAR_RATE 12e9
/* What reading a tokenizer's files takes for each byte that it holds afterwards, and starting at all. */
#define TOKENIZER_RATE 130e6
#define START_SECONDS  0.02

static double greater(double a, double b) {
    return a > b ? a : b;
}

static double lesser(double a, double b) {
    return a < b ? a : b;
}

/* Multiply-adds for one token: of the layers, and of the head. */
static void count_work(const struct plan_facts *f, double *layers, double *head) {
    *layers = *head = 0;
    for (size_t i = 0; i < f->n_tensors; i++) {
        const struct plan_tensor *t = &f->tensors[i];
        double n = (double)t->record->bytes / (double)lr_dtype_size(t->record->dtype);
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

void predict_speed(const struct plan_facts *f, struct lr_plan *p) {
    const struct plan_rates *r = &f->rates;
    double rate = r->disk * STREAM_SHARE * lesser(1, (double)p->ring / BUSY_RING);
    double disk = p->streamed ? (double)p->streamed / (rate > 0 ? rate : 1) : 0;
    double token = (double)place_pass_bytes(f) * PASS_FACTOR / (r->product > 0 ? r->product : 1), layers,
           head;
    count_work(f, &layers, &head);
    bool disk_known = rate > 0 || !p->streamed;
    if (r->product > 0 && disk_known) p->decode_tok_s = 1 / greater(disk, token + LAYER_SECONDS * f->layers);
    if (r->prefill > 0 && r->product > 0 && disk_known) {
        double chunk = p->chunk, work = (layers * chunk + head) * PREFILL_FACTOR / r->prefill;
        p->prefill_tok_s = chunk / greater(disk, greater(work, token));
    }
    uint64_t load = p->mode == LR_LOAD_MAP ? f->cold : p->pins;
    if (r->disk > 0 || !load)
        p->load_s = START_SECONDS + (double)f->tokenizer / TOKENIZER_RATE +
                    (load ? (double)load / r->disk : 0) + (double)p->pins / CLEAR_RATE;
}
