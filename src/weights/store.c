#include "weights/store.h"

#include "base/mem.h"

enum lr_status store_open(const struct catalog *catalog, struct store *out, struct lr_error *err) {
    *out = (struct store){.catalog = catalog, .maps = lr_calloc(catalog->n_files, sizeof(struct file_map))};
    if (!out->maps)
        return lr_fail_memory(err, "the table of mapped files", catalog->n_files * sizeof(struct file_map));
    for (size_t i = 0; i < catalog->n_files; i++) {
        const struct catalog_file *f = &catalog->files[i];
        enum lr_status status = file_map_open(f->path, &out->maps[i], err);
        if (status == LR_OK && out->maps[i].size != f->size)
            status = lr_fail(err, LR_EMODEL,
                             "%s: %llu bytes when its header was read, %llu now (is it still being written?)",
                             f->path, (unsigned long long)f->size, (unsigned long long)out->maps[i].size);
        if (status != LR_OK) {
            store_close(out);
            return status;
        }
    }
    return LR_OK;
}

void store_close(struct store *s) {
    for (size_t i = 0; s->maps && i < s->catalog->n_files; i++) file_map_close(&s->maps[i]);
    lr_free(s->maps);
    *s = (struct store){0};
}

struct tensor_view store_lend(struct store *s, const struct tensor_record *t) {
    bool matrix = t->rank == 2;
    return (struct tensor_view){
        .data = s->maps[t->file].data + t->offset,
        .dtype = t->dtype,
        .rows = matrix ? t->shape[0] : 1,
        .cols = matrix    ? t->shape[1]
                : t->rank ? t->shape[0]
                          : 1,
    };
}

/* A mapped tensor has nothing to give back: the kernel drops clean pages by itself. */
void store_give_back(struct store *s, const struct tensor_record *t) {
    (void)s;
    (void)t;
}

void store_want(struct store *s, const struct tensor_record *t) {
    file_map_want(&s->maps[t->file], t->offset, t->offset + t->bytes);
}

uint64_t store_mapped_bytes(const struct store *s) {
    uint64_t sum = 0;
    for (size_t i = 0; i < s->catalog->n_files; i++) sum += s->maps[i].size;
    return sum;
}

uint64_t store_cold_bytes(const struct store *s) {
    double sum = 0;
    for (size_t i = 0; i < s->catalog->n_files; i++)
        sum += (double)s->maps[i].size * (1 - file_map_cached(&s->maps[i]));
    return (uint64_t)sum;
}
