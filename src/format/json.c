#include "format/json.h"

#include "base/checked.h"
#include "base/mem.h"
#include "format/json_scan.h"
#include "sys/file.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* One block holds all: this, the name, the nodes and strings that cJSON asks for, and the indexes. Its size
 * is known from the scan, so that closing a document is one free(). A container's count is kept in its
 * `valueint` and its index in its `valuestring`, which cJSON leaves unused there. */
struct json_doc {
    const cJSON *root;
    const char *name;
    size_t used, size; /* of `block` */
    _Alignas(16) char block[];
};

_Static_assert(sizeof(cJSON) <= JSON_NODE_BYTES, "the scan prices a node too low");

/* cJSON's allocator hooks and its error position are process-wide: one parse at a time, and the hooks, once
 * installed, serve the document that this thread is building, or the heap for whoever else uses cJSON. */
static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t parse_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct json_doc *building;

static void *doc_alloc(struct json_doc *doc, size_t size) {
    size_t rounded;
    if (lr_add_size(size, JSON_STRING_ROUND - 1, &rounded)) return NULL;
    rounded &= ~(size_t)(JSON_STRING_ROUND - 1);
    if (rounded > doc->size - doc->used) return NULL;
    void *p = doc->block + doc->used;
    doc->used += rounded;
    return p;
}

static void *hook_alloc(size_t size) {
    return building ? doc_alloc(building, size) : lr_malloc(size);
}

static void hook_free(void *p) {
    if (!building) lr_free(p);
}

static void install_hooks(void) {
    cJSON_Hooks hooks = {hook_alloc, hook_free};
    cJSON_InitHooks(&hooks);
}

static const cJSON *node_of(struct json v) {
    return v.node;
}

static bool is_container(const cJSON *node) {
    return node->type & (cJSON_Array | cJSON_Object);
}

/* ---- indexes */

/* The index of a container with more than JSON_SMALL children: its children in order, and for an object a
 * hash table behind them. A slot holds the upper half of the key's hash and the child's number + 1 (0: free).
 */
static const cJSON **index_items(const cJSON *container) {
    return (const cJSON **)(void *)container->valuestring;
}

static uint64_t *index_slots(const cJSON *object) {
    return (uint64_t *)(void *)(object->valuestring + (size_t)object->valueint * sizeof(void *));
}

#define SLOT_HASH (~UINT64_C(0) << 32)

/* The seed is an address, so that nobody can prepare keys that collide. */
static uint64_t hash_key(const struct json_doc *doc, const char *key, size_t len) {
    return XXH3_64bits_withSeed(key, len, (uintptr_t)doc);
}

/* Where the key stands in the object's table, or the free slot where it would. */
static uint64_t *find_slot(const cJSON *object, uint64_t hash, const char *key, size_t len) {
    uint64_t mask = json_slots((uint64_t)object->valueint) - 1;
    const cJSON **items = index_items(object);
    uint64_t *slots = index_slots(object);
    uint64_t i = hash & mask;
    for (; slots[i]; i = (i + 1) & mask) {
        if ((slots[i] ^ hash) & SLOT_HASH) continue;
        const char *have = items[(uint32_t)slots[i] - 1]->string;
        if (strncmp(have, key, len) == 0 && have[len] == '\0') break;
    }
    return &slots[i];
}

static enum lr_status fail_duplicate(const struct json_doc *doc, const char *key, struct lr_error *err) {
    struct lr_str shown = lr_str_cut(lr_str_of(key), 200);
    return lr_fail(err, LR_EMODEL, "%s: the key '%.*s' stands twice in one object", doc->name,
                   LR_STR_ARGS(shown));
}

static enum lr_status check_small_object(const struct json_doc *doc, const cJSON *object,
                                         struct lr_error *err) {
    for (const cJSON *a = object->child; a; a = a->next)
        for (const cJSON *b = a->next; b; b = b->next)
            if (strcmp(a->string, b->string) == 0) return fail_duplicate(doc, a->string, err);
    return LR_OK;
}

static enum lr_status fill_table(const struct json_doc *doc, const cJSON *object, struct lr_error *err) {
    const cJSON **items = index_items(object);
    memset(index_slots(object), 0, json_slots((uint64_t)object->valueint) * sizeof(uint64_t));
    for (int i = 0; i < object->valueint; i++) {
        const char *key = items[i]->string;
        size_t len = strlen(key);
        uint64_t hash = hash_key(doc, key, len), *slot = find_slot(object, hash, key, len);
        if (*slot) return fail_duplicate(doc, key, err);
        *slot = (hash & SLOT_HASH) | ((uint32_t)i + 1);
    }
    return LR_OK;
}

static enum lr_status make_index(struct json_doc *doc, cJSON *container, struct lr_error *err) {
    bool object = cJSON_IsObject(container);
    uint64_t bytes = json_index_bytes((uint64_t)container->valueint, object);
    if (!bytes) return object ? check_small_object(doc, container, err) : LR_OK;
    container->valuestring = doc_alloc(doc, (size_t)bytes);
    if (!container->valuestring) return lr_fail_memory(err, doc->name, (size_t)bytes);
    size_t i = 0;
    for (const cJSON *child = container->child; child; child = child->next)
        index_items(container)[i++] = child;
    return object ? fill_table(doc, container, err) : LR_OK;
}

/* Counts and indexes a container and those inside it; as deep as the text is nested (JSON_MAX_DEPTH). */
static enum lr_status index_container(struct json_doc *doc, cJSON *container, struct lr_error *err) {
    int count = 0;
    for (cJSON *child = container->child; child; child = child->next) {
        if (is_container(child)) LR_TRY(index_container(doc, child, err));
        count++;
    }
    container->valueint = count;
    return make_index(doc, container, err);
}

/* ---- documents */

static enum lr_status build_tree(struct json_doc *doc, struct lr_str text, struct lr_error *err) {
    pthread_once(&hooks_once, install_hooks);
    pthread_mutex_lock(&parse_lock);
    building = doc;
    cJSON *root = cJSON_ParseWithLengthOpts(text.data, text.len, NULL, false);
    building = NULL;
    pthread_mutex_unlock(&parse_lock);
    if (!root) return lr_fail(err, LR_EMODEL, "%s: cJSON %s cannot read it", doc->name, cJSON_Version());
    doc->root = root;
    return is_container(root) ? index_container(doc, root, err) : LR_OK;
}

static enum lr_status make_doc(const struct json_scan *scan, const char *name, struct json_doc **out,
                               struct lr_error *err) {
    size_t name_size = strlen(name) + 1;
    uint64_t size = scan->nodes * JSON_NODE_BYTES + scan->string_bytes + scan->index_bytes + name_size + 8;
    *out = NULL;
    struct json_doc *doc = lr_want_large(lr_malloc(sizeof *doc + (size_t)size), (size_t)size);
    if (!doc) return lr_fail_memory(err, name, sizeof *doc + (size_t)size);
    *doc = (struct json_doc){.size = (size_t)size};
    char *own_name = doc_alloc(doc, name_size);
    memcpy(own_name, name, name_size);
    doc->name = own_name;
    enum lr_status status = build_tree(doc, scan->text, err);
    if (status == LR_OK)
        *out = doc;
    else
        lr_free(doc);
    return status;
}

enum lr_status json_parse(const char *text, size_t len, const char *name, struct json_doc **out,
                          struct lr_error *err) {
    struct json_scan scan;
    *out = NULL;
    LR_TRY(json_scan((struct lr_str){text, len}, name, &scan, err));
    enum lr_status status = make_doc(&scan, name, out, err);
    lr_buf_free(&scan.marked);
    return status;
}

enum lr_status json_open(const char *path, uint64_t max, struct json_doc **out, struct lr_error *err) {
    char *text;
    size_t len;
    *out = NULL;
    LR_TRY(file_read_all(path, max, &text, &len, err));
    enum lr_status status = json_parse(text, len, path, out, err);
    lr_free(text);
    return status;
}

void json_close(struct json_doc *doc) {
    lr_free(doc);
}

struct json json_root(const struct json_doc *doc) {
    return (struct json){doc, doc ? doc->root : NULL};
}

const char *json_name(const struct json_doc *doc) {
    return doc ? doc->name : "";
}

/* ---- values */

static bool is_marked(const cJSON *node) {
    return node->valuestring[0] == JSON_MARK;
}

enum json_kind json_kind(struct json v) {
    const cJSON *node = node_of(v);
    if (!node) return JSON_ABSENT;
    switch (node->type & 0xFF) {
    case cJSON_False:
    case cJSON_True:
        return JSON_BOOL;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return is_marked(node) ? JSON_NUMBER : JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

struct json json_get_str(struct json object, struct lr_str key) {
    const cJSON *node = node_of(object), *found = NULL;
    if (!node || !cJSON_IsObject(node) || (key.len && memchr(key.data, '\0', key.len)))
        return (struct json){object.doc, NULL};
    if (node->valuestring) {
        uint64_t slot = *find_slot(node, hash_key(object.doc, key.data, key.len), key.data, key.len);
        if (slot) found = index_items(node)[(uint32_t)slot - 1];
    } else {
        for (found = node->child; found; found = found->next)
            if (strncmp(found->string, key.data, key.len) == 0 && found->string[key.len] == '\0') break;
    }
    return (struct json){object.doc, found};
}

struct json json_get(struct json object, const char *key) {
    return json_get_str(object, lr_str_of(key));
}

size_t json_count(struct json v) {
    const cJSON *node = node_of(v);
    return node && is_container(node) ? (size_t)node->valueint : 0;
}

struct json json_at(struct json array, size_t i) {
    const cJSON *node = node_of(array), *found = NULL;
    if (json_kind(array) == JSON_ARRAY && i < json_count(array)) {
        if (node->valuestring)
            found = index_items(node)[i];
        else
            for (found = node->child; i > 0; i--) found = found->next;
    }
    return (struct json){array.doc, found};
}

struct json json_first(struct json container) {
    const cJSON *node = node_of(container);
    return (struct json){container.doc, node && is_container(node) ? node->child : NULL};
}

struct json json_next(struct json v) {
    const cJSON *node = node_of(v);
    return (struct json){v.doc, node ? node->next : NULL};
}

struct lr_str json_key(struct json v) {
    const cJSON *node = node_of(v);
    return node && node->string ? lr_str_of(node->string) : LR_STR("");
}

/* ---- plain reads */

bool json_str(struct json v, struct lr_str *out) {
    if (json_kind(v) != JSON_STRING) return false;
    *out = lr_str_of(node_of(v)->valuestring);
    return true;
}

bool json_bool(struct json v, bool *out) {
    if (json_kind(v) != JSON_BOOL) return false;
    *out = cJSON_IsTrue(node_of(v));
    return true;
}

/* The text of an integer that cJSON cannot hold; NULL for all other values. */
static const char *marked_integer(struct json v) {
    if (json_kind(v) != JSON_NUMBER || !cJSON_IsString(node_of(v))) return NULL;
    const char *text = node_of(v)->valuestring + 1;
    size_t digits = strspn(text + (*text == '-'), "0123456789");
    return digits > 0 && text[(*text == '-') + digits] == '\0' ? text : NULL;
}

bool json_double(struct json v, double *out) {
    if (json_kind(v) != JSON_NUMBER) return false;
    const char *integer = marked_integer(v);
    double value = integer                      ? strtod(integer, NULL)
                   : cJSON_IsNumber(node_of(v)) ? node_of(v)->valuedouble
                                                : NAN;
    if (!isfinite(value)) return false;
    *out = value;
    return true;
}

/* Sign and magnitude of a whole number below 2^64. */
static bool read_integer(struct json v, bool *negative, uint64_t *magnitude) {
    const char *text = marked_integer(v);
    *magnitude = 0;
    if (text) {
        *negative = *text == '-';
        for (text += *negative; *text; text++)
            if (lr_mul_u64(*magnitude, 10, magnitude) ||
                lr_add_u64(*magnitude, (uint64_t)(*text - '0'), magnitude))
                return false;
        return true;
    }
    double value;
    if (!json_double(v, &value) || value != floor(value) || fabs(value) >= 0x1p53) return false;
    *negative = value < 0;
    *magnitude = (uint64_t)fabs(value);
    return true;
}

bool json_u64(struct json v, uint64_t *out) {
    bool negative;
    uint64_t magnitude;
    if (!read_integer(v, &negative, &magnitude) || (negative && magnitude)) return false;
    *out = magnitude;
    return true;
}

bool json_i64(struct json v, int64_t *out) {
    bool negative;
    uint64_t magnitude;
    if (!read_integer(v, &negative, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}
