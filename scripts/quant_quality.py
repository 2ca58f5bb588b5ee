#!/usr/bin/env python3
"""How near quantised weights are to what they were, beside llama.cpp's quantisers: relative RMS errors.

usage: quant_quality.py [--ggml libggml-base.so] [--build build/release] [--models DIR ...] [--check]
       (--ggml: from llama-cpp-python, see scripts/peers.lock; found where that is installed. --check: fail where q8 is
       worse than Q8_0 or q4 worse than Q4_K)

Rows: random weights of four kinds, and every matrix of the models, each model's in one row of figures and the worst matrix in
another. Rows that are no multiple of 256 long are filled up with zeros for both.
"""
import argparse
import ctypes
import glob
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np

PEERS = {  # ggml's number of the type, elements and bytes of a block
    "Q8_0": (8, 32, 34),
    "Q4_K": (12, 256, 144),
}
OURS = {"q8": "Q8_0", "q4": "Q4_K"}


def find_ggml():
    spec = importlib.util.find_spec("llama_cpp")
    found = glob.glob(os.path.join(os.path.dirname(spec.origin), "lib", "libggml-base.so")) if spec else []
    return found[0] if found else None


class Ggml:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]

    def round_trip(self, name, x):
        number, block, size = PEERS[name]
        packed, out = np.zeros(x.size // block * size, np.uint8), np.empty_like(x)
        done = self.lib.ggml_quantize_chunk(number, x.ctypes.data, packed.ctypes.data, 0, *x.shape, None)
        if done != packed.size:
            sys.exit(f"{name}: {done} bytes for {packed.size}")
        widen = getattr(self.lib, "dequantize_row_" + name.replace("Q", "q"))
        widen.argtypes, widen.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
        widen(packed.ctypes.data, out.ctypes.data, x.size)
        return out


def ours_round_trip(build, name, x):
    tool = os.path.join(build, "tests/bench/bench_quant")
    done = subprocess.run([tool, name, *map(str, x.shape)], input=x.tobytes(), capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return np.frombuffer(done.stdout, np.float32).reshape(x.shape)


def matrices(path):
    """(name, f32 matrix) for each matrix of model.safetensors."""
    with open(os.path.join(path, "model.safetensors"), "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        start = f.tell()
        for name, t in header.items():
            if name == "__metadata__" or len(t["shape"]) != 2:
                continue
            f.seek(start + t["data_offsets"][0])
            raw = f.read(t["data_offsets"][1] - t["data_offsets"][0])
            if t["dtype"] == "BF16":
                x = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                x = np.frombuffer(raw, {"F16": np.float16, "F32": np.float32}[t["dtype"]]).astype(np.float32)
            yield name, x.reshape(t["shape"])


def random_sets(rng, rows=1024, cols=2048):
    shape = (rows, cols)
    yield "Gaussian", rng.standard_normal(shape)
    yield "Student t, 4 degrees", rng.standard_t(4, shape)
    yield "Laplace", rng.laplace(size=shape)
    for factor in (20, 100):
        x = rng.standard_normal(shape)
        x[:, rng.choice(cols, cols // 100, False)] *= factor
        yield f"Gaussian, 1 % of channels x {factor}", x
    yield "Gaussian, sigma 1e-4", rng.standard_normal(shape) * 1e-4
    yield "Gaussian, half of them 0", rng.standard_normal(shape) * (rng.random(shape) < 0.5)
    yield "uniform", rng.uniform(-1, 1, shape)


def padded(x):
    return np.ascontiguousarray(np.pad(x, ((0, 0), (0, -x.shape[1] % 256))), np.float32)


def squares(x, build, ggml):
    """The sum of squares and, by name, of squared errors."""
    x = padded(x)
    found = {"": float(np.sum(np.square(x, dtype=np.float64)))}
    for name in [*OURS, *PEERS]:
        y = ours_round_trip(build, name, x) if name in OURS else ggml.round_trip(name, x)
        found[name] = float(np.sum(np.square(x.astype(np.float64) - y)))
    return found


def relative(s):
    return {name: (v / s[""]) ** 0.5 for name, v in s.items() if name}


def rows_of(args, ggml):
    for name, x in random_sets(np.random.default_rng(1)):
        yield name, relative(squares(x.astype(np.float32), args.build, ggml))
    for path in args.models:
        parts = {name: squares(x, args.build, ggml) for name, x in matrices(path)}
        parts = {name: s for name, s in parts.items() if s[""] > 0}
        label = os.path.basename(os.path.normpath(path))
        yield f"{label}: all {len(parts)} matrices", relative({k: sum(s[k] for s in parts.values()) for k in ["", *OURS, *PEERS]})
        for ours, peer in OURS.items():
            worst = max(parts, key=lambda n, o=ours, p=peer: parts[n][o] / parts[n][p])
            yield f"{label}: worst {ours}, {worst}", relative(parts[worst])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ggml", default=find_ggml())
    p.add_argument("--build", default="build/release")
    p.add_argument("--models", nargs="*", default=["models/demo"])
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    if not args.ggml:
        sys.exit("no libggml-base.so: --ggml names it")
    worse = 0
    print("| weights | q8 | Q8_0 | q8 / Q8_0 | q4 | Q4_K | q4 / Q4_K |\n|---|---|---|---|---|---|---|")
    for name, e in rows_of(args, Ggml(args.ggml)):
        cells = [f"{e['q8']:.6f}", f"{e['Q8_0']:.6f}", f"{e['q8'] / e['Q8_0']:.3f}", f"{e['q4']:.5f}", f"{e['Q4_K']:.5f}",
                 f"{e['q4'] / e['Q4_K']:.3f}"]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        worse += sum(e[ours] > e[peer] for ours, peer in OURS.items())
    if args.check and worse:
        sys.exit(f"{worse} figures are worse than llama.cpp's")


if __name__ == "__main__":
    main()
