"""--quant: weights quantised while loading, kept in the cache folder or held in memory."""
import json
import os
import shutil
import struct
import subprocess
import threading

import pytest

from random_model import write_model

from conftest import ROOT, command, llm_run, needs_true_memory, refused

DEMO = ROOT / "models/demo"
PROMPTS = ["Once upon a time", "The little dog", "What is seven plus five?", "One day, a girl named", "In the garden there was",
           "Tom and Sam went to", "The sun was", "Where does a fish live?", "Lily had a red ball", "It was a cold night",
           "What is three times four?", "A bird sat on", "Ben wanted to", "The big tree", "Mia found a", "How many legs has a cat?",
           "The boat was", "Her mother said", "At the farm", "Why is the sky"]
GREEDY = ("--greedy", "-n", "24", "--ids", "--json")
IDS = "5,17,300,44"


def entries(cache, kind=""):
    return sorted(p for p in cache.iterdir() if p.name.startswith(f"quantised-{kind}")) if cache.exists() else []


def ids_of(*args, **more):
    run = llm_run(*GREEDY, *args, IDS, **more)
    assert run.status == 0, run
    return run.json()["tokens"], run


def header(path):
    with open(path, "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        return json.loads(f.read(n)), 8 + n


@pytest.fixture(scope="session")
def wide(tmp_path_factory):
    """52 MB of weights, so wide that activations are quantised too; not to be changed."""
    return write_model(tmp_path_factory.mktemp("wide") / "model", hidden_size=768, num_hidden_layers=4, vocab_size=4096)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_text_in_q8_is_that_of_the_weights_as_they_are(tmp_path_factory, prompt):
    cache = tmp_path_factory.getbasetemp() / "shared-cache"
    plain, q8 = (llm_run("--greedy", "-n", "40", "--cache-dir", cache, *more, DEMO, prompt) for more in ((), ("--quant", "q8")))
    assert plain.status == q8.status == 0 and plain.out == q8.out


@pytest.mark.parametrize("kind", ["q8", "q4"])
def test_made_once_and_mapped_next_time(wide, cache, kind):
    first, run = ids_of("--quant", kind, "--cache-dir", cache, wide)
    path, = entries(cache, kind)
    assert f"quantised to {kind} in" in run.err and str(path) in run.err
    before = path.stat()
    again, run = ids_of("--quant", kind, "--cache-dir", cache, wide)
    assert again == first and "quantised to" not in run.err
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert run.json()["memory"]["weights_mapped"] > 0
    for more in ("-T", "1"), ("-T", "3"), ("--load", "resident"), ("--load", "stream"), ("--prefill-chunk", "1"):
        assert ids_of("--quant", kind, "--cache-dir", cache, *more, wide)[0] == first, more
    assert ids_of("--quant", kind, "--no-cache", wide)[0] == first


def test_any_reader_opens_the_file(wide, cache):
    """Every tensor is there as U8 with its size in the metadata, or as it was; data is contiguous and the file no longer."""
    ids_of("--quant", "q8", "--cache-dir", cache, wide)
    path, = entries(cache)
    found, data = header(path)
    source, _ = header(next(wide.glob("*.safetensors")))
    meta = found.pop("__metadata__")
    assert meta["quant"] == "q8" and meta["origin"] == str(wide)
    source.pop("__metadata__", None)
    assert set(found) == set(source)
    for name, t in found.items():
        if t["dtype"] == "U8":
            kind, rows, _, cols = meta[name].split()
            assert [int(rows), int(cols)] == source[name]["shape"] and kind == "q8"
            assert t["shape"] == [-(-int(rows) // 16), -(-int(cols) // 32) * 544]
        else:
            assert (t["dtype"], t["shape"]) == (source[name]["dtype"], source[name]["shape"])
    ends = sorted(t["data_offsets"] for t in found.values())
    assert ends[0][0] == 0 and all(a[1] == b[0] for a, b in zip(ends, ends[1:]))
    assert data % 64 == 0 and path.stat().st_size == data + ends[-1][1]


def test_a_changed_source_is_quantised_again_and_a_gone_one_is_removed(wide, tmp_path, cache):
    model = shutil.copytree(wide, tmp_path / "model")
    ids_of("--quant", "q8", "--cache-dir", cache, model)
    first, = entries(cache)
    weights, = model.glob("*.safetensors")
    os.utime(weights, ns=(1, 1))
    _, run = ids_of("--quant", "q8", "--cache-dir", cache, model)
    assert "quantised to q8" in run.err and f"{first}: removed, as {model} has changed" in run.err
    second, = entries(cache)
    assert second != first
    ids_of("--quant", "q4", "--cache-dir", cache, model)
    assert len(entries(cache)) == 2
    shutil.rmtree(model)
    _, run = ids_of("--quant", "q4", "--cache-dir", cache, wide)
    assert f"{second}: removed, as {model} is gone" in run.err
    assert [header(p)[0]["__metadata__"]["origin"] for p in entries(cache)] == [str(wide)]


def test_an_entry_of_a_relative_path_is_found_from_elsewhere(wide, tmp_path, cache):
    """And is no orphan there."""
    ids_of("--quant", "q8", "--cache-dir", cache, wide.name, cwd=wide.parent)
    kept = entries(cache)
    _, run = ids_of("--quant", "q4", "--cache-dir", cache, wide, cwd=tmp_path)
    assert "removed" not in run.err and len(entries(cache)) == 2 and kept[0] in entries(cache)
    _, run = ids_of("--quant", "q8", "--cache-dir", cache, wide, cwd=tmp_path)
    assert "quantised to" not in run.err


@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_damaged_entry_is_made_again(wide, cache, damage):
    wanted, _ = ids_of("--quant", "q8", "--cache-dir", cache, wide)
    path, = entries(cache)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-1000], "empty": b"", "other": (ROOT / "models/demo/model.safetensors").read_bytes()}[damage])
    found, run = ids_of("--quant", "q8", "--cache-dir", cache, wide)
    assert found == wanted and "made again" in run.err
    assert path.read_bytes() == whole


def test_two_at_once_make_it_once(wide, cache):
    runs = []
    threads = [threading.Thread(target=lambda: runs.append(ids_of("--quant", "q8", "--cache-dir", cache, wide))) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(runs) == 3 and runs[0][0] == runs[1][0] == runs[2][0]
    assert sum("quantised to" in run.err for _, run in runs) == 1
    assert len(list(cache.glob("quantised-*"))) == 1


def test_a_folder_that_cannot_be_written_is_a_warning(wide, tmp_path):
    wanted, _ = ids_of("--quant", "q8", "--no-cache", wide)
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    found, run = ids_of("--quant", "q8", "--cache-dir", blocked / "below", wide)
    assert found == wanted and "the quantised weights are not kept" in run.err


@needs_true_memory
def test_in_memory_it_must_fit(wide):
    run = llm_run("--ids", "--quant", "q8", "--no-cache", "--mem-limit", "30M", wide, IDS)
    refused(run, 4, "Cannot allocate", "--cache-dir")
    refused(llm_run("--plan", "--quant", "q8", "--no-cache", "--mem-limit", "30M", wide), 4, "Cannot allocate", "--cache-dir")


@needs_true_memory
def test_what_does_not_fit_is_streamed(wide, cache):
    wanted, _ = ids_of("--quant", "q8", "--cache-dir", cache, wide)
    found, run = ids_of("--quant", "q8", "--cache-dir", cache, "--mem-limit", "22M", "-c", "64", wide)
    assert found == wanted and run.json()["memory"]["weights_streamed"] > 0


def test_the_plan_knows_the_sizes(wide, cache):
    plans = {k: llm_run("--plan", "--json", "--cache-dir", cache, "--quant", k, wide).json() for k in ("none", "q8", "q4")}
    assert [plans[k]["quant"] for k in plans] == list(plans) and not entries(cache)
    assert 0.5 < plans["q8"]["weights"] / plans["none"]["weights"] < 0.56
    assert 0.27 < plans["q4"]["weights"] / plans["none"]["weights"] < 0.34
    for kind in "q8", "q4":
        made = llm_run("--quantize-only", "--json", "--quant", kind, "--cache-dir", cache, wide).json()
        assert made["quant"] == kind and os.path.getsize(made["path"]) >= made["bytes"] == plans[kind]["weights"]
        plan = llm_run("--plan", "--json", "--cache-dir", cache, "--quant", kind, wide).json()
        assert plan["weights"] == plans[kind]["weights"] and plan["tensors"] == plans[kind]["tensors"]


def test_auto_takes_the_best_that_fits(wide, cache):
    for limit, kind in ("200M", "none"), ("55M", "q8"), ("30M", "q4"):
        plan = llm_run("--plan", "--json", "-c", "64", "--cache-dir", cache, "--quant", "auto", "--mem-limit", limit, wide)
        assert plan.json()["quant"] == kind, (limit, plan)
        assert f"--quant auto: {kind} (" in plan.err


def test_the_head_may_stay_at_q8(tmp_path, cache):
    """The tied embedding and the head alone; the plan knows, and each way has a file of its own, which the other leaves."""
    for tied, name in (True, "model.embed_tokens.weight"), (False, "lm_head.weight"):
        model = write_model(tmp_path / f"tied-{tied}", hidden_size=768, num_hidden_layers=1, vocab_size=4096, tie_word_embeddings=tied)
        plans, made, ids = {}, {}, {}
        for more in (), ("--embed", "q8"):
            args = ("--json", "--quant", "q4", "--cache-dir", cache, *more)
            plans[more] = {t["name"]: t for t in llm_run("--plan", *args, model).json()["tensors"]}
            made[more] = llm_run("--quantize-only", *args, model).json()
            ids[more] = ids_of(*args[1:], model)[0]
            assert made[more]["bytes"] == sum(t["bytes"] for t in plans[more].values())
            assert ids_of("--quant", "q4", *more, "--no-cache", model)[0] == ids[more]
        q4, q8 = plans.values()
        assert [n for n in q4 if q4[n]["dtype"] != q8[n]["dtype"]] == [name]
        assert q4[name]["dtype"].lower() == "q4" and q8[name]["dtype"].lower() == "q8"
        assert [m["quant"] for m in made.values()] == ["q4", "q4+q8"]
        info = llm_run("--info", "--json", "--cache-dir", cache, model).json()
        assert info["quantised"] == [{"quant": m["quant"], "bytes": os.path.getsize(m["path"]), "path": m["path"]} for m in made.values()]
        text = llm_run("--info", "--cache-dir", cache, model).out.decode()
        assert all(m["path"] in text for m in made.values())
    refused(llm_run("--embed", "q8", model, "a"), 2, "--embed", "--quant")
    refused(llm_run("--embed", "q8", "--quant", "q8", model, "a"), 2, "--embed")


def test_info_tells_what_is_kept(wide, cache):
    def kept(*more):
        return llm_run("--info", "--json", *more, wide).json()["quantised"]
    assert kept("--cache-dir", cache) == [] and b"none kept" in llm_run("--info", "--cache-dir", cache, wide).out
    made = llm_run("--quantize-only", "--json", "--quant", "q8", "--cache-dir", cache, wide).json()
    assert kept("--cache-dir", cache) == [{"quant": "q8", "bytes": os.path.getsize(made["path"]), "path": made["path"]}]
    assert kept("--no-cache") == []


def test_quantize_only_wants_to_know_how(wide, cache):
    refused(llm_run("--quantize-only", wide), 2, "--quant")
    refused(llm_run("--quantize-only", "--quant", "q8", "--no-cache", wide), 1, "not kept")
    run = llm_run("--quantize-only", "--quant", "q8", "--cache-dir", cache, wide)
    assert run.status == 0 and run.out.decode().strip() == str(entries(cache)[0])


def test_precise_takes_no_int8(wide, cache):
    """Its logits are those of f32 activations, so that instruction sets are closer to each other than to the default."""
    def nll(*more):
        return llm_run("--score", "--json", "--ids", "--quant", "q8", "--cache-dir", cache, *more, wide, IDS).json()["nll"]
    precise = [nll("--precise", "--isa", isa) for isa in ("generic", "avx2", "avx512", "neon")]
    assert max(precise) - min(precise) < 2e-5
    assert abs(nll() - precise[0]) > 5 * (max(precise) - min(precise))


def test_weights_that_are_no_numbers_are_named(wide, tmp_path, cache):
    model = shutil.copytree(wide, tmp_path / "model")
    weights, = model.glob("*.safetensors")
    tensors, data = header(weights)
    name = "model.layers.0.mlp.up_proj.weight"
    cols = tensors[name]["shape"][1]
    with open(weights, "r+b") as f:
        f.seek(data + tensors[name]["data_offsets"][0] + 2 * (3 * cols + 5))
        f.write(b"\xc0\x7f")
    run = llm_run("--quant", "q8", "--cache-dir", cache, "--ids", model, IDS)
    refused(run, 3, name, "row 3", "column 5")
    assert not list(cache.glob("quantised-*"))


def test_interrupted_leaves_nothing(wide, cache):
    """Nothing aside, and no entry that is not whole."""
    for delay in 0.0, 0.02, 0.05:
        p = subprocess.Popen([*command("--quantize-only", "--quant", "q4", "--cache-dir", cache, wide)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            p.wait(delay)
        except subprocess.TimeoutExpired:
            p.terminate()
        p.communicate()
        left = [q.name for q in cache.glob("*.new")] if cache.exists() else []
        assert not left, (p.returncode, left)
        for path in entries(cache):
            path.unlink()
