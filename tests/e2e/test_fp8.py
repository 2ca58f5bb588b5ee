"""fp8 weights: the same numbers as a copy with the weights dequantised to f32, in every way to hold them; what is refused."""
import json
import shutil
import struct

import pytest

from conftest import GOLDEN, llm_run, needs_true_memory, refused
from random_model import FP8_CONFIG, write_model

CASES = ["fp8_blocks", "fp8_blocks_128", "fp8_channels", "fp8_tensor", "fp8_e5m2"]
EXACT = ("--score", "--ids", "--json", "--precise", "--matmul", "native", "--kv", "f32", "-q")
IDS = ",".join(str(i * 37 % 131) for i in range(40))
NAME = "model.layers.0.mlp.down_proj.weight"


def e4m3(b):
    exponent, fraction = b >> 3 & 15, b & 7
    x = 2.0 ** (exponent - 7) * (1 + fraction / 8) if exponent else fraction * 2.0**-9
    return -x if b & 128 else x


def e5m2(b):
    exponent, fraction = b >> 2 & 31, b & 3
    x = 2.0 ** (exponent - 15) * (1 + fraction / 4) if exponent else fraction * 2.0**-16
    return -x if b & 128 else x


VALUES = {"F8_E4M3": [e4m3(b) for b in range(256)], "F8_E5M2": [e5m2(b) for b in range(256)]}


def numbers(dtype, data):
    if dtype == "BF16":
        data = b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2))
    return struct.unpack(f"<{len(data) // 4}f", data)


def tensors_of(folder):
    """{name: [dtype, shape, bytes]} of all shards."""
    out = {}
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        n = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + n])
        header.pop("__metadata__", None)
        for name, t in header.items():
            begin, end = t["data_offsets"]
            out[name] = [t["dtype"], t["shape"], data[8 + n + begin : 8 + n + end]]
    return out


def write_tensors(folder, tensors):
    for path in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        path.unlink()
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t[2] for t in tensors.values()))


def dequantised(name, tensors, block):
    dtype, (rows, cols), data = tensors[name]
    scale_dtype, shape, raw = tensors.get(name + "_scale_inv") or tensors[name + "_scale"]
    scales, values = numbers(scale_dtype, raw), VALUES[dtype]
    down, across = block
    if len(scales) == 1:
        down, across = rows, cols
    elif len(scales) == rows:
        down, across = 1, cols
    per_row = -(-cols // across)
    return struct.pack(f"<{rows * cols}f", *(values[data[r * cols + c]] * scales[r // down * per_row + c // across]
                                             for r in range(rows) for c in range(cols)))


def with_plain_weights(folder, to):
    """A copy with f32 in place of fp8."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    block = config.pop("quantization_config", {}).get("weight_block_size") or (128, 128)
    (to / "config.json").write_text(json.dumps(config))
    tensors, plain = tensors_of(folder), {}
    for name, t in tensors.items():
        if t[0] in VALUES:
            plain[name] = ["F32", t[1], dequantised(name, tensors, block)]
        elif "_scale" not in name:
            plain[name] = t
    write_tensors(to, plain)
    return to


@pytest.fixture(params=CASES)
def pair(request, tmp_path):
    return GOLDEN / request.param, with_plain_weights(GOLDEN / request.param, tmp_path / "plain")


@pytest.fixture
def broken(tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(GOLDEN / "fp8_blocks", folder)
    return folder, tensors_of(folder)


def logprobs(*args):
    run = llm_run(*EXACT, *args, IDS)
    assert run.status == 0, run
    return run.json()["logprobs"]


def test_every_way_gives_the_numbers_of_the_dequantised_weights(pair):
    fp8, plain = pair
    want = logprobs(plain)
    for load in "map", "stream", "resident":
        assert logprobs("--load", load, fp8) == want
    assert logprobs("--prefill-chunk", "7", "-T", "3", fp8) == want
    for isa in "generic", "avx2":
        assert logprobs("--isa", isa, fp8) == logprobs("--isa", isa, plain)


@needs_true_memory
def test_what_does_not_fit_is_streamed(tmp_path):
    """Blocks of rows of every matrix come through the ring, each with the scales of its place in the matrix."""
    wide = write_model(tmp_path / "wide", hidden_size=768, num_hidden_layers=8, vocab_size=4096, quantization_config=FP8_CONFIG)
    ask = ("--ids", "--greedy", "--ignore-eos", "-n", "12", "-c", "64", "--json", "--load")
    limited = ("--mem-limit", "27M", *ask)
    runs = [llm_run(*options, wide, "1,2,3") for options in ((*ask, "map"), (*ask, "resident"), (*limited, "stream"),
                                                             (*limited, "auto"), (*limited, "stream", "--prefill-chunk", "2"))]
    assert [run.status for run in runs] == [0] * 5, runs
    assert [run.json()["tokens"] for run in runs[1:]] == [runs[0].json()["tokens"]] * 4
    streamed = [run.json()["memory"]["weights_streamed"] for run in runs]
    assert streamed[:2] == [0, 0] and min(streamed[2:]) > 8 << 20, streamed
    fed = [logprobs(*options, wide, "--load", "stream") for options in ((), ("--mem-limit", "27M", "-c", "64"))]
    assert fed[0] == fed[1]


@pytest.mark.parametrize("kind", ["q8", "q4"])
def test_quantised_again(pair, tmp_path, kind):
    fp8, plain = pair
    quant = ("--quant", kind, "--cache-dir")
    want = logprobs(*quant, tmp_path / "plain-cache", plain)
    assert logprobs(*quant, tmp_path / "cache", fp8) == want  # made
    assert logprobs(*quant, tmp_path / "cache", fp8) == want  # mapped
    assert logprobs("--quant", kind, "--no-cache", fp8) == want


def test_plan_and_info(tmp_path):
    plan = llm_run("--plan", "--json", GOLDEN / "fp8_channels").json()
    dtypes = {t["name"]: t["dtype"] for t in plan["tensors"]}
    assert dtypes[NAME] == "F8_E4M3" and dtypes["lm_head.weight"] == "BF16"
    assert llm_run("--info", "--json", GOLDEN / "fp8_channels").json()["dtype"] == "f8_e4m3"
    shutil.copy(GOLDEN / "fp8_channels/config.json", tmp_path)
    expected = llm_run("--plan", "--json", tmp_path).json()
    assert {t["name"]: t["bytes"] for t in expected["tensors"]} == {t["name"]: t["bytes"] for t in plan["tensors"]}


def test_activation_scales_are_told_of_once():
    run = llm_run("-n", "1", "--ids", GOLDEN / "fp8_tensor", "1,2")
    assert run.status == 0 and run.err.count("input_scale") == 1 and "not rounded to fp8" in run.err, run


def test_no_scales(broken):
    folder, tensors = broken
    del tensors[NAME + "_scale_inv"]
    write_tensors(folder, tensors)
    refused(llm_run("--ids", folder, "1"), 3, NAME, "F8_E4M3", "has no scales", NAME + "_scale")


@pytest.mark.parametrize("dtype, shape, data, part", [
    ("F32", [5], struct.pack("<5f", *[1.0] * 5), "neither one, nor one a row, nor one a block"),
    ("F32", [3, 3, 1], struct.pack("<9f", *[1.0] * 9), "neither one"),
    ("F32", [0], b"", "neither one"),
    ("I8", [1], b"\1", "dtype that is not read"),
    ("F32", [1], struct.pack("<f", float("nan")), "not finite"),
    ("F32", [1], struct.pack("<f", -(2.0**100)), "2^100"),
    ("F8_E8M0", [1], b"\xff", "not finite"),
])
def test_scales_that_cannot_be(broken, dtype, shape, data, part):
    folder, tensors = broken
    tensors[NAME + "_scale_inv"] = [dtype, shape, data]
    write_tensors(folder, tensors)
    refused(llm_run("--ids", folder, "1"), 3, NAME + "_scale_inv", part)


def test_powers_of_two_as_scales(broken, tmp_path):
    folder, tensors = broken
    rows = tensors[NAME][1][0]
    tensors[NAME + "_scale_inv"] = ["F8_E8M0", [rows, 1], bytes(120 + i % 3 for i in range(rows))]
    write_tensors(folder, tensors)
    got = logprobs(folder)
    tensors[NAME + "_scale_inv"] = ["F32", [rows, 1], struct.pack(f"<{rows}f", *(2.0 ** (i % 3 - 7) for i in range(rows)))]
    write_tensors(folder, tensors)
    assert got == logprobs(folder)


def test_kinds_and_vectors_that_are_not_run(broken):
    folder, tensors = broken
    for name, dtype in (NAME, "F8_E4M3FNUZ"), ("model.norm.weight", "F8_E4M3"):
        changed = dict(tensors)
        data = tensors[name][2]
        changed[name] = [dtype, tensors[name][1], data if name == NAME else data[: len(data) // 2]]
        write_tensors(folder, changed)
        refused(llm_run("--ids", folder, "1"), 3, name, dtype, "supported: F32, F16, BF16, and F8_E4M3 and F8_E5M2")
