"""The texts that every tokenizer is tested on: made here from a seed, nothing downloaded."""

import random
import unicodedata

from . import words

COUNT = 3700  # at least so many, duplicates taken out

SPACES = [
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\n \n",
    " \n",
    "\n ",
    "\t\t",
    " \t ",
    "\v",
    "\f",
    "    ",
    "        ",
]
ODD_SPACES = [
    "\u00a0", "\u1680", "\u180e", "\u2000", "\u2002", "\u2003", "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u2028",
    "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "\u0085", "\u001c", "\u001d", "\u001e", "\u001f", "\u00ad",
]  # fmt: skip
SPECIALS = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|start|>", "<|end|>", "<|channel|>", "<|message|>", "<|return|>", "<|call|>", "<|startoftext|>",
    "<s>", "</s>", "<unk>", "<pad>", "<mask>", "<|user|>", "<|assistant|>", "<|system|>", "<|placeholder1|>", "<think>",
    "</think>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|vision_start|>", "<|padding|>", ">>TITLE<<", ">>ABSTRACT<<",
    ">>QUESTION<<", "<|start_story|>", "<|end_story|>", "<|reserved_special_token_0|>", "<|reserved_200000|>", "[CLS]", "[SEP]",
]  # fmt: skip
OWN = [
    *(f"<t{n}>" for n in range(32)), *(f"<T{n}>" for n in range(32)), "wordA", "WordB", "<a>", "<a><b>", "caf\u00e9", "cafe\u0301", "two words",
    "\u2581", "<0x41>", "<0xE2>", "[x]", "##", "</w>", "\u0120",
]  # fmt: skip
EMOJI = [
    "😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "🇯🇵", "❤️", "👨🏿‍🚒", "🧑‍💻", "1️⃣", "#️⃣", "🫠", "☺", "☺️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🤷🏻‍♀️", "💯", "🦜🦜🦜", "✨", "🅰️",
]  # fmt: skip
COMPAT = [
    "ﬁ", "ﬃ", "①", "½", "㍿", "ℌ", "™", "ª", "º", "²", "Ⅷ", "ｆｕｌｌ", "ﾊﾝｶｸ", "ｶﾞ", "㌔", "ﷺ", "ﻻ", "ŉ", "ǆ", "ĳ", "ſ", "ẛ̣", "K", "Å", "Ω",
    "…", "‥", "＂", "’", "“”", "–", "—", "‑", "⁄", "𝕳𝖊𝖑𝖑𝖔", "𝟘𝟙", "🄰", "㈠", "ㄱ", "가", "각", "ᄀ", "각", "ힰ", "שּׁ", "क़", "ཱི", "ΐ", "ᾳ", "Ǖ", "ộ",
    "q̣̇", "q̣̇", "İ", "ı", "ẞ", "ß", "Σ", "ς", "ΑΣ", "Ǆ", "ǅ", "𐐀", "Ⴀ", "ꭰ", "Ꭰ",
]  # fmt: skip
CODE = [
    "for (int i = 0; i < n; i++) {\n    sum += a[i];\n}\n", "def f(x):\n\treturn x**2  # square\n", "if (!p) return -1;", "a=b+c;", "x->y->z",
    "std::vector<std::pair<int,int>> v;", "SELECT * FROM t WHERE id IN (1,2,3);", "#include <stdio.h>\n", "fn main() { println!(\"{}\", 1); }",
    "<div class=\"a b\">x &amp; y</div>", "{\"a\": [1, 2.5, null, true], \"b\": \"\\u00e9\\n\"}", "[[{\"k\":\"v\"}]]", "https://example.org/a/b?c=d&e=%20f#g",
    "user.name+tag@mail.example.co.uk", "/usr/local/lib/python3.11/site-packages", "C:\\Windows\\System32\\", "git commit -m \"x\" && git push", "$HOME/.config",
    "\\frac{a}{b} \\sum_{i=0}^{n}", "---\nkey: value\n- item\n", "| a | b |\n|---|---|\n", "```c\nint x;\n```", "/* c */ // d", "0x1F 0b10 1e-9 .5 5.", "camelCase snake_case SCREAMING_CASE kebab-case",
    "a\tb\tc\n1\t2\t3\n", "    return\n        x\n", "\n\n\n    }\n\n", "!!!", "???!", "...", "a.b.c", "((()))", "<<>>", "==>", "::", "##", "@@", "%d%s", "~/x", "`x`", "^_^", ":-)", "\\n", "\\\\", "''", "\"\"",
]  # fmt: skip
ENDINGS = [
    "'s",
    "'t",
    "'re",
    "'ve",
    "'m",
    "'ll",
    "'d",
    "'S",
    "'T",
    "'RE",
    "'Ve",
    "'M",
    "'LL",
    "'lL",
    "'D",
    "’s",
    "’t",
    "'x",
    "'",
    "''s",
    "'ſ",
    "'K",
]
UNASSIGNED = [
    "\u0378",
    "\u05ff",
    "\u0e5c",
    "\u1fff",
    "\u2fe0",
    "\U0001ffff",
    "\U0002fa20",
    "\U0005abcd",
    "\U000e0100",
    "\U000f0000",
    "\U0010ffff",
    "\ue000",
    "\uf8ff",
    "\ufdd0",
    "\uffff",
    "\ufffe",
    "\ufffd",
    "\ufff9",
]


def sentence(r, lang=None, count=None):
    lang = lang or r.choice(sorted(words.LANGUAGES))
    lexicon = words.LANGUAGES[lang].split()
    glue = "" if lang in words.UNSPACED else " "
    text = glue.join(r.choice(lexicon) for _ in range(count or r.randint(1, 6)))
    shape = r.randrange(8)
    if shape == 0:
        text = text.upper()
    elif shape == 1:
        text = text.title()
    return text + r.choice(["", "", "", ".", "!", "?", ",", " .", "…", ":", ";", "。", "؟", "।"])


def number(r):
    n = r.randrange(10 ** r.randint(1, 12))
    forms = [f"{n}", f"{n:,}", f"-{n}", f"{n / 100}", f"${n}.99", f"{n}%", f"0{n}", f"{n}km", f"{n}e{n % 7}", f"v{n % 10}.{n % 7}.{n % 3}", f"{n:_}", f"№{n}", f"{n}°C",
             "".join(chr(0x660 + int(d)) for d in str(n)), "".join(chr(0x966 + int(d)) for d in str(n)), "".join(chr(0xFF10 + int(d)) for d in str(n)),
             f"{n % 28 + 1:02}/{n % 12 + 1:02}/{n % 200 + 1900}", f"{n % 24:02}:{n % 60:02}", f"{n}²", f"{n}½", "一二三千万"[: n % 5 + 1]]  # fmt: skip
    return r.choice(forms)


def spaced(r):
    """Words or nothing between runs of blanks in any arrangement."""
    out = []
    for _ in range(r.randint(1, 5)):
        out += r.choices(SPACES, k=r.randint(1, 2)) if r.random() < 0.8 else [r.choice(ODD_SPACES)]
        if r.random() < 0.7:
            out.append(r.choice(["a", "The", "x1", "é", "中", ".", "(", "12", "don't", "\u0301", "{"]))
    return "".join(out[r.randrange(2) :])


def contraction(r):
    stem = r.choice(["I", "we", "don", "CAN", "It", "they", "été", "中文", "5", "", " ", "x_", "O"])
    return stem + r.choice(ENDINGS) + r.choice(["", " ok", "x", "S", "\n", "'s", "1"])


def special(r):
    """Special tokens with and without blanks and words round them."""
    out = []
    for _ in range(r.randint(1, 3)):
        token = r.choice(SPECIALS) if r.random() < 0.65 else r.choice(OWN)
        if r.random() < 0.15:
            token = r.choice(
                [token[:-1], token.upper(), token.lower(), token + token, token[1:], token.replace("|", " ")]
            )
        out += [
            r.choice(["", "", " ", "  ", "\n", "a", "Hi ", "_", ".", "\u00a0", "é", "1", "中"]),
            token,
            r.choice(["", "", " ", "  ", "\n", "b", " yo", "!", "\t x", "2", "中"]),
        ]
    return "".join(out)


def combining(r):
    base = r.choice(["a", "e", "o", "n", "q", "А", "α", "क", "ก", "가", "ﬁ", " ", "1", "Å", "Ự", "ś̂"])
    marks = [
        r.choice(
            [
                "\u0301",
                "\u0300",
                "\u0323",
                "\u0307",
                "\u0308",
                "\u0327",
                "\u0338",
                "\u20dd",
                "\u3099",
                "\u093c",
                "\u05b8",
                "\u064b",
                "\u0e38",
                "\ufe0f",
                "\u1ab0",
            ]
        )
        for _ in range(r.randint(1, 4))
    ]
    text = "".join(base + "".join(r.sample(marks, len(marks))) for _ in range(r.randint(1, 3)))
    return unicodedata.normalize(r.choice(["NFC", "NFD", "NFKC", "NFKD"]), text) if r.random() < 0.5 else text


def odd(r):
    """Characters from anywhere: controls, unassigned ones, private use, any plane."""
    out = []
    for _ in range(r.randint(1, 6)):
        kind = r.randrange(7)
        if kind == 0:
            out.append(chr(r.randrange(0x20)))
        elif kind == 1:
            out.append(r.choice(UNASSIGNED))
        elif kind == 2:
            out.append(
                chr(
                    r.choice(
                        [
                            r.randrange(0x80, 0x800),
                            r.randrange(0x800, 0xD800),
                            r.randrange(0x10000, 0x18000),
                            r.randrange(0x1D400, 0x1FB00),
                        ]
                    )
                )
            )
        elif kind == 3:
            out.append(r.choice(ODD_SPACES))
        elif kind == 4:
            out.append(chr(0x7F + r.randrange(0x21)))
        else:
            out.append(r.choice(["a", "B ", "1", " ", "é", "-"]))
    return "".join(out)


def mixed(r):
    parts = [
        sentence,
        number,
        combining,
        odd,
        spaced,
        contraction,
        lambda q: q.choice(EMOJI),
        lambda q: q.choice(COMPAT),
        lambda q: q.choice(CODE),
    ]
    return r.choice(["", " ", "", "-", ", "]).join(r.choice(parts)(r) for _ in range(r.randint(2, 3)))


def long_runs(r):
    for unit, count in [(" ", 700), ("\n", 500), ("a", 900), ("A", 300), ("0", 600), ("1234567890", 60), ("é", 300), ("e\u0301", 150), ("\u0301", 300), ("中", 250),
                        ("😀", 100), ("\t", 300), ("!", 400), ("-=", 200), ("ab ", 200), (" a", 300), ("\r\n", 150), ("'s", 150), ("漢字かな", 60), ("สวัสดี", 40), ("\u00a0", 200),
                        ("<s>", 60), ("<|endoftext|>", 20), ("\u2581", 200), ("한", 120), ("ᄀ", 120), ("\u0000", 50), ("the quick brown fox ", 30), ("aA", 200), ("/", 257), ("\u200d", 100),
                        ("_", 256), (".", 255), ("🏳️‍🌈", 30)]:  # fmt: skip
        yield unit * count
    for _ in range(6):
        yield "".join(chr(r.randrange(97, 123)) for _ in range(400))
    yield "".join(chr(0x4E00 + r.randrange(5000)) for _ in range(200))
    yield " ".join(sentence(r) for _ in range(40))


def fixed():
    """The empty text, each ASCII character alone and in company, every list above item by item."""
    yield ""
    for c in map(chr, range(0x80)):
        yield c
        yield f"a{c}b {c} {c}{c}"
    for group in (SPACES, ODD_SPACES, SPECIALS, OWN, EMOJI, COMPAT, CODE, ENDINGS, UNASSIGNED):
        for item in group:
            yield item
            yield f"x{item}y"
            yield f" {item} z"
    for item in SPACES:
        for other in SPACES[:9]:
            yield f"a{item}{other}b"
    for lang, text in sorted(words.LANGUAGES.items()):
        yield ("" if lang in words.UNSPACED else " ").join(text.split()[:8])
        yield unicodedata.normalize("NFD", "".join(text.split()[:3]))


def all_texts():
    r = random.Random(20240607)
    out = dict.fromkeys(fixed())
    out.update(dict.fromkeys(long_runs(r)))
    makers = [
        sentence,
        sentence,
        sentence,
        number,
        spaced,
        spaced,
        contraction,
        special,
        special,
        combining,
        odd,
        odd,
        mixed,
        mixed,
        lambda q: q.choice(EMOJI) + q.choice(EMOJI) + q.choice(COMPAT),
    ]
    while len(out) < COUNT:
        out[makers[len(out) % len(makers)](r)] = None
    return list(out)


def training_lines():
    """What the small tokenizers are trained on: sentences of all languages, code, numbers, and borders for merges to cross."""
    r = random.Random(99)
    lines = [sentence(r, lang, 12) for lang in sorted(words.LANGUAGES) for _ in range(40)]
    english = [sentence(r, "en", 10) for _ in range(400)]
    joined = ["12 123 1234 2024 1000 00 99 3.14 10,000", "中文字 中a 文1 a中 ,b (c )d e- -f", "x1 y22 z333 4a 55b"]
    return lines + english + CODE * 3 + [number(r) for _ in range(200)] + joined * 250
