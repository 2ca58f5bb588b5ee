#include "cli/values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

static bool only(const char *word, const char *allowed) {
    return word[0] && word[strspn(word, allowed)] == '\0';
}

bool value_u64(const char *word, uint64_t *out) {
    if (!only(word, "0123456789")) return false;
    errno = 0;
    *out = strtoull(word, NULL, 10);
    return errno == 0;
}

bool value_int(const char *word, int64_t min, int64_t max, int64_t *out) {
    if (!only(word, min < 0 ? "+-0123456789" : "0123456789")) return false;
    char *end;
    errno = 0;
    long long n = strtoll(word, &end, 10);
    *out = n;
    return errno == 0 && *end == '\0' && n >= min && n <= max;
}

bool value_real(const char *word, double *out) {
    if (!only(word, "+-.0123456789eE")) return false;
    char *end;
    *out = strtod(word, &end);
    return *end == '\0' && isfinite(*out);
}

/* The power of 1024 that a unit stands for, or -1. */
static int unit_power(const char *unit) {
    static const char letters[] = "kmgt";
    if (unit[0] == '\0' || strcasecmp(unit, "b") == 0) return 0;
    for (int i = 0; letters[i]; i++) {
        const char *rest = unit + 1;
        if ((unit[0] | 0x20) != letters[i]) continue;
        return *rest == '\0' || strcasecmp(rest, "b") == 0 || strcasecmp(rest, "ib") == 0 ? i + 1 : -1;
    }
    return -1;
}

bool value_size(const char *word, struct option_size *out) {
    size_t digits = strspn(word, ".0123456789");
    char number[32];
    double n;
    if (digits == 0 || digits >= sizeof number) return false;
    memcpy(number, word, digits);
    number[digits] = '\0';
    if (!value_real(number, &n)) return false;
    *out = (struct option_size){0};
    if (strcmp(word + digits, "%") == 0) {
        out->percent = n;
        return n > 0 && n <= 100;
    }
    int power = unit_power(word + digits);
    if (power < 0) return false;
    n = ldexp(n, 10 * power);
    if (!(n >= 1 && n < ldexp(1, 63))) return false;
    out->bytes = (uint64_t)n;
    return true;
}

bool value_numbers(const char *word, int64_t min, int64_t max, struct option_numbers *out) {
    *out = (struct option_numbers){0};
    for (const char *at = word;; at++) {
        char number[24];
        size_t n = strcspn(at, ",");
        if (n >= sizeof number || out->count == OPTION_NUMBERS) return false;
        memcpy(number, at, n);
        number[n] = '\0';
        if (!value_int(number, min, max, &out->items[out->count++])) return false;
        at += n;
        if (!*at) return true;
    }
}

bool value_bias(const char *word, struct lr_logit_bias *out) {
    const char *equals = strchr(word, '=');
    char id[16];
    int64_t n;
    double x;
    if (!equals || (size_t)(equals - word) >= sizeof id) return false;
    memcpy(id, word, (size_t)(equals - word));
    id[equals - word] = '\0';
    if (!value_int(id, 0, UINT32_MAX - 1, &n) || !value_real(equals + 1, &x)) return false;
    *out = (struct lr_logit_bias){(uint32_t)n, (float)x};
    return true;
}

int value_choice(const char *word, const char *choices) {
    size_t len = strlen(word);
    int place = 0;
    for (const char *at = choices;; place++) {
        size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, word, n) == 0) return place;
        if (at[n] == '\0') return -1;
        at += n + 1;
    }
}
