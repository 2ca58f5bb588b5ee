"""Parts of a tokenizer.json, as the files have them."""


def special(id, content, **options):
    return added(id, content, **{"special": True, "normalized": False, **options})


def added(id, content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False):
    return {
        "id": id,
        "content": content,
        "single_word": single_word,
        "lstrip": lstrip,
        "rstrip": rstrip,
        "normalized": normalized,
        "special": special,
    }


def sequence(*parts, key="normalizers"):
    """A Sequence of normalizers, pretokenizers, processors or decoders."""
    return {"type": "Sequence", key: list(parts)}


def replace(pattern, content):
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def regex_replace(pattern, content):
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(add_prefix_space=False, trim_offsets=False, use_regex=True):
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": trim_offsets,
        "use_regex": use_regex,
    }


def metaspace(prepend_scheme, split=True, replacement="▁"):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": prepend_scheme, "split": split}


def template(single, ids):
    """TemplateProcessing from text such as "<s> $A </s>"."""
    one = [
        {"Sequence": {"id": "A", "type_id": 0}} if p == "$A" else {"SpecialToken": {"id": p, "type_id": 0}}
        for p in single.split()
    ]
    pair = one + [{"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "type": "TemplateProcessing",
        "single": one,
        "pair": pair,
        "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in ids.items()},
    }


def roberta(start, start_id, end, end_id, add_prefix_space=True, trim_offsets=True):
    return {
        "type": "RobertaProcessing",
        "sep": [end, end_id],
        "cls": [start, start_id],
        "trim_offsets": trim_offsets,
        "add_prefix_space": add_prefix_space,
    }


def bert(start, start_id, end, end_id):
    return {"type": "BertProcessing", "sep": [end, end_id], "cls": [start, start_id]}


BYTES = [f"<0x{b:02X}>" for b in range(256)]
BYTE_DECODER = byte_level(add_prefix_space=True, trim_offsets=True)  # what the keys say does not matter to a decoder
SPACE_DECODER = sequence(
    replace("▁", " "),
    {"type": "ByteFallback"},
    {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    key="decoders",
)


def bytes_missing(*missing):
    return [b for b in BYTES if b not in missing]


def shifted(model, by):
    """The ids raised, so that others may stand before them."""
    return {**model, "vocab": {k: v + by for k, v in model["vocab"].items()}}


def with_bytes(model, first, byte_tokens):
    """The vocabulary begins with `first`, then the byte tokens, then the model's own entries."""
    order = [*first, *byte_tokens, *sorted(model["vocab"], key=model["vocab"].get)]
    return {**model, "vocab": {k: i for i, k in enumerate(dict.fromkeys(order))}}


def by_id(model):
    return {**model, "vocab": dict(sorted(model["vocab"].items(), key=lambda e: e[1]))}
