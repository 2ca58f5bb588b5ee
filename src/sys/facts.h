/* facts.h - the small text files that the kernel writes (proc, control groups, topology), and pure parsers
 * of what they say. Used by memory, memory_groups, cpu and cgroup in this room. */
#ifndef LR_SYS_FACTS_H
#define LR_SYS_FACTS_H

#include "base/error.h"
#include "base/str.h"

#define FACTS_UNLIMITED UINT64_MAX

/* The text of `folder`/`name`, to be freed with lr_buf_free. A file that is missing or cannot be read gives
 * an empty text: a fact that is not there. LR_EMEMORY, and LR_EFAILED where no more files can be opened. */
enum lr_status facts_read(const char *folder, const char *name, struct lr_buf *text, struct lr_error *err);

/* One such file, read once or many times; {0} is one that is never there. */
struct facts_file {
    char *path;
    int fd;    /* -1: not open */
    bool keep; /* open, between two readings */
    bool looked;
    struct lr_buf text;
};
/* Names the file; it is opened when it is read. LR_EMEMORY only. */
enum lr_status facts_file_name(struct facts_file *f, const char *folder, const char *name, bool keep,
                               struct lr_error *err);
/* What it says now, as facts_read has it, valid until it is read again. A file that is missing is looked for
 * each time; one whose control group is gone, too. From the second time on LR_EMEMORY only. */
enum lr_status facts_file_read(struct facts_file *f, struct lr_str *text, struct lr_error *err);
void facts_file_close(struct facts_file *f);

/* Takes the next line (without its end) off `rest`; false when nothing is left. */
bool facts_line(struct lr_str *rest, struct lr_str *line);
/* Takes the next word, up to a blank, off `rest`; false when only blanks are left. */
bool facts_word(struct lr_str *rest, struct lr_str *word);
/* Takes the part up to `separator` off `rest`; false when nothing is left. */
bool facts_part(struct lr_str *rest, char separator, struct lr_str *part);

/* The first word of `text` as a decimal number; false when it is none ("12x", "-1", "") or does not fit. */
bool facts_number(struct lr_str text, uint64_t *out);
/* A limit: a number, or FACTS_UNLIMITED for "max", "unlimited" and numbers so large that they stand for it.
 */
bool facts_limit(struct lr_str text, uint64_t *out);

/* The value in the first line `key value`, `key: value` or `key : value`, without blanks around it. Keys may
 * hold blanks; a value without a colon before it holds none. */
bool facts_value(struct lr_str text, const char *key, struct lr_str *value);
/* As a number, or as a number of kB given in bytes; 0 when there is none. */
uint64_t facts_count(struct lr_str text, const char *key);
uint64_t facts_kb(struct lr_str text, const char *key);

/* The microseconds in all for which somebody waited for memory, from a text such as /proc/pressure/memory:
 * the `total` of its line `some`; 0 when there is none. */
uint64_t facts_stall(struct lr_str text);

/* A count of the kernel's that only grows, read again and again; {0} was never read. */
struct facts_counter {
    uint64_t last;
    bool known;
};
/* By how much it grew since the last call; 0 the first time, and where it went back. `there`: it could be
 * read this time. */
uint64_t facts_grown(struct facts_counter *c, bool there, uint64_t now);

/* A set of processors. */
#define FACTS_MAX_CPUS 8192u
struct facts_cpus {
    uint64_t bits[FACTS_MAX_CPUS / 64];
};
static inline bool facts_cpus_has(const struct facts_cpus *set, uint32_t cpu) {
    return cpu < FACTS_MAX_CPUS && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}
uint32_t facts_cpus_count(const struct facts_cpus *set);
/* Reads a list such as "0-3,8,10-11". False, and an empty set, when it is not one. */
bool facts_cpus_parse(struct lr_str text, struct facts_cpus *out);

#endif
