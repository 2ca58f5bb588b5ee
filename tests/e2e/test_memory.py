"""Memory on the command line: the same answer wherever the weights live and whatever the limit, or a refusal that names a way out."""
import json
import math
import os
import re
import resource
import subprocess
import time

import pytest

import cgroup
from conftest import command, llm_run, needs_true_memory, refused
from random_model import write_model, write_sparse_model

MIB = 1 << 20
GB = 1 << 30
REFUSAL = re.compile(r"llm-run: Cannot allocate (\d+\.\d+) GB\. Available memory: (\d+(?:\.\d+)?) GB \([^;]+: [\d,]+ bytes; (.+)\)")


@pytest.fixture(scope="module")
def layered(tmp_path_factory):
    """25 small layers."""
    return write_model(tmp_path_factory.mktemp("layered") / "model", hidden_size=64, intermediate_size=96,
                       num_hidden_layers=25, vocab_size=1000, num_attention_heads=4)


ASK = ("--ids", "--greedy", "--ignore-eos", "-n", "8", "--matmul", "native")


def answer(model, *options):
    """Ids and their log-probabilities, to the last bit."""
    run = llm_run("-q", "--json", "--logprobs", "1", *ASK, *options, model, "1,2,3")
    assert run.status == 0, run
    return run.json()["tokens"], run.json()["logprobs"], run.json()["memory"]


@pytest.fixture(scope="module")
def reference(small):
    return answer(small, "--load", "map", "-T", "1")[:2]


def reserve(limit):
    return max(16 * MIB, limit // 100)


# ---- the same answer

@pytest.mark.parametrize("load", ["auto", "map", "stream", "resident"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_answer_in_every_mode(small, reference, load, threads):
    tokens, logprobs, memory = answer(small, "--load", load, "-T", str(threads))
    assert (tokens, logprobs) == reference
    assert memory["weights_streamed"] == 0
    if load != "auto":
        assert (memory["weights_mapped"] > 0) == (load == "map") and (memory["weights_pinned"] > 0) == (load != "map")


def mapping_of(process, file):
    """What the kernel says of the process's mapping of the file: its rights, and sizes in bytes."""
    found = {}
    with open(f"/proc/{process.pid}/smaps", encoding="ascii") as f:
        for line in f:
            key, *rest = line.split()
            if not key.endswith(":"):
                here = rest[-1] == str(file)
                found.update({"rights": rest[0]} if here else {})
            elif here and rest[-1] == "kB":
                found[key[:-1]] = found.get(key[:-1], 0) + int(rest[0]) * 1024
    return found


@needs_true_memory
def test_two_runs_share_one_copy(small):
    """Mapped: each page counts half for each of the two, and none is a copy of its own."""
    file = small / "model.safetensors"
    with open(file, "rb") as f:
        os.fsync(f.fileno())  # pages still to be written would count as dirty
    runs = [subprocess.Popen(command("-q", "--ids", "--greedy", "--ignore-eos", "-n", "3000", "--load", "map", small, "1,2,3"),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        assert all(run.stdout.read1(1).isdigit() for run in runs)
        first, second = (mapping_of(run, file) for run in runs)
    finally:
        for run in runs:
            run.kill()
            run.wait()
    for m in first, second:
        assert m["rights"] == "r--s" and m["Anonymous"] == m["Private_Dirty"] == 0, m
        assert m["Rss"] > 30 * MIB and m["Pss"] < 0.6 * m["Rss"], m


@needs_true_memory
def test_the_same_answer_where_most_is_streamed(small, reference):
    tokens, logprobs, memory = answer(small, "--mem-limit", "32M", "-c", "64")
    assert (tokens, logprobs) == reference
    assert memory["weights_streamed"] > 20 * MIB


@needs_true_memory
@pytest.mark.parametrize("options", [("-T", "3"), ("--prefill-chunk", "16"), ("-T", "1", "--prefill-chunk", "7")])
def test_the_same_scores_where_most_is_streamed(small, options):
    """Of the head too, whose pieces each serve a whole chunk."""
    ask = ("-q", "--json", "--score", "--ids", "--matmul", "native")
    text = ",".join(str((i * 977 + 5) % 8192) for i in range(100))
    mapped = llm_run(*ask, "--load", "map", "-T", "2", small, text)
    streamed = llm_run(*ask, "--mem-limit", "26M", *options, small, text)
    assert mapped.status == 0 and len(mapped.json()["logprobs"]) == 100, mapped
    assert streamed.out == mapped.out, streamed
    plan = llm_run("--plan", "--json", "--mem-limit", "26M", "-c", "100", *options, small).json()
    head = next(t for t in plan["tensors"] if t["name"] == "lm_head.weight")
    assert head["pinned"] < head["bytes"], head


def limits(model):
    last = math.ceil(1.2 * os.path.getsize(model / "model.safetensors") / MIB) + 16
    every = 1 if os.environ.get("LR_TEST_SWEEP") == "full" else 7
    return [*range(1, last, every), last]


@needs_true_memory
def test_every_limit(small, reference):
    """The same ids within the limit, or exit status 4; what runs under one limit runs under every greater one."""
    ran, streamed = False, 0
    for mib in limits(small):
        run = cgroup.run_command(command("-q", "--json", *ASK, "-c", "64", "--mem-limit", f"{mib}M", small, "1,2,3"), timeout=60)
        said = json.loads(run.stdout)
        assert run.status in (0, 4), (mib, run.status, run.stderr)
        budget = said["memory"]["budget"] if run.status == 0 else mib * MIB
        assert (run.peak_anon or 0) <= budget <= mib * MIB or run.status == 4, (mib, run.peak_anon, budget)
        if run.status == 4:
            assert not ran, f"{mib} MiB: refused, but less was enough"
            assert said["error"]["message"].startswith("Cannot allocate "), said
        else:
            assert said["tokens"] == reference[0], mib
            ran, streamed = True, streamed + (said["memory"]["weights_streamed"] > 0)
    assert run.status == 0 and streamed >= 2


# ---- what is said

HIGH = "High memory usage detected"
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


@needs_true_memory
def test_small_sizes_are_not_shown_as_none(small):
    """The same forms under a limit of 40 MiB, and the figures still say something."""
    run = llm_run("-v", *ASK, "-c", "64", "--load", "stream", "--mem-limit", "40M", small, "1,2,3")
    assert run.status == 0 and HIGH in run.err, run
    lines = [line for line in memory_lines(run) if not line.startswith("llm-run: ")]
    assert len(lines) == len(LINES), lines
    for line, form in zip(lines, LINES):
        assert re.fullmatch(form.replace(r"\.\d", r"\.\d+").replace("225", "45"), line), line
    assert lines[0].startswith("[Memory] Initial: Total: 0.039 GB, Used: 0.0")
    assert re.search(rf"{HIGH}: 0\.0\d\d GB of 0\.039 GB are in use", run.err)
    assert " 0.0 GB" not in run.err and " 0.00 GB" not in run.err


def test_quiet_hides_them(layered):
    assert memory_lines(llm_run("-q", *ASK, layered, "1")) == []


def batches(lines):
    found = [re.search(r"\[MemOpt\] Layers (\d+) to (\d+): Available: \d+\.\d+ GB$", line) for line in lines]
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
    deep = write_model(tmp_path / "deep", hidden_size=256, intermediate_size=768, num_hidden_layers=25, vocab_size=1000)
    run = llm_run("-v", *ASK, "-c", "64", "--load", "stream", "--mem-limit", "62M", deep, "1")
    lines = run.err.splitlines()
    assert run.status == 0 and run.err.count(HIGH) == 1, run
    alarm = next(i for i, line in enumerate(lines) if HIGH in line)
    before, after = batches(lines[:alarm]), batches(lines[alarm:])
    assert before[0] == (0, 9) and all(begin == end for begin, end in after) and after, (before, after)
    assert before[-1][1] + 1 == after[0][0] and after[-1][1] == 24


@needs_true_memory
def test_what_the_kv_cache_takes_of_the_weights_is_told_once(small):
    """With -v: 2000 positions, where the plan began with 512."""
    ids = ",".join(str(3 + i % 5000) for i in range(2000))
    options = (*ASK, "--mem-limit", "48M", "-c", "2100")
    run = llm_run("-v", *options, small, ids)
    told = re.findall(r"^llm-run: the KV cache grows: (\d+) MB of the weights are kept in memory instead of (\d+)$", run.err, re.M)
    assert run.status == 0 and len(told) == 1 and int(told[0][0]) < int(told[0][1]), run
    assert "the KV cache grows" not in llm_run(*options, small, ids).err


# ---- refusals: each way out that is named works

def refusal(run):
    """(needed, available in GB, what would work) of a refusal for memory."""
    m = REFUSAL.fullmatch(refused(run, 4, "Cannot allocate"))
    assert m, run
    return float(m[1]), float(m[2]), m[3]


@needs_true_memory
@pytest.mark.parametrize("given, named", [((), "q8"), (("--kv", "f32"), "f16"), (("--kv", "f32"), "q8")])
def test_a_narrower_kv_cache_is_named_with_its_need(small, given, named):
    """Limits from above what f32 needs downwards, until what is named is this one: it works then, at the need told."""
    for limit in range(240, 20, -4):
        options = (*ASK, "-c", "4096", "--mem-limit", f"{limit}M")
        run = llm_run(*options, *given, small, "1,2,3")
        told = re.search(r"--kv (\w+) would fit: needs (\d+\.\d+) GB", run.err)
        if told and told[1] == named:
            break
    else:
        pytest.fail(f"--kv {named} is never named: {run}")
    assert run.status == 4
    assert llm_run(*options, "--kv", named, small, "1,2,3").status == 0
    assert float(told[2]) * 1024 < limit


@needs_true_memory
def test_a_copy_that_does_not_fit(small, reference):
    options = ("--mem-limit", "48M", "-c", "64")
    needed, available, cures = refusal(llm_run("--load", "resident", *ASK, *options, small, "1,2,3"))
    assert needed > available and "without --load it would be streamed" in cures
    assert answer(small, *options)[:2] == reference
    limit = re.search(r"--mem-limit (\d+M)", cures)[1]
    assert answer(small, "--load", "resident", "-c", "64", "--mem-limit", limit)[:2] == reference


@needs_true_memory
def test_a_context_that_does_not_fit(small):
    options = ("--mem-limit", "31M", *ASK)
    run = llm_run("-c", "4096", *options, small, "1,2,3")
    needed, available, cures = refusal(run)
    m = re.search(r"a context of (\d+) positions would fit: -c \1 needs (\d\.\d+) GB", cures)
    context = int(m[1])
    assert 64 < context < 4096 and float(m[2]) <= available < needed
    assert llm_run("-c", str(context), *options, small, "1,2,3").status == 0


def test_an_array_of_the_session_that_is_too_large(tmp_path):
    """65536 tokens in one pass, 40000 values of f32 for each."""
    write_model(tmp_path / "wide", hidden_size=64, intermediate_size=40000, num_hidden_layers=1, vocab_size=1000, num_attention_heads=4,
                max_position_embeddings=65536)
    options = ("-c", "65536", "--prefill-chunk", "65536")
    line = "Single tensor allocation too large: gate activations: 10,485,760,000 bytes (9.77 GB), 8.00 GB at most (a smaller -c or --prefill-chunk)"
    assert refused(llm_run(*ASK, *options, tmp_path / "wide", "1"), 4) == "llm-run: " + line
    p = plan(tmp_path / "wide", *options)
    assert not p["fits"] and line in p["advice"]
    screen = llm_run("--plan", *options, tmp_path / "wide")
    assert screen.status == 0 and "Single tensor" in screen.out.decode() and "17179869184" not in screen.out.decode()


@needs_true_memory
def test_the_limit_that_is_named_suffices(small, reference):
    cures = refusal(llm_run("--mem-limit", "8M", "-c", "64", *ASK, small, "1,2,3"))[2]
    limit = int(re.search(r"--mem-limit (\d+)M", cures)[1])
    assert answer(small, "-c", "64", "--mem-limit", f"{limit}M")[:2] == reference
    refusal(llm_run("-c", "64", "--mem-limit", f"{limit - 5}M", *ASK, small, "1,2,3"))


# ---- --plan

def plan(model, *options):
    run = llm_run("--plan", "--json", *options, model)
    assert run.status == 0, run
    return run.json()


KEYS = "fits mode budget need start weights pinned mapped streamed quant predicted advice tensors".split()
PARTS = "weights kv work ring tokenizer fixed opening".split()


@pytest.mark.parametrize("context", [512, 2048])
@pytest.mark.parametrize("options", [("--load", "map"), ("--load", "resident"), ("--load", "stream"), ("--mem-limit", "64M"), ("--mem-limit", "40M"), ("--mem-limit", "5M")], ids=" ".join)
def test_a_plans_keys_and_sums(small, options, context):
    """What the process owns adds up, part by part: as it begins, and with a full context. Mapped weights it does not own."""
    p = plan(small, "-c", str(context), *options)
    assert set(KEYS) <= set(p)
    assert set(p["predicted"]) == {"load_s", "decode_tok_s", "prefill_tok_s"}
    for when in "need", "start":
        assert set(p[when]) == {*PARTS, "total"} and p[when]["total"] == sum(p[when][part] for part in PARTS)
    for t in p["tensors"]:
        assert set(t) >= {"name", "dtype", "shape", "bytes", "where"}, t
        assert t["bytes"] == 2 * math.prod(t["shape"])
    assert p["weights"] == sum(t["bytes"] for t in p["tensors"])
    assert (p["need"]["kv"] > p["start"]["kv"]) == (context > 512)
    if not p["fits"]:
        assert p["need"]["total"] > p["budget"] or p["least_budget"] > p["budget"]
        return
    pinned = sum(t["pinned"] for t in p["tensors"])
    whole = sum(t["bytes"] for t in p["tensors"] if t["where"] in ("pinned", "partly", "streamed"))
    assert p["pinned"] == pinned and p["mapped"] == (p["weights"] if p["mode"] == "map" else 0)
    assert p["streamed"] == (0 if p["mode"] == "map" else whole - pinned)
    assert pinned <= p["start"]["weights"] <= pinned + 8192 * len(p["tensors"])  # in whole pages, and one for where each begins
    assert (p["need"]["weights"] < p["start"]["weights"]) == (p["streamed"] > 0 and context > 512)  # they make room
    assert p["start"]["total"] <= p["budget"] and p["need"]["total"] <= p["budget"]


@needs_true_memory
@pytest.mark.parametrize("load", ["map", "stream", "resident"])
def test_the_least_budget_is_enough(small, reference, load):
    """As a limit, with its reserve and what is not known to the megabyte before."""
    least = plan(small, "-c", "64", "--load", load)["least_budget"]
    tokens, logprobs, memory = answer(small, "-c", "64", "--load", load, "--mem-limit", str(least + reserve(least) + 2 * MIB))
    assert (tokens, logprobs) == reference
    refusal(llm_run("-c", "64", "--load", load, "--mem-limit", str(least + reserve(least) - 4 * MIB), *ASK, small, "1,2,3"))


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
    assert re.fullmatch(r"llm-run: Single tensor allocation too large: a copy of 'model\.embed_tokens\.weight': 9,830,400,000 bytes "
                        rf"\(9\.16 GB\), 8\.00 GB at most \(without --load it would be {otherwise}: needs \d+\.\d+ GB\)", line), line
    p = plan(huge, "--load", "resident", *more)
    assert not p["fits"] and any("8.00 GB" in a for a in p["advice"]), p["advice"]


# ---- addresses that are limited

def with_addresses(mib):
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mib * MIB, mib * MIB))


@needs_true_memory
@pytest.mark.parametrize("load, matmul", [("auto", "native"), ("map", "native"), ("stream", "native"), ("resident", "native"), ("auto", "auto")])
def test_limits_on_addresses(small, reference, load, matmul):
    """`ulimit -v`: the same ids or a refusal in one line, soon; and never a refusal where less was enough."""
    least = None
    for mib in sorted({round(16 * 128 ** (i / 39)) for i in range(40)}):
        begin = time.monotonic()
        run = llm_run("-q", "--ids", "--greedy", "--ignore-eos", "-n", "8", "-c", "16", "--matmul", matmul, "--load", load, small, "1,2,3",
                      timeout=60, preexec_fn=with_addresses(mib))
        assert time.monotonic() - begin < 30
        if run.status == 0:
            assert [int(i) for i in run.out.split()] == reference[0], (mib, run)
        elif run.status == 4:
            assert not least and run.out == b"" and run.lines[-1].startswith("llm-run: Cannot allocate "), (mib, run)
        else:  # the system's loader found no room for the libraries
            assert mib <= 32 and run.status == 127, (mib, run)
        if run.status == 0 and not least:
            least = mib
    # of the files once, and little else
    assert least and (load != "map" or least * MIB < 1.9 * (small / "model.safetensors").stat().st_size)


def said(path, key=""):
    """The first number in the file, or in its line that begins with the key."""
    with open(path, encoding="ascii") as f:
        return int(re.search(rf"^{key}\D*(\d+)", f.read(), re.M).group(1))


@needs_true_memory
def test_strict_overcommit(small, reference):
    """What may still be committed bounds the budget, and reservations are not committed: each way runs."""
    if said("/proc/sys/vm/overcommit_memory") != 2:
        pytest.skip("vm.overcommit_memory is not 2: scripts/test.sh --full, as root, sets it for this test")
    left = 1024 * (said("/proc/meminfo", "CommitLimit") - said("/proc/meminfo", "Committed_AS"))
    assert plan(small)["budget"] < left + 256 * MIB  # others come and go
    for load in "map", "stream", "resident":
        run = llm_run("-q", *ASK, "--load", load, small, "1,2,3", timeout=30)
        assert run.status == 0 and [int(i) for i in run.out.split()] == reference[0], run
