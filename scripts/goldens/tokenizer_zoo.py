"""The small tokenizers: together they hold every part that a tokenizer.json of our kinds may have."""

import json

from . import texts, train
from .parts import (
    BYTE_DECODER, BYTES, SPACE_DECODER, added, bert, byte_level, bytes_missing, by_id, metaspace, regex_replace, replace, roberta, sequence,
    shifted, special, split, template, with_bytes,
)  # fmt: skip

MARKS = ["<s>", "</s>", "<mask>", "<t0>", "<T19>", "<|endoftext|>"]
GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
QWEN = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
LLAMA3 = QWEN.replace("\\p{N}|", "\\p{N}{1,3}|", 1)


def dump(model, normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None, added_tokens=(), **more):
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added_tokens), "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
             "post_processor": post_processor, "decoder": decoder, "model": model, **more}  # fmt: skip
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


# --- Unigram ------------------------------------------------------------------------------------------------------------


def unigram_metaspace():
    tokens = [
        special(0, "<pad>"),
        special(1, "</s>"),
        special(2, "<unk>"),
        added(480, "<mask>", lstrip=True, special=True),
    ]
    return dump(
        train.unigram(), None, metaspace("always"), template("$A </s>", {"</s>": 1}), metaspace("always"), tokens
    )


def unigram_byte_fallback():
    """Pieces that look like bytes are pieces like others when they stand in the text; some bytes are missing."""
    model = train.unigram()
    model["vocab"] = model["vocab"][:3] + [[b, 0.0] for b in BYTES] + model["vocab"][3:]
    model["byte_fallback"] = True
    tokens = [special(0, "<pad>"), special(1, "</s>"), special(2, "<unk>")]
    return dump(model, sequence(replace(" ", "▁")), None, template("$A </s>", {"</s>": 1}), SPACE_DECODER, tokens)


def unigram_precompiled():
    """SentencePiece's nmt_nfkc, then as T5 and XLM-R have it."""
    normalizer = sequence(
        {"type": "Precompiled", "precompiled_charsmap": train.nmt_nfkc()},
        {"type": "Strip", "strip_left": False, "strip_right": True},
        regex_replace(" {2,}", "▁"),
    )
    tokens = [
        special(0, "<pad>"),
        special(1, "</s>"),
        special(2, "<unk>"),
        added(480, "<mask>", lstrip=True, special=True),
    ]
    before = sequence({"type": "WhitespaceSplit"}, metaspace("always"), key="pretokenizers")
    return dump(train.unigram(), normalizer, before, template("$A </s>", {"</s>": 1}), metaspace("always"), tokens)


# --- byte-level BPE -----------------------------------------------------------------------------------------------------


def bpe_qwen():
    before = sequence(split({"Regex": QWEN}, "Isolated"), byte_level(use_regex=False), key="pretokenizers")
    tokens = [
        special(560, "<|endoftext|>"),
        special(561, "<|im_start|>"),
        added(562, "<think>", normalized=False),
        added(563, "<tool_call>", normalized=True),
    ]
    return dump(train.byte_level(), {"type": "NFC"}, before, byte_level(), BYTE_DECODER, tokens)


def bpe_llama3():
    """ignore_merges: a whole word that is an entry is taken as it is, though no merge leads there."""
    model = shifted(train.byte_level(), 0)
    model["ignore_merges"] = True
    model["vocab"].update(
        {
            w: 560 + i
            for i, w in enumerate(
                [
                    "Ġthequick",
                    "hello",
                    "Ġwhite",
                    "123",
                    "Ġsomethinx",
                    "é",
                    "ä¸ŃæĸĩåŃĹ",
                    "\u0120\u0120\u0120\u0120x",
                    "wordA",
                ]
            )
        }
    )
    before = sequence(split({"Regex": LLAMA3}, "Isolated"), byte_level(use_regex=False), key="pretokenizers")
    after = sequence(byte_level(), template("<|begin_of_text|> $A", {"<|begin_of_text|>": 570}), key="processors")
    return dump(
        model, None, before, after, BYTE_DECODER, [special(570, "<|begin_of_text|>"), special(571, "<|eot_id|>")]
    )


def bpe_roberta():
    """add_prefix_space, Roberta's ends, a mask that eats the blank before it; truncation and padding, which must not matter."""
    model = shifted(train.byte_level(), 4)
    tokens = [
        special(0, "<s>"),
        special(1, "<pad>"),
        special(2, "</s>"),
        special(3, "<unk>"),
        added(564, "<mask>", lstrip=True, special=True, normalized=True),
    ]
    cut = {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}
    fill = {
        "strategy": {"Fixed": 9},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 1,
        "pad_type_id": 0,
        "pad_token": "<pad>",
    }
    return dump(
        model,
        None,
        byte_level(add_prefix_space=True),
        roberta("<s>", 0, "</s>", 2),
        BYTE_DECODER,
        tokens,
        truncation=cut,
        padding=fill,
    )


def bpe_no_regex():
    """ByteLevel with a blank put before and no splitting: merges run across words."""
    return dump(train.byte_level(), None, byte_level(add_prefix_space=True, use_regex=False), None, BYTE_DECODER)


def bpe_deepseek():
    """Several Splits in a row, then bytes."""
    han = "[一-龥぀-ゟ゠-ヿ]+"
    last = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    before = sequence(
        split({"Regex": "\\p{N}{1,3}"}, "Isolated"),
        split({"Regex": han}, "Isolated"),
        split({"Regex": last}, "Isolated"),
        byte_level(use_regex=False),
        key="pretokenizers",
    )
    return dump(
        train.byte_level(),
        sequence(),
        before,
        template("<s> $A", {"<s>": 560}),
        BYTE_DECODER,
        [special(560, "<s>"), special(561, "</s>")],
    )


def bpe_clip():
    """</w> at a word's end; what is not matched is dropped (Removed, inverted); blanks made one; lower case."""
    words = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
    normalizer = sequence({"type": "NFC"}, regex_replace("\\s+", " "), {"type": "Lowercase"})
    before = sequence(split({"Regex": words}, "Removed", True), byte_level(), key="pretokenizers")
    model = {**train.words_with_end(), "unk_token": "<|endoftext|>"}
    model["vocab"] = {
        **model["vocab"],
        "<|startoftext|>": len(model["vocab"]),
        "<|endoftext|>": len(model["vocab"]) + 1,
    }
    start, end = model["vocab"]["<|startoftext|>"], model["vocab"]["<|endoftext|>"]
    return dump(model, normalizer, before, roberta("<|startoftext|>", start, "<|endoftext|>", end, add_prefix_space=False, trim_offsets=False), BYTE_DECODER,
                [special(start, "<|startoftext|>"), special(end, "<|endoftext|>")])  # fmt: skip


def bpe_digits():
    """Digits each alone, then punctuation, then ByteLevel's own expression (falcon's way round)."""
    before = sequence({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(), {"type": "Digits", "individual_digits": True}, split({"Regex": "[aeiou]+"}, "Isolated"),
                      key="pretokenizers")  # fmt: skip
    return dump(train.byte_level(), None, before, byte_level(trim_offsets=True), BYTE_DECODER)


# --- BPE over characters ------------------------------------------------------------------------------------------------


def bpe_llama2():
    """Prepend and Replace, no pre-tokenizer, byte fallback with bytes missing (such a character is unknown), unknowns fused; merges as text."""
    model = with_bytes(train.pieces(), ["<unk>", "<s>", "</s>"], bytes_missing("<0xF0>", "<0x0B>", "<0xCC>"))
    model.update(unk_token="<unk>", fuse_unk=True, byte_fallback=True, merges=[" ".join(m) for m in model["merges"]])
    tokens = [special(0, "<unk>", normalized=True), special(1, "<s>"), special(2, "</s>")]
    return dump(
        model,
        sequence({"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")),
        None,
        template("<s> $A", {"<s>": 1}),
        SPACE_DECODER,
        tokens,
    )


def bpe_gemma():
    """Replace, then Split at blanks that stay with the piece before; all bytes; no blank is taken off when decoding."""
    model = with_bytes(train.pieces(), ["<pad>", "</s>", "<s>", "<unk>"], BYTES)
    model.update(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokens = [
        special(0, "<pad>"),
        special(1, "</s>"),
        special(2, "<s>"),
        special(3, "<unk>"),
        added(4, "<mask>", normalized=False),
    ]
    model["vocab"] = {k: v + (v > 3) for k, v in model["vocab"].items()} | {"<mask>": 4}
    decoder = sequence(replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}, key="decoders")
    return dump(
        by_id(model),
        replace(" ", "▁"),
        split({"String": " "}, "MergedWithPrevious"),
        template("<s> $A", {"<s>": 2}),
        decoder,
        tokens,
    )


def bpe_metaspace_first():
    """Metaspace with prepend_scheme first and no splitting; unknowns one by one."""
    model = with_bytes(train.pieces(), ["<unk>", "<s>", "</s>"], [])
    model.update(unk_token="<unk>", fuse_unk=False)
    return dump(
        model,
        None,
        metaspace("first", False),
        template("<s> $A </s>", {"<s>": 1, "</s>": 2}),
        metaspace("first", False),
        [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
    )


def bpe_metaspace_never():
    """Metaspace with prepend_scheme never and another character for the blank; byte fallback with no unknown token."""
    swap = lambda s: s.replace("▁", "_")  # noqa: E731
    model = with_bytes(train.pieces(), ["<s>", "</s>"], BYTES)
    vocab = {swap(k): v for k, v in model["vocab"].items() if swap(k) == k or swap(k) not in model["vocab"]}
    kept = [
        [swap(a), swap(b)]
        for a, b in model["merges"]
        if swap(a) in vocab and swap(b) in vocab and swap(a + b) in vocab
    ]
    model.update(vocab=vocab, merges=kept, byte_fallback=True)
    return dump(
        model,
        None,
        metaspace("never", True, "_"),
        None,
        sequence({"type": "ByteFallback"}, metaspace("never", True, "_"), key="decoders"),
        [special(0, "<s>"), special(1, "</s>")],
    )


def bpe_legacy():
    """As old files were: no type in the model, merges as text, Metaspace with add_prefix_space, keys left out; a character that is not known vanishes."""
    model = train.pieces()
    old = {
        "vocab": model["vocab"],
        "merges": [" ".join(m) for m in model["merges"]],
        "dropout": None,
        "unk_token": None,
    }
    space = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": space,
            "post_processor": None,
            "decoder": space,
            "model": old,
        },
        ensure_ascii=False,
    )


def bpe_bert():
    """## inside words, the BERT normaliser, Whitespace, BERT's ends, no decoder: tokens are joined by blanks."""
    model = train.words_with_prefix()
    n = len(model["vocab"])
    model["vocab"].update({"[CLS]": n, "[SEP]": n + 1})
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    return dump(
        model,
        normalizer,
        {"type": "Whitespace"},
        bert("[CLS]", n, "[SEP]", n + 1),
        None,
        [special(0, "[UNK]"), special(n, "[CLS]"), special(n + 1, "[SEP]")],
    )


def splits(*behaviours):
    """One Split after another, each with its behaviour; the merges of the model know no borders."""
    patterns = [{"String": ","}, {"Regex": "\\s+"}, {"Regex": "[0-9]"}, {"String": "e"}, {"Regex": "[^a-z]"}]
    before = sequence(*(split(p, b) for p, b in zip(patterns, behaviours)), key="pretokenizers")
    return lambda: dump({**train.loose(), "unk_token": None}, None, before, None, {"type": "Fuse"})


def one_split(pattern, behaviour, invert=False):
    return lambda: dump(train.loose(), None, split(pattern, behaviour, invert), None, {"type": "Fuse"})


def pre_tokenizer(part, decoder=None):
    return lambda: dump(train.loose(), None, part, None, decoder or {"type": "Fuse"})


def normalizer(*parts, decoder=None):
    return lambda: dump(
        train.loose(), sequence(*parts) if len(parts) != 1 else parts[0], None, None, decoder or {"type": "Fuse"}
    )


def bpe_added():
    """All 32 combinations of lstrip, rstrip, single_word, normalized, special, below a normaliser that changes the text; tokens inside tokens."""
    model = shifted(train.loose(), 0)
    n = len(model["vocab"])
    flags = ["lstrip", "rstrip", "single_word", "normalized", "special"]
    tokens = [
        added(n + i, f"<{'tT'[i // 2 % 2]}{i}>", **{f: bool(i >> k & 1) for k, f in enumerate(flags)})
        for i in range(32)
    ]
    words = [("wordA", {"single_word": True}), ("WordB", {"single_word": True, "normalized": True}), ("<a>", {}), ("<a><b>", {}), ("café", {"normalized": True}),
             ("two words", {"normalized": True}), ("▁", {"rstrip": True}), ("[x]", {"lstrip": True, "rstrip": True, "special": True}), ("é", {"normalized": False})]  # fmt: skip
    tokens += [added(n + 32 + i, content, **options) for i, (content, options) in enumerate(words)]
    return dump(
        model,
        sequence({"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}),
        None,
        None,
        {"type": "Fuse"},
        tokens,
    )


def bpe_added_bytes():
    """Added tokens with lstrip, rstrip and single_word beside byte-level pieces; no normaliser, so that normalized does not matter; a special one with the id of a piece."""
    model = train.byte_level()
    tokens = [
        by
        for by in (
            added(
                560 + i,
                f"<t{i}>",
                lstrip=bool(i & 1),
                rstrip=bool(i & 2),
                single_word=bool(i & 4),
                normalized=bool(i & 8),
                special=bool(i & 16),
            )
            for i in range(32)
        )
    ]
    tokens += [
        added(592, "  "),
        added(593, "    "),
        added(594, "café", single_word=True),
        added(595, "\n\n"),
        added(596, "<0x41>"),
        added(597, "two words"),
    ]
    tokens.insert(
        0,
        special(
            model["vocab"]["the"] if "the" in model["vocab"] else 300,
            "the" if "the" in model["vocab"] else next(k for k, v in model["vocab"].items() if v == 300),
        ),
    )
    return dump(model, None, byte_level(), None, BYTE_DECODER, tokens)


STRIP = {"type": "Strip", "content": "s", "start": 0, "stop": 1}  # both at once crash the package on a token "s"
REPLACES = sequence(regex_replace("[aeiou]+", "<V>"), replace("<V>t", "T"), STRIP, key="decoders")
FIVE = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
OWN = texts.OWN

ZOO = [
    ("unigram_metaspace", "Unigram trained by the package; Metaspace always; unknown token", unigram_metaspace, MARKS),
    ("unigram_byte_fallback", "Unigram with byte fallback; decoders Replace, ByteFallback, Fuse, Strip", unigram_byte_fallback, [*MARKS, "<0x41>"]),
    ("unigram_precompiled", "Precompiled (SentencePiece's nmt_nfkc), Strip on the right, Replace by expression; WhitespaceSplit and Metaspace", unigram_precompiled, [*MARKS, *texts.COMPAT]),
    ("bpe_qwen", "NFC, Split isolated, ByteLevel without expression", bpe_qwen, [*MARKS, "<think>", "<tool_call>"]),
    ("bpe_llama3", "ignore_merges; post-processor Sequence of ByteLevel and TemplateProcessing", bpe_llama3, [*MARKS, "wordA"]),
    ("bpe_roberta", "add_prefix_space, RobertaProcessing; truncation and padding in the file", bpe_roberta, MARKS),
    ("bpe_no_regex", "ByteLevel, add_prefix_space, use_regex false", bpe_no_regex, MARKS),
    ("bpe_deepseek", "three Splits and ByteLevel; an empty normaliser Sequence", bpe_deepseek, MARKS),
    ("bpe_clip", "end_of_word_suffix; Split removed and inverted; Replace by expression, Lowercase; RobertaProcessing without blanks", bpe_clip, [*MARKS, "<|startoftext|>"]),
    ("bpe_digits", "Punctuation contiguous, ByteLevel, Digits individual, Split", bpe_digits, MARKS),
    ("bpe_llama2", "Prepend, Replace; byte fallback with bytes missing; fuse_unk; merges as text", bpe_llama2, [*MARKS, "<0x41>"]),
    ("bpe_gemma", "Replace as normaliser, Split merged with previous by string, byte fallback", bpe_gemma, [*MARKS, "<0xE2>"]),
    ("bpe_metaspace_first", "Metaspace first, split false; unknowns not fused", bpe_metaspace_first, MARKS),
    ("bpe_metaspace_never", "Metaspace never, replacement _; byte fallback; decoders ByteFallback, Metaspace", bpe_metaspace_never, MARKS),
    ("bpe_legacy", "an old file: model without type, add_prefix_space in Metaspace, keys absent; unknown characters vanish", bpe_legacy, MARKS),
    ("bpe_bert", "BertNormalizer, continuing_subword_prefix, Whitespace, BertProcessing, no decoder", bpe_bert, ["[CLS]", "[SEP]"]),
    ("bpe_splits", "Splits: each behaviour", splits(*FIVE), []),
    ("bpe_split_next", "Split merged with next", one_split({"Regex": "\\s"}, "MergedWithNext"), []),
    ("bpe_split_previous_inverted", "Split merged with previous, inverted", one_split({"Regex": "\\w+|[^\\w\\s]+"}, "MergedWithPrevious", True), []),
    ("bpe_split_next_inverted", "Split merged with next, inverted", one_split({"Regex": "[a-z]+"}, "MergedWithNext", True), []),
    ("bpe_split_contiguous", "Split contiguous", one_split({"Regex": "\\s"}, "Contiguous"), []),
    ("bpe_split_removed_inverted", "Split removed, inverted: matches only", one_split({"Regex": "\\p{L}+"}, "Removed", True), []),
    ("bpe_digits_grouped", "Digits not individual, Punctuation merged with next, CharDelimiterSplit",
     pre_tokenizer(sequence({"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "MergedWithNext"}, {"type": "CharDelimiterSplit", "delimiter": "e"}, key="pretokenizers")), []),
    ("bpe_punctuation", "Punctuation merged with previous, then removed; decoders Replace by expression and string, Strip", pre_tokenizer({"type": "Punctuation", "behavior": "MergedWithPrevious"}, REPLACES), ["##", "_"]),
    ("bpe_punctuation_isolated", "Punctuation by default (isolated), WhitespaceSplit; no decoder parts", pre_tokenizer(sequence({"type": "WhitespaceSplit"}, {"type": "Punctuation"}, key="pretokenizers"), sequence(key="decoders")), []),
    ("bpe_whitespace", "Whitespace", pre_tokenizer({"type": "Whitespace"}), []),
    ("bpe_nfkd", "NFKD, StripAccents, Lowercase, Strip both", normalizer({"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True}), texts.COMPAT),
    ("bpe_nfd", "NFD alone", normalizer({"type": "NFD"}), texts.COMPAT),
    ("bpe_nfkc", "Strip on the left, NFKC, Replace string, Replace expression, Prepend", normalizer({"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "NFKC"}, replace("th", "z"),
     regex_replace("(\\s)\\s*|[,.]$", "e"), {"type": "Prepend", "prepend": "> "}), texts.COMPAT),
    ("bpe_strip_accents", "StripAccents alone (composed letters keep theirs)", normalizer({"type": "StripAccents"}), texts.COMPAT),
    ("bpe_added", "added tokens: 32 combinations of the five flags, below NFD, Lowercase, StripAccents", bpe_added, OWN),
    ("bpe_added_bytes", "added tokens: 32 combinations, byte-level", bpe_added_bytes, OWN),
]  # fmt: skip
