"""Memory on the command line: the same answer wherever the weights live and whatever the limit, or a refusal that names a way out."""
import json
import math
import os
import re
import resource
import sys
import time

import pytest

from conftest import BINARY, ROOT, command, llm_run, refused
from random_model import write_model, write_sparse_model

sys.path.insert(0, str(ROOT / "scripts"))
import cgroup  # noqa: E402

MIB = 1 << 20
GB = 1 << 30
SANITIZED = re.search(r"/(asan|tsan)/", BINARY)
needs_true_memory = pytest.mark.skipif(bool(SANITIZED), reason="a sanitizer's shadow memory is not in the plan")
REFUSAL = re.compile(r"llm-run: Cannot allocate (\d+\.\d+) GB(?: \(\d+\.\d MiB\))?\. Available memory: (\d+\.\d+) GB(?: \(\d+\.\d MiB\))? \((.+)\)")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """45 MiB of weights."""
    folder = tmp_path_factory.mktemp("memory") / "model"
    write_model(folder)
    return folder


@pytest.fixture(scope="module")
def layered(tmp_path_factory):
    """25 small layers."""
    folder = tmp_path_factory.mktemp("layered") / "model"
    write_model(folder, hidden_size=64, intermediate_size=96, num_hidden_layers=25, vocab_size=1000, num_attention_heads=4)
    return folder


ASK = ("--ids", "--greedy", "--ignore-eos", "-n", "8", "--matmul", "native")


def answer(model, *options):
    """Ids and their log-probabilities, to the last bit."""
    run = llm_run("-q", "--json", "--logprobs", "1", *ASK, *options, model, "1,2,3")
    assert run.status == 0, run
    return run.json()["tokens"], run.json()["logprobs"], run.json()["memory"]


@pytest.fixture(scope="module")
def reference(model):
    return answer(model, "--load", "map", "-T", "1")[:2]


def reserve(limit):
    return max(16 * MIB, limit // 100)


# ---- the same answer

@pytest.mark.parametrize("load", ["auto", "map", "stream", "resident"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_answer_in_every_mode(model, reference, load, threads):
    tokens, logprobs, memory = answer(model, "--load", load, "-T", str(threads))
    assert (tokens, logprobs) == reference
    assert memory["weights_streamed"] == 0
    if load != "auto":
        assert (memory["weights_mapped"] > 0) == (load == "map") and (memory["weights_pinned"] > 0) == (load != "map")


@needs_true_memory
def test_the_same_answer_where_most_is_streamed(model, reference):
    tokens, logprobs, memory = answer(model, "--mem-limit", "32M", "-c", "64")
    assert (tokens, logprobs) == reference
    assert memory["weights_streamed"] > 20 * MIB


def limits(model):
    last = math.ceil(1.2 * os.path.getsize(model / "model.safetensors") / MIB) + 16
    every = 1 if os.environ.get("LR_TEST_SWEEP") == "full" else 7
    return [*range(1, last, every), last]


@needs_true_memory
def test_every_limit(model, reference):
    """The same ids within the limit, or exit status 4; what runs under one limit runs under every greater one."""
    ran, streamed = False, 0
    for mib in limits(model):
        run = cgroup.run_command(command("-q", "--json", *ASK, "-c", "64", "--mem-limit", f"{mib}M", model, "1,2,3"), timeout=60)
        said = json.loads(run.stdout)
        assert run.status in (0, 4), (mib, run.status, run.stderr)
        assert (run.peak_anon or 0) <= mib * MIB or run.status == 4, (mib, run.peak_anon)
        if run.status == 4:
            assert not ran, f"{mib} MiB: refused, but less was enough"
            assert said["error"]["message"].startswith("Cannot allocate "), said
        else:
            assert said["tokens"] == reference[0], mib
            ran, streamed = True, streamed + (said["memory"]["weights_streamed"] > 0)
    assert run.status == 0 and streamed >= 2


# ---- what is said

LINES = [
    r"\[Memory\] Initial: Total: (\d+\.\d) GB, Used: (\d+\.\d) GB, Available: (\d+\.\d) GB",
    r"\[MemOpt\] Loading 3 essential weights\.\.\.",
    r"\[Memory\] After essential weights: Available: \d+\.\d GB",
    r"\[MemOpt\] Loading 225 layer weights in batches\.\.\.",
    r"\[Memory\] Final: Available: \d+\.\d GB",
]


def memory_lines(run):
    return [line for line in run.err.splitlines() if "[Mem" in line]


@pytest.mark.parametrize("load", ["map", "stream", "resident"])
def test_the_policys_lines(layered, load):
    lines = memory_lines(llm_run(*ASK, "--load", load, layered, "1"))
    assert len(lines) == len(LINES), lines
    for line, form in zip(lines, LINES):
        assert re.fullmatch(form, line), line
    total, used, available = map(float, re.fullmatch(LINES[0], lines[0]).groups())
    assert abs(total - used - available) < 0.16  # each is rounded


def test_quiet_hides_them(layered):
    assert memory_lines(llm_run("-q", *ASK, layered, "1")) == []


HIGH = "High memory usage detected"


def batches(lines):
    found = [re.search(r"\[MemOpt\] Layers (\d+) to (\d+): Available: \d+\.\d GB$", line) for line in lines]
    return [(int(m[1]), int(m[2])) for m in found if m]


@pytest.mark.parametrize("load", ["map", "stream"])
def test_verbose_adds_a_line_for_each_batch(layered, load):
    run = llm_run("-v", *ASK, "--load", load, layered, "1")
    if HIGH in run.err:
        pytest.skip("this machine's memory is above the alarm")
    assert batches(run.err.splitlines()) == [(0, 9), (10, 19), (20, 24)]


@needs_true_memory
def test_high_usage_is_told_once_and_batches_shrink(tmp_path):
    """25 layers of 1.5 MiB, pinned under a limit of which they fill more than 70 %."""
    write_model(tmp_path / "deep", hidden_size=256, intermediate_size=768, num_hidden_layers=25, vocab_size=1000)
    run = llm_run("-v", *ASK, "-c", "64", "--load", "stream", "--mem-limit", "62M", tmp_path / "deep", "1")
    lines = run.err.splitlines()
    assert run.status == 0 and run.err.count(HIGH) == 1, run
    alarm = next(i for i, line in enumerate(lines) if HIGH in line)
    before, after = batches(lines[:alarm]), batches(lines[alarm:])
    assert before[0] == (0, 9) and all(begin == end for begin, end in after) and after, (before, after)
    assert before[-1][1] + 1 == after[0][0] and after[-1][1] == 24


# ---- refusals: each way out that is named works

def refusal(run):
    """(needed, available in GB, what would work) of a refusal for memory."""
    m = REFUSAL.fullmatch(refused(run, 4, "Cannot allocate"))
    assert m, run
    return float(m[1]), float(m[2]), m[3]


@needs_true_memory
def test_a_copy_that_does_not_fit(model, reference):
    options = ("--mem-limit", "48M", "-c", "64")
    needed, available, cures = refusal(llm_run("--load", "resident", *ASK, *options, model, "1,2,3"))
    assert needed > available and "without --load it would be streamed" in cures
    assert answer(model, *options)[:2] == reference
    limit = re.search(r"--mem-limit (\d+M)", cures)[1]
    assert answer(model, "--load", "resident", "-c", "64", "--mem-limit", limit)[:2] == reference


@needs_true_memory
def test_a_context_that_does_not_fit(model):
    options = ("--mem-limit", "31M", *ASK)
    run = llm_run("-c", "4096", *options, model, "1,2,3")
    context = int(re.search(r"a context of (\d+) positions would fit: -c \1\b", refusal(run)[2])[1])
    assert 64 < context < 4096
    assert llm_run("-c", str(context), *options, model, "1,2,3").status == 0


@needs_true_memory
def test_the_limit_that_is_named_suffices(model, reference):
    cures = refusal(llm_run("--mem-limit", "8M", "-c", "64", *ASK, model, "1,2,3"))[2]
    limit = int(re.search(r"--mem-limit (\d+)M", cures)[1])
    assert answer(model, "-c", "64", "--mem-limit", f"{limit}M")[:2] == reference
    refusal(llm_run("-c", "64", "--mem-limit", f"{limit - 5}M", *ASK, model, "1,2,3"))


# ---- --plan

def plan(model, *options):
    run = llm_run("--plan", "--json", *options, model)
    assert run.status == 0, run
    return run.json()


KEYS = "fits mode budget need pinned mapped streamed quant predicted advice tensors".split()
NEED = "weights kv work ring tokenizer fixed total".split()


@pytest.mark.parametrize("options", [("--load", "map"), ("--load", "resident"), ("--load", "stream"), ("--mem-limit", "40M"), ("--mem-limit", "5M")], ids=" ".join)
def test_a_plans_keys_and_sums(model, options):
    p = plan(model, "-c", "512", *options)
    assert set(KEYS) <= set(p) and set(NEED) <= set(p["need"])
    assert set(p["predicted"]) == {"load_s", "decode_tok_s", "prefill_tok_s"}
    for t in p["tensors"]:
        assert set(t) >= {"name", "dtype", "shape", "bytes", "where"}, t
        assert t["bytes"] == 2 * math.prod(t["shape"])
    weights = sum(t["bytes"] for t in p["tensors"])
    assert p["need"]["weights"] == weights
    if not p["fits"]:
        assert p["need"]["total"] > p["budget"] or p["least_budget"] > p["budget"]
        return
    pinned = sum(t["pinned"] for t in p["tensors"])
    whole = sum(t["bytes"] for t in p["tensors"] if t["where"] in ("pinned", "partly", "streamed"))
    assert p["pinned"] == pinned and p["mapped"] == (weights if p["mode"] == "map" else 0)
    assert p["streamed"] == (0 if p["mode"] == "map" else whole - pinned)
    kv = p["need"].get("kv_now", p["need"]["kv"])
    parts = kv + sum(p["need"][k] for k in ("work", "ring", "tokenizer", "fixed"))
    pins = p["need"]["total"] - parts  # in whole pages, and one for where each begins
    assert pinned <= pins <= pinned + 8192 * len(p["tensors"])
    assert p["need"]["total"] <= p["budget"]


@needs_true_memory
@pytest.mark.parametrize("load", ["map", "stream", "resident"])
def test_the_least_budget_is_enough(model, reference, load):
    """As a limit, with its reserve and what is not known to the megabyte before."""
    least = plan(model, "-c", "64", "--load", load)["least_budget"]
    tokens, logprobs, memory = answer(model, "-c", "64", "--load", load, "--mem-limit", str(least + reserve(least) + 2 * MIB))
    assert (tokens, logprobs) == reference
    refusal(llm_run("-c", "64", "--load", load, "--mem-limit", str(least + reserve(least) - 4 * MIB), *ASK, model, "1,2,3"))


# ---- one tensor of 9 GB

@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("huge") / "model"
    size, stored = write_sparse_model(folder, hidden_size=4096, vocab_size=1_200_000, num_hidden_layers=1, num_attention_heads=32,
                                      num_key_value_heads=8, intermediate_size=1024, tie_word_embeddings=True)
    if stored > size // 10:
        pytest.skip("this file system has no sparse files")
    yield folder
    (folder / "model.safetensors").unlink()


@needs_true_memory
def test_a_tensor_of_9_gb_is_planned_and_streamed(huge):
    p = plan(huge, "--mem-limit", "300M")
    head = p["tensors"][-1]
    assert p["fits"] and p["mode"] == "stream" and head["bytes"] > 9 * GB and head["where"] == "partly"
    run = llm_run("-q", "--json", "--ids", "--greedy", "-n", "1", "--mem-limit", "300M", huge, "1")
    assert run.status == 0 and run.json()["tokens"] == [0], run
    assert run.json()["memory"]["weights_streamed"] > 8 * GB


@needs_true_memory
@pytest.mark.parametrize("more, otherwise", [((), r"(mapped|streamed)"), (("--mem-limit", "300M"), "streamed")])
def test_a_tensor_of_9_gb_is_not_copied(huge, more, otherwise):
    line = refused(llm_run("--load", "resident", "--ids", "-n", "1", *more, huge, "1"), 4)
    assert re.fullmatch(r"llm-run: Single tensor allocation too large: 'model\.embed_tokens\.weight' has 9,830,400,000 bytes "
                        rf"\(9\.16 GB\), a copy may have 8\.00 GB \(without --load it would be {otherwise}: needs \d+\.\d\d GB\)", line), line
    p = plan(huge, "--load", "resident", *more)
    assert not p["fits"] and any("8.00 GB" in a for a in p["advice"]), p["advice"]


# ---- addresses that are limited

def with_addresses(mib):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib * MIB, mib * MIB))


@needs_true_memory
@pytest.mark.parametrize("load, matmul", [("auto", "native"), ("map", "native"), ("stream", "native"), ("resident", "native"), ("auto", "auto")])
def test_limits_on_addresses(model, reference, load, matmul):
    """`ulimit -v`: the same ids or a refusal in one line, soon; and never a refusal where less was enough."""
    ran = False
    for mib in sorted({round(16 * 128 ** (i / 39)) for i in range(40)}):
        begin = time.monotonic()
        run = llm_run("-q", "--ids", "--greedy", "--ignore-eos", "-n", "8", "--matmul", matmul, "--load", load, model, "1,2,3",
                      timeout=60, preexec_fn=with_addresses(mib))
        assert time.monotonic() - begin < 30
        if run.status == 0:
            assert [int(i) for i in run.out.split()] == reference[0], (mib, run)
        elif run.status == 4:
            assert not ran and run.out == b"" and len([line for line in run.lines if line.startswith("llm-run: ")]) >= 1, (mib, run)
        else:  # the system's loader found no room for the libraries
            assert mib <= 32 and run.status == 127, (mib, run)
        ran = ran or run.status == 0
    assert ran


def said(path, key=""):
    """The first number in the file, or in its line that begins with the key."""
    with open(path, encoding="ascii") as f:
        return int(re.search(rf"^{key}\D*(\d+)", f.read(), re.M).group(1))


@needs_true_memory
def test_strict_overcommit(model, reference):
    """What may still be committed bounds the budget, and reservations are not committed: each way runs."""
    if said("/proc/sys/vm/overcommit_memory") != 2:
        pytest.skip("vm.overcommit_memory is not 2: scripts/test.sh --full, as root, sets it for this test")
    left = 1024 * (said("/proc/meminfo", "CommitLimit") - said("/proc/meminfo", "Committed_AS"))
    assert plan(model)["budget"] < left + 256 * MIB  # others come and go
    for load in "map", "stream", "resident":
        run = llm_run("-q", *ASK, "--load", load, model, "1,2,3", timeout=30)
        assert run.status == 0 and [int(i) for i in run.out.split()] == reference[0], run
