"""Trains the small vocabularies with the `tokenizers` package; each is trained once and used by several tokenizers."""

import collections
import functools
import io
import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from . import texts


def trained(model, trainer, pre_tokenizer=None, corpus=None):
    """The trained model as in a tokenizer.json."""
    tok = Tokenizer(model)
    if pre_tokenizer:
        tok.pre_tokenizer = pre_tokenizer
    tok.train_from_iterator(corpus or texts.training_lines(), trainer)
    return json.loads(tok.to_str())["model"]


def bpe_trainer(size, **options):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)


@functools.cache
def _byte_level():
    trainer = bpe_trainer(560, max_token_length=12, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return trained(models.BPE(), trainer, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))


def lines(alphabet):
    """The training lines with the so many commonest characters alone (ties: the lower code point), the same in each run."""
    everything = texts.training_lines()
    counts = collections.Counter("".join(everything))
    kept = set(sorted(counts, key=lambda c: (-counts[c], c))[:alphabet])
    return ["".join(c for c in line if c in kept) for line in everything]


@functools.cache
def _loose():
    return trained(models.BPE(), bpe_trainer(700, max_token_length=12), corpus=lines(260))


@functools.cache
def _pieces():
    return trained(
        models.BPE(),
        bpe_trainer(520, max_token_length=12),
        pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
        lines(220),
    )


@functools.cache
def _unigram():
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=480, show_progress=False, unk_token="<unk>", special_tokens=special, max_piece_length=10
    )
    return trained(models.Unigram(), trainer, pre_tokenizers.Metaspace(prepend_scheme="always"), lines(200))


def marked_words(pre_tokenizer, mark, alphabet):
    """Counts of the lower-case words as tuples of marked characters."""
    counts = collections.Counter()
    for line in lines(alphabet):
        for word, _ in pre_tokenizer.pre_tokenize_str(line.lower()):
            counts[tuple(mark(word))] += 1
    return counts


def learn(counts, merges, join):
    """Plain byte-pair encoding, ties by the pair itself: the package's trainer numbers marked characters in random order."""
    learned = []
    for _ in range(merges):
        pairs = collections.Counter()
        for word, n in counts.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        learned.append(best)
        counts = collections.Counter({merged(word, best, join): n for word, n in counts.items()})
    return learned


def merged(word, pair, join):
    out, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append(join(*pair))
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def bpe_model(first, counts, merges, join, **options):
    learned = learn(counts, merges, join)
    symbols = sorted({s for word in counts for s in word})
    vocab = list(dict.fromkeys([*first, *symbols, *(join(*pair) for pair in learned)]))
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
            "byte_fallback": False, "ignore_merges": False, "vocab": {s: i for i, s in enumerate(vocab)}, "merges": [list(p) for p in learned], **options}  # fmt: skip


@functools.cache
def _words_with_end():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    counts = marked_words(pre_tokenizers.ByteLevel(add_prefix_space=False), lambda w: [*w[:-1], w[-1] + "</w>"], 400)
    return bpe_model(
        [*alphabet, *(c + "</w>" for c in alphabet)], counts, 150, str.__add__, end_of_word_suffix="</w>"
    )


@functools.cache
def _words_with_prefix():
    counts = marked_words(pre_tokenizers.Whitespace(), lambda w: [w[0], *("##" + c for c in w[1:])], 150)
    return bpe_model(
        ["[UNK]"],
        counts,
        160,
        lambda a, b: a + b.removeprefix("##"),
        continuing_subword_prefix="##",
        unk_token="[UNK]",
    )


def byte_level():
    """Byte-level BPE, 256 bytes and merges, which run across words: so it is felt where a pre-tokenizer cuts."""
    return json.loads(json.dumps(_byte_level()))


def loose():
    """BPE over characters, merges across words and blanks."""
    return json.loads(json.dumps(_loose()))


def pieces():
    """BPE over characters behind Metaspace, merges across words as well."""
    return json.loads(json.dumps(_pieces()))


def words_with_end():
    """Byte-level BPE with the suffix </w> at each word's end."""
    return json.loads(json.dumps(_words_with_end()))


def words_with_prefix():
    """BPE with the prefix ## inside words."""
    return json.loads(json.dumps(_words_with_prefix()))


def unigram():
    """Unigram behind Metaspace. The package's trainer numbers the characters that it must keep in random order and gives each
    a score 0.0001 below the one before: here in the order of their code points, so that every run agrees."""
    model = json.loads(json.dumps(_unigram()))
    special, trained_pieces = model["vocab"][:3], dict(model["vocab"][3:])
    least = min(score for piece, score in trained_pieces.items() if len(piece) > 1)
    rare = sorted(p for p, score in trained_pieces.items() if len(p) == 1 and score < least)
    trained_pieces.update({p: least - 0.0001 * (i + 1) for i, p in enumerate(rare)})
    rounded = [[piece, round(score, 5)] for piece, score in trained_pieces.items()]
    model["vocab"] = special + sorted(rounded, key=lambda e: (-e[1], e[0]))
    return model


@functools.cache
def nmt_nfkc():
    """SentencePiece's precompiled table of the rule nmt_nfkc, in base64 as tokenizer.json wants it."""
    import base64

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts.training_lines()), model_writer=out, vocab_size=1200, hard_vocab_limit=False,
        character_coverage=1.0, normalization_rule_name="nmt_nfkc", minloglevel=2, num_threads=1,
    )  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    return base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
