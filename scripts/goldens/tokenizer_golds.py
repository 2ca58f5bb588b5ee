"""Ids and decoded texts of the `tokenizers` package for the shared and the small tokenizers."""

import random
import zlib

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from . import env, files, invalid, texts, tokenizer_zoo, unicode_tables

STREAMS = 100
SUBSET = 500  # texts for a small tokenizer, besides those with its special tokens and with odd blanks
WHOLE = {"unigram_metaspace", "unigram_precompiled"}  # no shared tokenizer is of these kinds: they get every text

SHARED = {
    "falcon-tokenizer": "byte-level BPE behind Punctuation, ByteLevel and Digits",
    "gpt-oss": "o200k: 200,000 entries",
    "llama1-wizard-vicuna": "BPE with byte fallback, 32,000 pieces",
    "llama3.2": "byte-level BPE, ignore_merges, BOS by the post-processor",
    "phi-3-mini": "BPE with byte fallback, another order of merges, added tokens with rstrip",
    "pythia-410m": "GPT-NeoX: NFC, byte-level BPE, added tokens of blanks",
    "qwen3": "byte-level BPE, NFC, Split by a regular expression",
}


def gpt2(directory):
    """vocab.json and merges.txt as GPT-2's tokenizer reads them: byte-level, no blank put before, <|endoftext|> special."""
    tok = Tokenizer(models.BPE.from_file(str(directory / "vocab.json"), str(directory / "merges.txt")))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    tok.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    return tok


def check_gpt2(tok, directory, samples):
    """transformers' own GPT-2 tokenizer on the same files gives the same ids."""
    from transformers import GPT2TokenizerFast

    other = GPT2TokenizerFast(vocab_file=str(directory / "vocab.json"), merges_file=str(directory / "merges.txt"))
    for text in samples:
        assert other(text)["input_ids"] == tok.encode(text).ids, text


def load(directory, form):
    tok = gpt2(directory) if form == "vocab+merges" else Tokenizer.from_file(str(directory / "tokenizer.json"))
    tok.no_truncation()
    tok.no_padding()
    return tok


def added_ids(tok):
    """The ids that add_special_tokens=True puts before and behind."""
    plain = tok.encode("a", add_special_tokens=False).ids
    full = tok.encode("a").ids
    starts = [i for i in range(len(full) - len(plain) + 1) if full[i : i + len(plain)] == plain]
    return full[: starts[0]], full[starts[0] + len(plain) :]


def text_record(tok, index, text, before, behind):
    ids = tok.encode(text, add_special_tokens=False).ids
    assert tok.encode(text).ids == before + ids + behind, text
    short, whole = tok.decode(ids, skip_special_tokens=True), tok.decode(ids, skip_special_tokens=False)
    flags = (short != text) + 2 * (whole != text)
    record = files.varint(index) + files.varints(ids) + files.varint(flags)
    if flags & 1:
        record += files.blob(short.encode())
    if flags & 2:
        record += files.blob(whole.encode())
    return record, ids


def streams(tok, name, encoded):
    """Random id sequences: any ids; texts' ids with some lost, doubled or cut; single bytes; special and unknown ids."""
    r = random.Random(zlib.crc32(name.encode()))
    known = sorted(tok.get_vocab(with_added_tokens=True).values())
    added = sorted(tok.get_added_tokens_decoder())
    pieces = {v: k for k, v in tok.get_vocab(with_added_tokens=False).items()}
    short = [i for i, piece in sorted(pieces.items()) if len(piece) == 1 or piece.startswith("<0x")]
    rich = [ids for ids in encoded if 2 <= len(ids) <= 60]
    for n in range(STREAMS):
        if n % 4 == 0:
            ids = r.choices(known, k=r.randint(1, 24))
        elif n % 4 == 1:
            ids = [i for i in r.choice(rich) + r.choice(rich) for _ in range(r.choice([0, 1, 1, 1, 1, 2]))]
        elif n % 4 == 2:
            ids = r.choices(short, k=r.randint(1, 12)) + r.choice(rich)[r.randrange(2) :]
        else:
            ids = [
                i
                for _ in range(r.randint(1, 6))
                for i in [
                    *r.choices(added or known, k=r.randrange(2)),
                    *r.choices(short, k=r.randrange(4)),
                    *r.choice(rich)[-3:],
                ]
            ]
        if n >= STREAMS - 5:
            ids.insert(r.randrange(len(ids) + 1), known[-1] + r.randint(1, 1000))
        yield ids or [known[0]]


def stream_record(tok, ids):
    decoded = [tok.decode(ids, skip_special_tokens=skip).encode() for skip in (True, False)]
    return files.varints(ids) + files.blob(decoded[0]) + files.blob(decoded[1])


def gold(tok, name, chosen):
    before, behind = added_ids(tok)
    records, encoded = [], []
    for index, text in chosen:
        record, ids = text_record(tok, index, text, before, behind)
        records.append(record)
        encoded.append(ids)
    walks = [stream_record(tok, ids) for ids in streams(tok, name, encoded)]
    body = b"".join([files.varint(len(records)), *records, files.varint(len(walks)), *walks])
    return b"lrgold1\n" + files.varints(before) + files.varints(behind) + body


def subset(everything, marks):
    """For a small tokenizer: every text with a mark in it, every third with odd blanks, and enough of the others."""
    marked = [(i, t) for i, t in enumerate(everything) if any(m in t for m in marks)]
    blank = [(i, t) for i, t in enumerate(everything) if "  " in t or t[:1].isspace()][::3]
    rest = [(i, t) for i, t in enumerate(everything) if len(t) <= 300]
    return sorted((dict(marked) | dict(blank) | dict(rest[:: len(rest) // SUBSET])).items())


def shared_entries(data):
    for name, covers in SHARED.items():
        yield name, data / "tokenizers" / name, f"tokenizers/{name}", "tokenizer.json", covers
    yield "gpt2", data / "tokenizers" / "gpt2", "tokenizers/gpt2", "vocab+merges", "vocab.json and merges.txt"
    yield (
        "story-llama-hf",
        data / "models" / "story-llama-hf",
        "models/story-llama-hf",
        "tokenizer.json",
        "the trained story model's",
    )
    yield (
        "stories260K",
        data / "models" / "stories260K-hf-derived",
        "models/stories260K-hf-derived",
        "tokenizer.json",
        "512 pieces, byte fallback",
    )


def make_shared(out, data, everything, only):
    for name, directory, path, form, covers in shared_entries(data):
        if not only or name in only:
            tok = load(directory, form)
            if name == "gpt2":
                check_gpt2(tok, directory, everything)
            (out / f"{name}.gold").write_bytes(gold(tok, name, list(enumerate(everything))))
            print(f"{name}: {(out / f'{name}.gold').stat().st_size / 1000:.0f} kB", flush=True)
        yield {"name": name, "golden": f"{name}.gold", "path": path, "form": form, "shared": True, "covers": covers}


def make_small(out, everything, only):
    for name, covers, make, marks in tokenizer_zoo.ZOO:
        if not only or name in only:
            (out / name).mkdir(exist_ok=True)
            (out / name / "tokenizer.json").write_text(make(), encoding="utf-8")
            tok = load(out / name, "tokenizer.json")
            chosen = list(enumerate(everything)) if name in WHOLE else subset(everything, marks)
            (out / f"{name}.gold").write_bytes(gold(tok, name, chosen))
            sizes = [(out / name / "tokenizer.json").stat().st_size, (out / f"{name}.gold").stat().st_size]
            print(f"{name}: tokenizer {sizes[0] / 1000:.0f} kB, golden {sizes[1] / 1000:.0f} kB", flush=True)
        yield {
            "name": name,
            "golden": f"{name}.gold",
            "path": name,
            "form": "tokenizer.json",
            "shared": False,
            "covers": covers,
        }


def make_all(out, data, only):
    out.mkdir(parents=True, exist_ok=True)
    everything = texts.all_texts()
    encoded = [t.encode() for t in everything]
    (out / "texts.bin").write_bytes(files.varint(len(encoded)) + b"".join(map(files.blob, encoded)))
    stamp = env.made_by("tokenizers", ["tokenizers", "transformers", "sentencepiece"])
    entries = [*make_shared(out, data, everything, only), *make_small(out, everything, only)]
    files.dump_json(out / "index.json", {**stamp, "texts": len(everything), "tokenizers": entries})
    invalid.make(out / "invalid_utf8.json", stamp)
    unicode_tables.make(out, stamp)
