/* support.h - what more than one C test needs. Include it first: it brings cmocka and what cmocka asks for.
 *
 * Tests run with the project root as working directory. */
#ifndef LR_TESTS_SUPPORT_H
#define LR_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path of `name` in the shared test data (../shared/data, or below LR_TEST_DATA); NULL, with a line that
 * says so, where it is absent. The string is valid until the third next call. */
const char *support_data(const char *name);

/* Skips the test where the shared data lacks `name`; else `path` (a const char * declared here) is it. */
#define SUPPORT_NEEDS_DATA(path, name)                                                                       \
    const char *path = support_data(name);                                                                   \
    if (!(path)) skip()

/* Built with the address sanitizer; with it or the thread sanitizer, whose shadow memory takes addresses by
 * the terabyte, so that limits on addresses and data cannot be tested. */
#if defined(__SANITIZE_ADDRESS__)
#define SUPPORT_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define SUPPORT_SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SUPPORT_ASAN 1
#elif __has_feature(thread_sanitizer)
#define SUPPORT_SHADOWED 1
#endif
#endif
#ifdef SUPPORT_ASAN
#define SUPPORT_SHADOWED 1
#endif

/* Skips the test under an emulator of another processor (scripts/aarch64.sh), saying what that cannot do. */
bool support_emulated(void);
#define SUPPORT_NOT_EMULATED(why)                                                                            \
    do {                                                                                                     \
        if (support_emulated()) {                                                                            \
            printf("not under an emulator: %s\n", why);                                                      \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)
#define SUPPORT_LIMITS "it sets no limits"

/* Runs `fn` in a process of its own, so that limits it sets end with it; its result, which must be 0 to 99.
 * 100 where it died. */
int support_in_child(int (*fn)(void));

/* A new empty folder below LR_TEST_TMP (else /tmp), to be removed with support_remove_folder; at the latest
 * it is when the program ends. */
char *support_make_folder(void);
char *support_make_folder_below(const char *root);
/* Removes it with all that is in it and frees the name. */
void support_remove_folder(char *folder);

/* Writes a whole file; the test fails where that cannot be done. */
void support_write_file(const char *folder, const char *name, const void *data, size_t len);
/* Reads a whole file, NUL-terminated, to be freed with free(); NULL where it cannot be read. */
char *support_read_file(const char *path, size_t *len);

/* Open files and threads: what the sanitizers do not count. */
struct support_held {
    unsigned files, threads;
};
struct support_held support_held_now(void);
/* The test fails where there are more than before. */
void support_nothing_more_than(struct support_held before);

#endif
