#!/usr/bin/env python3
"""Writes src/text/unicode_tables.inc: where the Unicode versions inside the `tokenizers` package differ from those of
PCRE2 and utf8proc.

usage: make_unicode_tables.py > src/text/unicode_tables.inc      (Python 3.11; PyPI: tokenizers, regex)

The package holds several libraries with tables of their own: its regular expressions know Unicode 16, its digits and
lower case 17, its normal forms and marks 9, its punctuation 8. PCRE2 and utf8proc come in many versions with the
systems. So the tables hold what the package does itself, asked here for every code point, against the version that
Python 3.11 knows (14, which every supported PCRE2 and utf8proc has) or the newest that `regex` knows (for what a later
utf8proc may bring).
"""
import sys
import unicodedata

import regex
import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()
CHUNK = 4096


def dropped(splitter):
    """The characters that a pre-tokeniser with behaviour 'removed' takes for matches."""
    out = set()
    for i in range(0, len(ALL), CHUNK):
        kept = set()
        for piece, _ in splitter.pre_tokenize_str("".join(map(chr, ALL[i:i + CHUNK]))):
            kept.update(map(ord, piece))
        out.update(c for c in ALL[i:i + CHUNK] if c not in kept)
    return out


def matching(pattern):
    r = regex.compile(pattern)
    return {c for c in ALL if r.match(chr(c))}


def changed(normalizer):
    return {c: normalizer.normalize_str(chr(c)) for c in ALL if normalizer.normalize_str(chr(c)) != chr(c)}


def ranges(codes):
    out = []
    for c in sorted(codes):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def print_ranges(name, comment, codes):
    print(f"\n/* {comment} */\nstatic const struct unicode_range {name}[] = {{")
    rows = [f"{{0x{a:04X}, 0x{b:04X}}}," for a, b in ranges(codes)]
    for i in range(0, len(rows), 5):
        print("    " + " ".join(rows[i:i + 5]))
    print("};")


def stand_in(category, code, han):
    """A character that every PCRE2 knows, of the same category and length in UTF-8."""
    if code in han:
        return 0x20000
    low, high = (0x800, 0x10000) if code < 0x10000 else (0x10000, 0x110000)
    plain = (c for c in range(low, high) if unicodedata.category(chr(c)) == category
             and unicodedata.ucd_3_2_0.category(chr(c)) == category and c not in (0x3007,))
    later = (c for c in range(low, high) if unicodedata.category(chr(c)) == category)
    return next(plain, None) or next(later)


def print_new_characters():
    category = {c: g for g in CATEGORIES for c in dropped(pre_tokenizers.Split(Regex(rf"\p{{{g}}}"), "removed"))}
    han = dropped(pre_tokenizers.Split(Regex(r"\p{Han}"), "removed"))
    rows = []
    for c in ALL:
        now = category.get(c, "Cn")
        if now == unicodedata.category(chr(c)) or now == "Cn":
            continue
        row = (now, stand_in(now, c, han))
        if rows and rows[-1][1] == c - 1 and rows[-1][2:] == row:
            rows[-1] = (rows[-1][0], c) + row
        else:
            rows.append((c, c) + row)
    print("\n/* Characters that the package's regular expressions know and Unicode 14 does not (or otherwise): their category, and an")
    print(" * older character of that category with as many bytes, which stands for them before PCRE2. */")
    print("static const struct unicode_new new_characters[] = {")
    for a, b, g, s in rows:
        print(f"    {{0x{a:04X}, 0x{b:04X}, UTF8PROC_CATEGORY_{g.upper()}, 0x{s:04X}}},")
    print("};")
    return category


def print_lower():
    rows = []
    for c, s in changed(normalizers.Lowercase()).items():
        if len(s) != 1 or s == chr(c).lower():
            continue
        if rows and rows[-1][1] == c - 1 and rows[-1][2] == ord(s) - c:
            rows[-1][1] = c
        else:
            rows.append([c, c, ord(s) - c])
    print("\n/* Lower case that Unicode 14 does not know: the distance to it. */")
    print("static const struct unicode_lower new_lower[] = {")
    for a, b, d in rows:
        print(f"    {{0x{a:04X}, 0x{b:04X}, {d}}},")
    print("};")


def main():
    print(f"/* Made by scripts/make_unicode_tables.py with tokenizers {tokenizers.__version__}, "
          f"regex {regex.__version__}, Python's Unicode {unicodedata.unidata_version}. */")
    category = print_new_characters()
    print_lower()
    numbers = dropped(pre_tokenizers.Split(Regex(r"\p{N}"), "removed"))
    digits = set()
    for piece, (a, _) in ((p, o) for i in range(0, len(ALL), CHUNK)
                          for p, o in pre_tokenizers.Digits(True).pre_tokenize_str(
                              "".join("x" + chr(c) + "x" for c in ALL[i:i + CHUNK]))):
        if len(piece) == 1 and piece != "x":
            digits.add(ord(piece))
    print_ranges("more_digits", "Numbers to `Digits` that the regular expressions do not know.", digits - numbers)

    punctuation = dropped(pre_tokenizers.Punctuation("removed"))
    all_punctuation = matching(r"\p{P}") | {c for c in range(128) if unicodedata.category(chr(c))[0] == "S"}
    print_ranges("no_punctuation", "Punctuation that `Punctuation` does not know.", all_punctuation - punctuation)
    print_ranges("more_punctuation", "What it takes for punctuation and is none.", punctuation - all_punctuation)

    marks = {c for c in ALL if normalizers.StripAccents().normalize_str(chr(c)) == ""}
    decomposed = changed(normalizers.NFKD())
    young_marks = matching(r"\p{M}") - marks
    young_forms = {c for c in ALL if unicodedata.normalize("NFKD", chr(c)) != chr(c) and c not in decomposed}
    young_forms |= {0x105D2, 0x105DA, 0x16D63, 0x16D67}  # they compose to characters of Unicode 16
    young_forms |= matching(r"\p{NFKD_QC=N}") - set(decomposed)
    print_ranges("young", "Marks and decomposing characters that the normal forms and `StripAccents` do not know.",
                 young_marks | young_forms)
    print_ranges("more_marks", "What `StripAccents` takes for marks and is none.", marks - matching(r"\p{M}"))

    def bert(**on):
        off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
        n = normalizers.BertNormalizer(**dict(off, **on))
        return {c for c in ALL if n.normalize_str(chr(c)) == ""}

    nonspacing, controls = bert(strip_accents=True), bert(clean_text=True)
    all_controls = {c for c in ALL if category.get(c) in ("Cc", "Cf", "Co")} - set(b"\t\n\r")
    all_nonspacing = {c for c in ALL if category.get(c) == "Mn"} | matching(r"\p{Mn}")
    print_ranges("no_nonspacing", "Nonspacing marks that `BertNormalizer` does not know.", all_nonspacing - nonspacing)
    print_ranges("more_nonspacing", "What it takes for nonspacing marks and is none.", nonspacing - all_nonspacing)
    print_ranges("no_control", "Controls that it does not know.", all_controls - controls)


if __name__ == "__main__":
    sys.exit(main())
