#include "text/matcher.h"

#include "base/mem.h"

/* Children of a node are a list: 0 ends it. */
struct matcher_node {
    uint32_t child, sibling, value;
    uint8_t byte;
};

void matcher_free(struct matcher *m) {
    lr_free(m->nodes);
    *m = (struct matcher){0};
}

static uint32_t new_node(struct matcher *m, uint8_t byte, uint32_t sibling) {
    size_t at = m->count ? m->count : 1;
    if (at >= MATCHER_NONE || lr_grow(&m->nodes, &m->cap, at + 1, sizeof *m->nodes)) return 0;
    m->nodes[at] = (struct matcher_node){0, sibling, MATCHER_NONE, byte};
    m->count = at + 1;
    return (uint32_t)at;
}

static uint32_t find_child(const struct matcher *m, uint32_t node, uint8_t byte) {
    uint32_t i = m->nodes[node].child;
    while (i && m->nodes[i].byte != byte) i = m->nodes[i].sibling;
    return i;
}

int matcher_add(struct matcher *m, struct lr_str s, uint32_t value) {
    uint8_t byte = (uint8_t)s.data[0];
    uint32_t node = m->first[byte];
    if (!node && !(node = m->first[byte] = new_node(m, byte, 0))) return -1;
    for (size_t i = 1; i < s.len; i++) {
        byte = (uint8_t)s.data[i];
        uint32_t next = find_child(m, node, byte);
        if (!next) {
            next = new_node(m, byte, m->nodes[node].child);
            if (!next) return -1;
            m->nodes[node].child = next;
        }
        node = next;
    }
    if (m->nodes[node].value == MATCHER_NONE) m->nodes[node].value = value;
    return 0;
}

/* The longest string at `at`. */
static uint32_t match_at(const struct matcher *m, struct lr_str text, size_t at, size_t *end) {
    uint32_t found = MATCHER_NONE, node = m->first[(uint8_t)text.data[at]];
    while (node) {
        at++;
        if (m->nodes[node].value != MATCHER_NONE) {
            found = m->nodes[node].value;
            *end = at;
        }
        node = at < text.len ? find_child(m, node, (uint8_t)text.data[at]) : 0;
    }
    return found;
}

uint32_t matcher_find(const struct matcher *m, struct lr_str text, size_t from, size_t *begin, size_t *end) {
    if (!m->count) return MATCHER_NONE;
    for (size_t at = from; at < text.len; at++) {
        if (!m->first[(uint8_t)text.data[at]]) continue;
        uint32_t value = match_at(m, text, at, end);
        *begin = at;
        if (value != MATCHER_NONE) return value;
    }
    return MATCHER_NONE;
}

size_t matcher_memory(const struct matcher *m) {
    return m->cap * sizeof *m->nodes;
}
