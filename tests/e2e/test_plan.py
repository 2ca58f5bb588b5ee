"""--plan before anything is loaded: what is priced from the sizes of files holds, and refuses before they are read."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from conftest import DATA, ROOT, command, llm_run, needs_true_memory, refused
from random_model import llama_config

MIB = 1 << 20
TOKENIZERS = sorted(p.parent for p in (ROOT / "tests/golden/tokenizers").glob("*/tokenizer.json")) + \
    sorted(p.parent for p in (DATA / "tokenizers").glob("*/tokenizer.json"))


def peak_anonymous(args):
    """The greatest RssAnon of a run, looked at as often as it goes."""
    p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while p.poll() is None:
        try:
            with open(f"/proc/{p.pid}/status") as f:
                peak = max([peak] + [int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon")])
        except OSError:
            break
        time.sleep(0.0005)
    assert p.wait() == 0
    return peak


@needs_true_memory
@pytest.mark.parametrize("folder", TOKENIZERS, ids=lambda p: p.name)
def test_a_tokenizer_takes_no_more_than_its_files_size_says(tiny, tmp_path, folder):
    """The plan's bound is from the size alone; reading the tokenizer stays below what the plan says is needed at once."""
    model = shutil.copytree(tiny, tmp_path / "model")
    for name in "tokenizer.json", "tokenizer_config.json":
        if (folder / name).exists():
            shutil.copyfile(folder / name, model / name)
    plan = llm_run("--plan", "--json", "-c", "1", model).json()
    peak = peak_anonymous([a for a in command("--tokenize", model, "hello")])
    assert peak <= plan["need"]["total"] + MIB, (peak, plan["need"])


@needs_true_memory
def test_what_cannot_fit_is_refused_before_the_tokenizer_is_read(tiny, tmp_path):
    model = shutil.copytree(tiny, tmp_path / "model")
    (model / "tokenizer.json").write_text("{ this is no JSON")
    refused(llm_run(model, "hello"), 3, "tokenizer.json")
    refused(llm_run("--mem-limit", "3M", model, "hello"), 4, "Cannot allocate", "--mem-limit")
    refused(llm_run("-c", "256", "--mem-limit", "16M", model, "hello"), 4, "Cannot allocate")


def test_a_plan_without_weights_is_the_plan_with_them(tiny, tmp_path):
    bare = shutil.copytree(tiny, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    here, there = (llm_run("--plan", "--json", m) for m in (tiny, bare))
    assert "the weights are not here: planned from" in there.err
    for key in "fits", "mode", "mapped", "context", "tensors":
        assert here.json()[key] == there.json()[key], key
    a, b = here.json()["need"], there.json()["need"]
    for key in "weights", "kv", "work", "ring", "tokenizer":
        assert a[key] == b[key], key
    assert abs(a["total"] - b["total"]) < MIB
    refused(llm_run(bare, "hello"), 3, "model.safetensors")
    (bare / "config.json").unlink()
    refused(llm_run("--plan", bare), 3)


def test_an_index_that_disagrees_is_told(tiny, tmp_path):
    bare = shutil.copytree(tiny, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    total = sum(t["bytes"] for t in llm_run("--plan", "--json", tiny).json()["tensors"])
    index = {"metadata": {"total_size": total}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (bare / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "as the index says" in llm_run("--plan", bare).err
    index["metadata"]["total_size"] += 1 << 30
    (bare / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "index.json says 1.00 GB" in llm_run("--plan", bare).err


@needs_true_memory
def test_the_speed_of_a_model_that_is_not_here(tmp_path):
    """From what is known of the folder's disk; where a token takes long, in seconds."""
    model, cache = tmp_path / "model", tmp_path / "cache"
    model.mkdir()
    cache.mkdir()
    (model / "config.json").write_text(json.dumps(llama_config(hidden_size=8192, intermediate_size=28672, num_hidden_layers=80,
                                                               num_attention_heads=64, num_key_value_heads=8, vocab_size=128256)))
    ask = ("--plan", "--mem-limit", "4G", "--cache-dir", cache)
    assert "Expected speed: not known (the disk can be measured once" in llm_run(*ask, model).out.decode()
    kept = {"taken": time.time(), "bytes_per_s": 1e9, "block": MIB, "depth": 16, "buffered": 0}
    (cache / f"disk-{os.stat(model).st_dev:x}.json").write_text(json.dumps(kept))
    screen, plan = llm_run(*ask, model).out.decode(), llm_run(*ask, "--json", model).json()
    seconds = int(re.search(r"reads a prompt at [\d.]+ tokens/s, writes one in (\d+) s$", screen, re.M)[1])
    assert max(map(len, screen.splitlines())) <= 80 and 100 < seconds < 200 and abs(seconds * plan["predicted"]["decode_tok_s"] - 1) < 0.02, screen


@needs_true_memory
def test_measurements_are_kept_and_damaged_ones_are_not_believed(demo, tmp_path):
    cache = tmp_path / "a" / "cache"
    assert llm_run("--plan", "--cache-dir", cache, demo).status == 0
    files = sorted(os.listdir(cache))
    assert any(name.startswith("cpu-") for name in files)
    plain = llm_run("--ids", "--greedy", "-n", "4", "--mem-limit", "26M", "--no-cache", demo, "1,2,3").out
    device = os.stat(demo / "model.safetensors").st_dev
    for text in "", "{", "[]", '{"taken":9e99}', '{"taken":%d,"bytes_per_s":1e9,"block":1048577,"depth":1e9,"buffered":7}' % time.time():
        for name in files + [f"disk-{device:x}.json"]:
            (cache / name).write_text(text)
        run = llm_run("--ids", "--greedy", "-n", "4", "--mem-limit", "26M", "--cache-dir", cache, demo, "1,2,3")
        assert run.status == 0 and run.out == plain, (text, run)
        assert llm_run("--plan", "--cache-dir", cache, demo).status == 0
    assert llm_run("--plan", "--cache-dir", "/proc/nothing", demo).status == 0


def size(text):
    number, unit = text.split()
    return float(number) * {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit]


@needs_true_memory
@pytest.mark.parametrize("more", [[], ["--mem-limit", "24M"], ["--mem-limit", "22M"], ["--mem-limit", "1M"], ["--load", "resident"],
                                  ["--load", "map", "--mem-limit", "18M"]], ids=" ".join)
def test_the_screen_fits_a_terminal_and_adds_up(demo, more):
    run = llm_run("--plan", *more, demo)
    screen = run.out.decode()
    assert run.status == 0 and max(len(line) for line in screen.splitlines()) <= 80, run
    assert " 0.0 MB" not in screen and " 0.0 GB" not in screen and " 0.00 GB" not in screen
    p = llm_run("--plan", "--json", *more, demo).json()
    rows = re.findall(r"^  [A-Z ] \S.{11} +([\d.]+ [KMG]B) .*  (\S.*)$", screen, re.M)
    shown = sum(size(text) for text, what in rows if "read again" not in what and "mapped" not in what)
    if p["mode"] != "map":  # rounded to 0.1 MB each
        assert abs(shown - p["start" if p["fits"] else "need"]["total"]) < MIB, screen
    if not p["fits"]:
        assert "It does not fit: " in screen and re.search(r"^\* needs .* more", screen, re.M)
