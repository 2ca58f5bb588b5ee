"""--tokenize, --score and --info."""
import json
import math
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BINARY, DATA, GOLDEN, command, copy_golden, letter_ids, llm_run, refused


def test_tokenize_prints_ids(tiny):
    assert llm_run("--tokenize", tiny, "hello you").out.split() == [b"%d" % i for i in [1, *letter_ids("hello you")]]
    assert llm_run("--tokenize", "--raw", tiny, "hi").out == b"%d %d\n" % tuple(letter_ids("hi"))
    assert llm_run("--tokenize", "--raw", tiny, "").out == b"\n"


def test_tokenize_takes_stdin_byte_for_byte(tiny):
    assert [int(n) for n in llm_run("--tokenize", "--raw", tiny, stdin=b"a\n\n").out.split()] == letter_ids("a\n\n")


def test_tokenize_json(tiny):
    answer = llm_run("--tokenize", "--json", tiny, "a b").json()
    assert answer == {"tokens": [1, *letter_ids("a b")], "pieces": ["<s>", "a", "Ġ", "b"]}


def test_tokenize_needs_the_tokenizer_alone(tiny, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tiny / "tokenizer.json", alone)
    assert llm_run("--tokenize", alone, "hello").out == llm_run("--tokenize", tiny, "hello").out
    refused(llm_run(alone, "hello"), 3, "config.json")


def test_tokenize_and_ids_exclude_each_other(tiny):
    refused(llm_run("--tokenize", "--ids", tiny, "1"), 2, "--ids")


def test_a_model_without_a_tokenizer_takes_ids_alone(tmp_path):
    folder = copy_golden("llama_gqa", tmp_path / "bare")
    assert llm_run("-q", "-n", "2", "--ids", folder, "1,2").status == 0
    for mode in ["-n", "2"], ["--score"]:
        refused(llm_run(*mode, folder, "hello"), 3, "tokenizer", "; without one, --ids works")
    assert "--ids" not in refused(llm_run("--tokenize", folder, "hello"), 3, "no tokenizer.json")  # it is refused there
    answer = llm_run("--json", "-n", "2", "--ids", "--greedy", folder, "1,2").json()
    assert answer["text"] == "" and len(answer["tokens"]) == 2


def test_score_is_the_sum_and_its_mean(tiny):
    answer = llm_run("--score", "--json", tiny, "hello").json()
    assert answer["tokens"] == [1, *letter_ids("hello")]
    assert answer["logprobs"][0] is None and all(x < 0 for x in answer["logprobs"][1:])
    assert answer["nll"] == pytest.approx(-sum(answer["logprobs"][1:]), rel=1e-6)
    assert answer["perplexity"] == pytest.approx(math.exp(answer["nll"] / 5), rel=1e-6)
    plain = dict(line.split() for line in llm_run("--score", tiny, "hello").out.decode().splitlines())
    assert plain["tokens"] == "6" and plain["scored"] == "5" and float(plain["perplexity"]) == pytest.approx(answer["perplexity"], rel=1e-5)


def test_score_of_ids_adds_nothing(tiny):
    answer = llm_run("--score", "--json", "--ids", tiny, "5,6,7").json()
    assert answer["tokens"] == [5, 6, 7] and len(answer["logprobs"]) == 3


def test_score_needs_two_tokens(tiny):
    refused(llm_run("--score", "--ids", tiny, "5"), 2, "1 token")
    refused(llm_run("--score", "--raw", tiny, ""), 2, "0 tokens")


def test_score_does_not_depend_on_chunks(tiny):
    text = "a text of more than seven letters"
    lines = {json.dumps(llm_run("--score", "--json", "--matmul", "native", "--prefill-chunk", n, tiny, text).json())
             for n in ("1", "7", "64")}
    assert len(lines) == 1


def test_score_of_a_text_longer_than_the_context_is_refused_whole(tiny):
    refused(llm_run("--score", tiny, stdin=b"a" * 300), 2, "301 tokens", "256")
    refused(llm_run("--score", "-c", "16", tiny, stdin=b"a" * 20), 2, "21 tokens", "room for 16", "-c, up to 256")


def test_score_takes_the_context_that_its_text_needs(tiny):
    """Beyond the 8192 positions that a session has by itself, where the model has them."""
    config = json.loads((tiny / "config.json").read_text())
    config["max_position_embeddings"] = 9000
    (tiny / "config.json").write_text(json.dumps(config))
    answer = llm_run("--score", "--json", "--raw", tiny, stdin=b"a" * 8193).json()
    assert len(answer["logprobs"]) == 8193
    assert "context of 6 positions" in llm_run("--score", "-v", tiny, "hello").err


REPEATED = {"space": " ", "newline": "\n", "letter": "a", "digit": "5", "mark": "\u0301", "no spaces": "ab1c-D\u00e9f2,g"}


SHORT = [GOLDEN.parent / "tokenizers" / name for name in ("bpe_qwen", "bpe_llama2", "bpe_clip", "unigram_metaspace")]
REAL = sorted({p.parent for name in ("tokenizer.json", "vocab.json") for p in DATA.glob(f"tokenizers/*/{name}")})
UNOPTIMISED = re.search(r"/(asan|ubsan|tsan|debug)/", BINARY)


def processor_seconds(tokenizer, data):
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    began = used()
    run = llm_run("--tokenize", tokenizer, stdin=data)
    assert run.status == 0 and run.out, run
    return used() - began


@pytest.mark.parametrize("tokenizer", SHORT if UNOPTIMISED else SHORT + REAL, ids=lambda p: p.name)
def test_a_megabyte_without_a_place_to_split_takes_no_longer(tokenizer):
    """Under a second beside what reading the tokenizer takes, in processor time, which other programs do not change much: some
    0.4 s were seen at most. Quadratic merging or splitting would take minutes, and is seen in builds that are up to 20 times as slow too."""
    size = 200_000 if "/tsan/" in BINARY else 1_000_000  # each memmem() looks at the whole of the text there
    reading = processor_seconds(tokenizer, b"a")
    for name, text in REPEATED.items():
        data = text.encode() * (size // len(text.encode()))
        took = processor_seconds(tokenizer, data) - reading
        assert took < (20 if UNOPTIMISED else 1), name


@pytest.mark.skipif("/asan/" in BINARY, reason="much slower there, and memmem grows with the square of the text")
@pytest.mark.parametrize("tokenizer", ["bpe_qwen", "bpe_llama2", "unigram_metaspace"])
def test_tokenizing_many_megabytes_can_be_interrupted(tokenizer, tmp_path):
    """Seconds of work for each; a signal ends it, wherever it is."""
    if "/tsan/" in BINARY and tokenizer == "bpe_llama2":
        pytest.skip("between two looks memmem takes minutes there")
    (tmp_path / "text").write_text("".join(f"{n * n} words and {n} " for n in range(1_000_000)))
    p = subprocess.Popen(command("--tokenize", "-f", tmp_path / "text", GOLDEN.parent / "tokenizers" / tokenizer),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, said = p.communicate(timeout=60)
    assert p.returncode == 130 and out == b"" and said.startswith(b"llm-run: interrupted while"), said
    assert time.monotonic() - began < 5


def test_info(tiny):
    info = llm_run("--info", "--json", tiny).json()
    config = json.loads((tiny / "config.json").read_text())
    assert info["family"] == "llama" and info["architecture"] == "LlamaForCausalLM"
    assert info["vocab"] == config["vocab_size"] and info["layers"] == config["num_hidden_layers"]
    assert info["dim"] == config["hidden_size"] and info["kv_heads"] == config["num_key_value_heads"]
    assert info["max_context"] == 256 and info["has_tokenizer"] is True and info["has_template"] is False
    plain = llm_run("--info", tiny).out.decode()
    assert f"vocab         {info['vocab']}\n" in plain and "has_tokenizer yes\n" in plain
