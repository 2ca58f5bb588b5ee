"""What the end-to-end tests share: the built program, and small model directories to run it on.

The program is LLM_RUN (else build/release/llm-run). LR_TEST_MATMUL is passed on as --matmul (ThreadSanitizer does not know
OpenBLAS). Models: a tiny random one with a tokenizer of single letters, made here from the golden files, a Llama
of 45 MiB of random weights, and models/demo.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from random_model import write_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_RUN", str(ROOT / "build/release/llm-run"))
GOLDEN = ROOT / "tests/golden/models"
DATA = pathlib.Path(os.environ.get("LR_TEST_DATA", ROOT / "../shared/data"))
SANITIZED = bool(re.search(r"/(asan|tsan)/", BINARY))
needs_true_memory = pytest.mark.skipif(SANITIZED, reason="a sanitizer's shadow memory is not in the plan")

sys.path.insert(0, str(ROOT / "scripts"))  # of which tests use cgroup, disk and others

# The tests may run in a script's background or under nohup, where signals are ignored; what is started would inherit that.
for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nothing_is_left_running(monkeypatch):
    """What a test that failed has started ends with it."""
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    yield
    for p in started:
        if p.poll() is None:
            p.kill()
            p.wait()


class Run:
    """What one run of the program did."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err.decode()
        # what is said besides the log of memory, which test_memory.py looks at
        self.lines = [line for line in self.err.splitlines() if not line.startswith(("[Memory] ", "[MemOpt] "))]

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}\nstdout {self.out[:2000]!r}\nstderr {self.err[:2000]}"


def command(*args):
    matmul = os.environ.get("LR_TEST_MATMUL")
    return [BINARY, *(["--matmul", matmul] if matmul else []), *(os.fspath(a) for a in args)]


def llm_run(*args, stdin=b"", timeout=120, before=(), **more):
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} is not built")
    done = subprocess.run([*before, *command(*args)], input=stdin, capture_output=True, timeout=timeout, **more)
    return Run(done.returncode, done.stdout, done.stderr)


def refused(run, status, *parts):
    """The form of every failure: the exit status, one line on stderr that names the thing, nothing on stdout. Loading
    may have told of itself before."""
    assert run.status == status, run
    assert run.out == b"", run
    errors = [line for line in run.lines if line.startswith("llm-run: ")]
    assert len(errors) == len(run.lines) == 1, run
    for part in parts:
        assert part in errors[0], run
    return errors[0]


LETTERS = [chr(c) for c in range(0x20, 0x7F)] + ["\n"]
FIRST_LETTER = 3


def letter_ids(text):
    """The ids that the tiny tokenizer gives, without the one that it puts before."""
    return [FIRST_LETTER + LETTERS.index(c) for c in text]


def write_tiny_tokenizer(folder, vocab_size):
    vocab = {"<pad>": 0, "<s>": 1, "</s>": 2}
    for c in LETTERS:
        vocab[{" ": "Ġ", "\n": "Ċ"}.get(c, c)] = len(vocab)
    while len(vocab) < vocab_size:
        vocab[f"({len(vocab)})"] = len(vocab)
    special = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for t, i in list(vocab.items())[:3]]
    begin = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": {"type": "TemplateProcessing", "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocab, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))


def copy_golden(case, folder):
    """A model directory of the golden files, without the answers."""
    source = GOLDEN / case
    if not source.is_dir():
        pytest.skip(f"{source} is absent")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("golden.json", "logits.f32"))
    return folder


@pytest.fixture
def tiny(tmp_path):
    """A tiny random Llama with a tokenizer; a test may break it."""
    folder = copy_golden("llama_gqa", tmp_path / "tiny")
    write_tiny_tokenizer(folder, json.loads((folder / "config.json").read_text())["vocab_size"])
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """45 MiB of weights, without a tokenizer; for all tests, and not to be changed."""
    return write_model(tmp_path_factory.mktemp("small") / "model")


@pytest.fixture
def demo():
    folder = ROOT / "models/demo"
    if not (folder / "config.json").exists():
        pytest.skip("models/demo is absent")
    return folder


def shared_model(name):
    folder = DATA / "models" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    return folder
