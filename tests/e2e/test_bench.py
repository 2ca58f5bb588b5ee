"""--bench: tests of the sizes asked for as a table and as JSON; with -v operations that add up; what cannot be measured is refused."""
import re
import signal
import statistics
import subprocess
import sys

import pytest

from conftest import ROOT, command, copy_golden, llm_run, needs_true_memory, refused
from random_model import write_model

SIZES = ("--prompt-sizes", "20,7", "--gen-sizes", "5")
OPERATIONS = ["embedding", "norm", "q/k/v", "rope", "store KV", "attention", "o", "gate/up", "activation", "down", "add", "head"]
MIB = 1 << 20


@pytest.fixture(scope="module")
def measured(small):
    run = llm_run("--bench", "-v", "--json", "--repeat", "3", *SIZES, small)
    assert run.status == 0, run
    return run.json()


def test_the_keys_are_those_that_are_promised(small, measured):
    assert {"model", "params", "bytes", "dtype", "threads", "isa", "matmul", "results"} <= set(measured)
    info = llm_run("--info", "--json", small).json()
    assert (measured["params"], measured["bytes"], measured["dtype"]) == (info["parameters"], info["weight_bytes"], "bf16")
    assert measured["model"] == str(small) and measured["threads"] >= 1
    found = [(r["test"], r["n_prompt"], r["n_gen"], r["batch"]) for r in measured["results"]]
    assert found == [("pp20", 20, 0, 1), ("pp7", 7, 0, 1), ("tg5", 0, 5, 1)]


def test_means_and_deviations_are_those_of_the_samples(measured):
    for r in measured["results"]:
        assert len(r["samples"]) == 3 and min(r["samples"]) > 0
        assert r["tok_s_mean"] == pytest.approx(statistics.mean(r["samples"]), rel=1e-6)
        assert r["tok_s_sd"] == pytest.approx(statistics.stdev(r["samples"]), rel=1e-4, abs=1e-4)


def check_operations(found, tolerance):
    """The operations of each test, by name; their times make up the passes'."""
    for test in found["operations"]:
        assert [p["operation"] for p in test["parts"]] == OPERATIONS
        assert test["sum_s"] == pytest.approx(sum(p["seconds"] for p in test["parts"]), rel=1e-5)
        assert test["pass_s"] * (1 - tolerance) <= test["sum_s"] <= test["pass_s"] * 1.000001, test
    return {t["test"]: {p["operation"]: p for p in t["parts"]} for t in found["operations"]}


def test_operations_add_up_to_the_passes(measured):
    tests = check_operations(measured, 0.2)
    assert list(tests) == ["pp20", "pp7", "tg5"] and [t["passes"] for t in measured["operations"]] == [1, 1, 5]
    for parts in tests.values():
        for p in parts.values():
            assert p["seconds"] > 0 and (p["memory_bytes"] or p["activation_bytes"]) and p["streamed_bytes"] == 0


def test_bytes_and_multiply_adds_are_those_of_the_model(measured):
    dim, ffn, kv, layers, vocab = 512, 1536, 128, 5, 8192
    tests = check_operations(measured, 0.2)
    for name, n, passes, heads in ("pp20", 20, 1, 1), ("pp7", 7, 1, 1), ("tg5", 5, 5, 5):
        parts = tests[name]
        gate_up = 2 * layers * dim * ffn
        assert parts["gate/up"]["multiply_adds"] == gate_up * n and parts["gate/up"]["memory_bytes"] == 2 * gate_up * passes
        assert parts["q/k/v"]["multiply_adds"] == layers * dim * (dim + 2 * kv) * n
        assert parts["head"]["multiply_adds"] == dim * vocab * heads and parts["head"]["memory_bytes"] == 2 * dim * vocab * heads
        assert parts["store KV"]["memory_bytes"] == layers * 2 * kv * 2 * n
    assert tests["pp20"]["attention"]["multiply_adds"] == 2 * layers * dim * sum(range(1, 21))
    assert tests["tg5"]["attention"]["multiply_adds"] == 2 * layers * dim * sum(range(9, 14))


def test_limits_are_measured(measured):
    limits = measured["limits"]
    assert limits["cache_bytes_per_s"] > 1e8 and limits["memory_bytes_per_s"] > 1e8
    assert limits["multiply_adds_per_s"]["f32"] > 1e7 and set(limits["multiply_adds_per_s"]) == {"f32", "bf16", "int8"}
    assert limits["disk_bytes_per_s"] is None and isinstance(limits["weights_in_cache"], bool)
    for test in measured["operations"]:
        for p in test["parts"]:
            assert p["limit"] in ("memory", "cache", "f32", "bf16", "int8") and p["share"] > 0


def test_without_verbose_nothing_is_watched(small):
    found = llm_run("--bench", "--json", "--repeat", "1", *SIZES, small).json()
    assert "operations" not in found and "limits" not in found and len(found["results"]) == 3
    assert [r["tok_s_sd"] for r in found["results"]] == [0, 0, 0]


def test_the_table_is_80_columns_wide(small):
    run = llm_run("--bench", "-q", "-v", "--repeat", "2", *SIZES, small)
    text = run.out.decode()
    assert run.status == 0 and run.err == "" and max(map(len, text.splitlines())) <= 80
    assert re.findall(r"^((?:pp|tg)\d+) +\d+ +[\d.]+ +[\d.]+ +2$", text, re.M) == ["pp20", "pp7", "tg5"]
    for name in OPERATIONS:
        assert len(re.findall(rf"^{re.escape(name)} +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ (?:GB|Gma)/s +[\d.]+  \w+$", text, re.M)) == 3, name
    assert text.count("\nsum ") == 3 and "GB/s read" in text
    plain = llm_run("--bench", "-q", "--repeat", "2", *SIZES, small).out.decode()
    assert "embedding" not in plain and len(plain.splitlines()) == 9


def test_default_sizes_are_those_that_fit(tiny, demo):
    """128 and 512 of a prompt, 32 tokens after one of 8; with 256 or 10 positions as many as there are."""
    names = lambda *args: [r["test"] for r in llm_run("--bench", "--json", "-q", "--repeat", "1", *args).json()["results"]]
    assert names(demo) == ["pp128", "pp512", "tg32"]
    assert names(tiny) == ["pp128", "pp256", "tg32"]
    assert names("-c", "10", tiny) == ["pp10", "tg2"]
    assert names("-c", "8", tiny) == ["pp8"]
    assert names("--prompt-sizes", "0", "--gen-sizes", "3,3,4", tiny) == ["tg3", "tg4"]


def test_what_cannot_be_is_refused(tiny, tmp_path):
    refused(llm_run("--bench", "-q", "--prompt-sizes", "257", tiny), 2, "--prompt-sizes 257", "257 positions", "256")
    refused(llm_run("--bench", "-q", "--gen-sizes", "249", tiny), 2, "--gen-sizes 249", "257 positions", "256")
    assert llm_run("--bench", "-q", "--prompt-sizes", "256", "--gen-sizes", "248", "--repeat", "1", tiny).status == 0
    refused(llm_run("--bench", "-q", "-c", "9", "--gen-sizes", "2", tiny), 2, "--gen-sizes 2", "-c gives 9")
    refused(llm_run("--bench", "-q", "-c", "257", tiny), 2, "257", "256")
    refused(llm_run("--bench", "-q", "--prompt-sizes", "0", "--gen-sizes", "0", tiny), 2, "nothing to measure")
    refused(llm_run("--bench", "-q", tiny, "a prompt"), 2, "--bench", "prompt")
    refused(llm_run("--bench", "-q", "--isa", "mmx", tiny), 2, "mmx")
    refused(llm_run("--bench", tmp_path / "nowhere"), 3, "nowhere")
    run = llm_run("--bench", "--json", "--prompt-sizes", "257", "-q", tiny)
    assert run.status == 2 and run.json()["error"]["code"] == 2


def test_no_tokenizer_is_needed(tmp_path):
    folder = copy_golden("llama_gqa", tmp_path / "bare")
    run = llm_run("--bench", "--repeat", "1", "--prompt-sizes", "4", "--gen-sizes", "4", folder)
    assert run.status == 0 and [line.split(":")[1] for line in run.lines] == [" pp4", " tg4"], run


@needs_true_memory
def test_memory_that_does_not_suffice(small):
    refused(llm_run("--bench", "-q", "--mem-limit", "20M", "-c", "4096", small), 4, "memory")


@needs_true_memory
def test_streamed_weights_add_up_too(tmp_path):
    """What a pass reads again is some operation's, and the disk is a limit. (Of less than 64 MB no disk's rate is measured.)"""
    folder = write_model(tmp_path / "model", intermediate_size=3072, num_hidden_layers=6)
    options = ("--mem-limit", "60M", "-c", "64", "--no-cache")
    run = llm_run("--bench", "-v", "--json", "--repeat", "1", *SIZES, *options, folder)
    assert run.status == 0, run
    found = run.json()
    tests = check_operations(found, 0.3)
    planned = llm_run("--plan", "--json", *options, folder).json()["streamed"]
    for test in found["operations"]:
        streamed = sum(p["streamed_bytes"] for p in test["parts"]) / test["passes"]
        assert streamed > 10 * MIB and streamed == pytest.approx(planned, rel=0.25), test
    if not found["limits"]["disk_bytes_per_s"]:
        pytest.skip("the disk's rate cannot be measured here")
    limits = {p["limit"] for parts in tests.values() for p in parts.values() if p["streamed_bytes"]}
    assert "disk" in limits


def test_a_signal_ends_it(small):
    with subprocess.Popen(command("--bench", "--repeat", "1000", *SIZES, small), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        while b"pp20" not in p.stderr.readline():  # a test is done
            assert p.poll() is None
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        assert p.returncode == 130 and out == b"" and re.search(rb"interrupted in (pp7|tg5), run \d+ of 1000", err)


def test_the_drawing(measured, tmp_path):
    import json
    (tmp_path / "bench.json").write_text(json.dumps(measured))
    script = [sys.executable, ROOT / "scripts/plot_bench.py"]
    subprocess.run([*script, tmp_path / "bench.json", "-o", tmp_path / "bench.svg"], check=True)
    svg = (tmp_path / "bench.svg").read_text()
    import xml.dom.minidom
    xml.dom.minidom.parseString(svg)
    for name in OPERATIONS:
        assert svg.count(f">{name}<") == 3, name
    (tmp_path / "plain.json").write_text(json.dumps({k: v for k, v in measured.items() if k != "operations"}))
    done = subprocess.run([*script, tmp_path / "plain.json", "-o", tmp_path / "no.svg"], capture_output=True, text=True)
    assert done.returncode == 1 and "-v" in done.stderr
