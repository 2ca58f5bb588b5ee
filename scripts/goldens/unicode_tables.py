"""Which code points the package's regular expressions and normalisers take for what; the tokenizers rest on these."""

from tokenizers import Regex, normalizers, pre_tokenizers

from . import files

REGEX = ["\\s", "\\S", "\\d", "\\w", "\\p{L}", "\\p{N}", "\\p{M}", "\\p{P}", "\\p{S}", "\\p{Z}", "\\p{C}", "\\p{Lu}", "\\p{Ll}", "\\p{Lt}", "\\p{Lm}", "\\p{Lo}", "\\p{Nd}",
         "\\p{Han}", "[[:space:]]", "[[:alpha:]]", "[[:punct:]]", "(?i:s)", "(?i:k)"]  # fmt: skip
FORMS = {"NFC": normalizers.NFC(), "NFKC": normalizers.NFKC(), "NFD": normalizers.NFD(), "NFKD": normalizers.NFKD(), "Lowercase": normalizers.Lowercase(),
         "StripAccents": normalizers.StripAccents(), "Strip": normalizers.Strip()}  # fmt: skip
HANGUL = range(0xAC00, 0xD7A4)
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(members):
    """Sorted code points as [first, last, first, last, ...]."""
    out = []
    for c in members:
        if out and c == out[-1] + 1:
            out[-1] = c
        else:
            out += [c, c]
    return out


def removed(pre_tokenizer):
    """Code points that the pre-tokenizer takes out of a row of all."""
    found = []
    for at in range(0, len(SCALARS), 8192):
        part = SCALARS[at : at + 8192]
        text = "".join(chr(c) for c in part)
        kept = {i for piece, (a, b) in pre_tokenizer.pre_tokenize_str(text) for i in range(a, b)}
        found += [c for i, c in enumerate(part) if i not in kept]
    return found


def forms():
    """varint count of forms; for each: name, count, then (code point - the one before, result) where the result is another."""
    out = files.varint(len(FORMS))
    for name, normalizer in FORMS.items():
        changed = [(c, t) for c in SCALARS if c not in HANGUL and (t := normalizer.normalize_str(chr(c))) != chr(c)]
        before, body = 0, b""
        for c, t in changed:
            body += files.varint(c - before) + files.blob(t.encode())
            before = c
        out += files.blob(name.encode()) + files.varint(len(changed)) + body
    return out


def make(out, stamp):
    classes = {p: ranges(removed(pre_tokenizers.Split(Regex(p), "removed"))) for p in REGEX}
    classes["WhitespaceSplit"] = ranges(removed(pre_tokenizers.WhitespaceSplit()))
    space = set(removed(pre_tokenizers.Whitespace()))
    classes["Whitespace"] = ranges(sorted(space))
    classes["Punctuation"] = ranges(removed(pre_tokenizers.Punctuation("removed")))
    whitespace, digits = pre_tokenizers.Whitespace(), pre_tokenizers.Digits(True)
    classes["Whitespace word"] = ranges(
        [c for c in SCALARS if len(whitespace.pre_tokenize_str("a" + chr(c))) == 1 and c not in space]
    )
    classes["Digits"] = ranges([c for c in SCALARS if len(digits.pre_tokenize_str("a" + chr(c) + "a")) == 3])
    files.dump_json(out / "unicode_classes.json", {**stamp, "classes": classes})
    (out / "unicode_forms.bin").write_bytes(forms())
