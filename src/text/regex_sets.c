#include "text/regex_sets.h"

#include <ctype.h>

/* White_Space. */
#define SPACE                                                                                                \
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
/* Alphabetic, marks, decimal digits, connectors; and the six numbers of Latin-1, which Oniguruma counts as
 * well. */
#define WORD                                                                                                 \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}\\x{24B6}-\\x{24E9}"               \
    "\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define LATIN_NUMBERS "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"
#define HEX           "0-9a-fA-F"

const char *regex_set_escape(char letter, bool in_class, bool *negated) {
    *negated = letter >= 'A' && letter <= 'Z';
    switch (letter) {
    case 's':
    case 'S':
        return SPACE;
    case 'w':
    case 'W':
        return in_class ? WORD : WORD LATIN_NUMBERS;
    case 'h':
    case 'H':
        return HEX;
    case 'd':
    case 'D':
        return "\\p{Nd}";
    default:
        return NULL;
    }
}

static const struct named_set {
    const char *name, *members;
} posix_sets[] = {
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"alpha", "\\p{Alphabetic}"},
    {"ascii", "\\x{0}-\\x{7F}"},
    {"blank", "\\p{Zs}\\t"},
    {"cntrl", "\\p{Cc}"},
    {"digit", "\\p{Nd}"},
    {"graph", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}"},
    {"lower", "\\p{Lowercase}"},
    {"print", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}\\p{Zs}"},
    {"punct", "\\p{P}\\p{S}"},
    {"space", SPACE},
    {"upper", "\\p{Uppercase}"},
    {"word", WORD},
    {"xdigit", HEX},
};

/* Long names of general categories. */
static const struct named_set categories[] = {
    {"letter", "L"},
    {"casedletter", "L&"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"punct", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"other", "C"},
    {"control", "Cc"},
    {"format", "Cf"},
    {"privateuse", "Co"},
    {"unassigned", "Cn"},
};

/* Properties that are neither a category nor a script. */
static const char *const plain[] = {
    "any",  "alphabetic",        "ideographic",   "lowercase",         "uppercase",           "emoji",
    "math", "emojipresentation", "emojimodifier", "emojimodifierbase", "extendedpictographic"};

/* `name` in small letters without blanks, hyphens and underscores; what does not fit is cut and so matches
 * nothing. */
static struct lr_str squeeze(struct lr_str name, char out[64]) {
    size_t n = 0;
    for (size_t i = 0; i < name.len && n < 63; i++)
        if (!strchr(" _-", name.data[i])) out[n++] = (char)tolower((unsigned char)name.data[i]);
    return (struct lr_str){out, n};
}

static const char *look_up(const struct named_set *sets, size_t n, struct lr_str name) {
    for (size_t i = 0; i < n; i++)
        if (lr_str_is(name, sets[i].name)) return sets[i].members;
    return NULL;
}

const char *regex_set_posix(struct lr_str name) {
    char small[64];
    return look_up(posix_sets, sizeof posix_sets / sizeof *posix_sets, squeeze(name, small));
}

/* Two letters at most name a category; what is no other property names a script. */
static bool is_script(struct lr_str small) {
    if (small.len <= 2) return false;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (lr_str_is(small, plain[i])) return false;
    return true;
}

int regex_set_property(struct lr_str name, bool negated, struct lr_buf *out) {
    char squeezed[64];
    struct lr_str small = squeeze(name, squeezed);
    const char *category = look_up(categories, sizeof categories / sizeof *categories, small);
    if (category) return lr_buf_printf(out, "\\%c{%s}", negated ? 'P' : 'p', category);
    return lr_buf_printf(out, "\\%c{%s%.*s}", negated ? 'P' : 'p', is_script(small) ? "sc:" : "",
                         LR_STR_ARGS(name));
}
