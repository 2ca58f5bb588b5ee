/* Why a folder cannot be run: each case named for what it is, with the way out. */
#include "format/model_dir_parts.h"

#include "base/mem.h"

#include <stdio.h>

/* ---- unfinished downloads */

/* Looks for *.incomplete in `folder`/`inner`; appends what it found to `to`. */
static enum lr_status note_unfinished(const char *folder, const char *inner, struct lr_buf *to,
                                      struct lr_error *err) {
    struct listing l = {0};
    char *path = file_join(folder, inner);
    if (!path) return lr_fail_memory(err, folder, strlen(folder) + strlen(inner) + 2);
    enum lr_status status = LR_OK;
    if (file_kind(path) == FILE_FOLDER && file_list_open(path, &l.files, NULL) == LR_OK) {
        size_t n = 0;
        long first = listing_find(&l, 0, "", ".incomplete");
        for (long i = first; i >= 0; i = listing_find(&l, (size_t)i + 1, "", ".incomplete")) n++;
        if (n && lr_buf_printf(to, "; %zu unfinished download%s: %s%s%s", n, n > 1 ? "s, the first" : "",
                               inner, *inner ? "/" : "", l.files.names[first]))
            status = lr_fail_memory(err, path, to->cap);
    }
    file_list_close(&l.files);
    lr_free(path);
    return status;
}

/* Where the hub's programs keep a file while it is being fetched: beside it, below .cache (--local-dir), or
 * among the blobs of the cache, seen from a snapshot or from the top. */
static enum lr_status unfinished(const struct listing *l, struct lr_buf *to, struct lr_error *err) {
    static const char *const places[] = {"", ".cache/huggingface/download", "../../blobs", "blobs"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        LR_TRY(note_unfinished(l->path, places[i], to, err));
    return LR_OK;
}

/* A file that is missing may be a link to what is: the first such one of `names`. */
static enum lr_status note_broken_link(const struct listing *l, const struct lr_str *names, size_t n,
                                       struct lr_buf *to, struct lr_error *err) {
    char target[256] = "";
    for (size_t i = 0; i < n && !target[0]; i++) {
        char *path = file_join(l->path, names[i].data);
        if (!path) return lr_fail_memory(err, l->path, names[i].len);
        file_link_target(path, target, sizeof target);
        lr_free(path);
        if (target[0] && lr_buf_printf(to, "; %s is a link to %s, which is not there", names[i].data, target))
            return lr_fail_memory(err, l->path, to->cap);
    }
    return LR_OK;
}

enum lr_status model_dir_refuse_missing(const struct listing *l, const struct lr_str *missing, size_t n,
                                        size_t total, struct lr_error *err) {
    struct lr_buf names = {0}, notes = {0};
    size_t shown = n < MODEL_DIR_SHOWN ? n : MODEL_DIR_SHOWN;
    int bad = 0;
    for (size_t i = 0; i < shown; i++)
        bad |= lr_buf_printf(&names, "%s%.*s", i ? ", " : "", (int)lr_str_cut(missing[i], 100).len,
                             missing[i].data);
    if (n > MODEL_DIR_SHOWN)
        bad |= lr_buf_printf(&names, " and %s more", lr_commas(n - MODEL_DIR_SHOWN).text);
    enum lr_status status =
        bad ? lr_fail_memory(err, l->path, names.cap) : note_broken_link(l, missing, shown, &notes, err);
    if (status == LR_OK) status = unfinished(l, &notes, err);
    if (status == LR_OK)
        status =
            lr_fail(err, LR_EMODEL, "%s: %s of %s weight files %s missing: %s%s", l->path, lr_commas(n).text,
                    lr_commas(total).text, n == 1 ? "is" : "are", names.data, notes.len ? notes.data : "");
    lr_buf_free(&names);
    lr_buf_free(&notes);
    return status;
}

/* ---- folders with nothing in them */

/* Whether the folder is one of the hub's cache in which no snapshot was finished: its own folders alone. */
static bool is_bare_cache(const struct listing *l) {
    static const char *const own[] = {"blobs", "refs", ".no_exist"};
    size_t known = 0;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) known += listing_has(l, own[i]);
    if (l->files.count) return known == l->files.count;
    struct lr_str name = lr_str_of(l->path);
    while (name.len > 1 && name.data[name.len - 1] == '/') name.len--;
    const char *slash = memrchr(name.data, '/', name.len);
    return lr_str_starts(slash ? lr_str_from(name, (size_t)(slash - name.data) + 1) : name,
                         LR_STR("models--"));
}

enum lr_status model_dir_refuse_empty(const struct listing *l, struct lr_error *err) {
    struct lr_buf notes = {0};
    enum lr_status status = LR_OK;
    if (is_bare_cache(l)) {
        status = unfinished(l, &notes, err);
        if (status == LR_OK)
            status = lr_fail(err, LR_EMODEL,
                             "%s is a hub cache folder without a snapshot: fetch the model again%s", l->path,
                             notes.len ? notes.data : " (an unfinished download?)");
    } else if (!l->files.count) {
        status = lr_fail(err, LR_EMODEL, "%s is empty", l->path);
    }
    lr_buf_free(&notes);
    return status;
}

/* ---- no weights in a form that is read */

/* One row per thing that people have in place of weights: a file that gives it away, and what to do. */
static const struct {
    const char *head, *tail; /* of the file's name */
    const char *what, *way_out;
} instead[] = {
    {"adapter_config", ".json", "an adapter (LoRA), not a whole model",
     "merge it into its base model first (peft: merge_and_unload, then save_pretrained)"},
    {"adapter_model", "", "an adapter (LoRA), not a whole model",
     "merge it into its base model first (peft: merge_and_unload, then save_pretrained)"},
    {"", ".gguf", "a model in GGUF form, which is not read",
     "download the original directory with its .safetensors files"},
    {"pytorch_model", ".bin", "weights in PyTorch's pickle form, which can run code and is not read",
     "convert them to safetensors (transformers: "
     "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(OUT))"},
    {"consolidated", "", "weights in the maker's own form, not in that of Hugging Face",
     "download the model's Hugging Face files (config.json and model*.safetensors)"},
    {"", ".pth", "weights in PyTorch's pickle form, which can run code and is not read",
     "download or convert the model to safetensors"},
    {"tf_model", ".h5", "weights for TensorFlow", "download or convert the model to safetensors"},
    {"flax_model", ".msgpack", "weights for Flax", "download or convert the model to safetensors"},
    {"", ".onnx", "a model in ONNX form", "download the original directory with its .safetensors files"},
    {"", ".safetensors", "a .safetensors file that is not named as a model's",
     "the names are model.safetensors, or model-00001-of-0000N.safetensors and so on"},
};

enum lr_status model_dir_refuse_weights(const struct listing *l, struct lr_error *err) {
    for (size_t i = 0; i < sizeof instead / sizeof instead[0]; i++) {
        long at = listing_find(l, 0, instead[i].head, instead[i].tail);
        if (at >= 0)
            return lr_fail(err, LR_EMODEL, "%s holds %s (%s); %s", l->path, instead[i].what,
                           l->files.names[at], instead[i].way_out);
    }
    long cached = listing_find(l, 0, "models--", "");
    if (cached >= 0)
        return lr_fail(err, LR_EMODEL, "%s is a folder of models: give one of them, such as %s", l->path,
                       l->files.names[cached]);
    struct lr_buf notes = {0};
    bool config = listing_has(l, "config.json");
    enum lr_status status = unfinished(l, &notes, err);
    if (status == LR_OK)
        status = lr_fail(
            err, LR_EMODEL,
            "%s holds no weights: there is %s model.safetensors; %s from where the model is from%s", l->path,
            config ? "a config.json, but no" : "no config.json and no",
            config ? "fetch it" : "give a model's folder, or fetch one's files", notes.len ? notes.data : "");
    lr_buf_free(&notes);
    return status;
}

enum lr_status model_dir_refuse_tokenizer(const struct listing *l, struct lr_error *err) {
    if (listing_has(l, "tokenizer.model"))
        return lr_fail(
            err, LR_EMODEL,
            "%s has only tokenizer.model (SentencePiece's own form), which is not read; tokenizer.json "
            "is needed (transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR))",
            l->path);
    long other = listing_find(l, 0, "", ".tiktoken");
    if (other < 0) other = listing_find(l, 0, "tekken", ".json");
    if (other >= 0)
        return lr_fail(err, LR_EMODEL,
                       "%s has its tokenizer as %s, which is not read; tokenizer.json is needed", l->path,
                       l->files.names[other]);
    const char *half = listing_has(l, "vocab.json") ? ", and vocab.json without merges.txt" : "";
    return lr_fail(err, LR_EMODEL,
                   "%s has no tokenizer.json%s: fetch it (or vocab.json and merges.txt) from where the model "
                   "is from",
                   l->path, half);
}

enum lr_status model_dir_refuse_file(const char *path, enum file_kind kind, struct lr_error *err) {
    if (kind == FILE_UNKNOWN) return file_refuse_unknown(path, err);
    char target[256];
    file_link_target(path, target, sizeof target);
    if (kind == FILE_DANGLING)
        return lr_fail(err, LR_EMODEL, "%s is a link to %s, which is not there (an unfinished download?)",
                       path, target);
    const char *what = kind == FILE_ABSENT ? "gone since the folder was listed" : "not a regular file";
    return lr_fail(err, LR_EMODEL, "%s is %s", path, what);
}

/* Whether a path that is not there could be the name of a model on the hub: "ORG/NAME". */
static bool is_hub_name(struct lr_str path) {
    const char *slash = memchr(path.data, '/', path.len);
    return slash && slash != path.data && slash + 1 < path.data + path.len && *path.data != '.' &&
           *path.data != '~' && !memchr(slash + 1, '/', (size_t)(path.data + path.len - slash - 1));
}

static enum lr_status refuse_absent(const char *path, struct lr_error *err) {
    static const char fetch[] = "https://huggingface.co/";
    struct lr_str name = lr_str_of(path);
    bool url = strstr(path, "://") != NULL;
    if (url && lr_str_starts(name, lr_str_of(fetch))) name = lr_str_from(name, sizeof fetch - 1);
    if (is_hub_name(name))
        return lr_fail(err, LR_EMODEL,
                       "%s: no such folder on this machine; if that is a model on the hub, fetch it first "
                       "(hf download %.*s --local-dir DIR) and give DIR",
                       path, LR_STR_ARGS(name));
    return lr_fail(err, LR_EMODEL,
                   url ? "%s: nothing is fetched: download the model's folder and give that"
                       : "%s: no such folder (a model is a folder that is on this machine)",
                   path);
}

enum lr_status model_dir_refuse_path(const char *path, struct lr_error *err) {
    enum file_kind kind = file_kind(path);
    char target[256];
    if (!*path) return lr_fail(err, LR_EMODEL, "the model directory's name is empty");
    if (kind == FILE_UNKNOWN || kind == FILE_FOLDER) /* it could be examined now, but not before */
        return file_refuse_unknown(path, err);
    if (kind == FILE_DANGLING) {
        file_link_target(path, target, sizeof target);
        return lr_fail(err, LR_EMODEL, "%s is a link to %s, which is not there", path, target);
    }
    if (kind == FILE_ABSENT) return refuse_absent(path, err);
    if (lr_str_ends(lr_str_of(path), LR_STR(".gguf")))
        return lr_fail(
            err, LR_EMODEL,
            "%s is a GGUF file, which is not read: give a folder with config.json and .safetensors files",
            path);
    return lr_fail(err, LR_EMODEL, "%s is a file: give the folder that holds the model", path);
}
