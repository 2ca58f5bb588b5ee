#!/usr/bin/env python3
"""Decoding beside the machine's read rate, in one run: both sides in turn, best of N.

usage: bench.py MODEL_DIR [--build build/release] [--threads 2] [--runs 5] [--tokens 16] [-- OPTIONS OF llm-run]
"""
import argparse
import json
import subprocess
import sys
import time


def decode(build, model, threads, tokens, more):
    begin = time.monotonic()
    done = subprocess.run([f"{build}/llm-run", "--json", "-q", "--greedy", "--ignore-eos", "--ids", "-T", str(threads), "-n", str(tokens),
                           *more, model, "1,2,3"], capture_output=True)
    wall = time.monotonic() - begin
    if done.returncode:
        sys.exit(done.stderr.decode() or f"llm-run: status {done.returncode}")
    return dict(json.loads(done.stdout), wall=wall)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model")
    p.add_argument("--build", default="build/release")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--tokens", type=int, default=16)
    p.add_argument("more", nargs="*")
    a = p.parse_args()
    info = json.loads(subprocess.run([f"{a.build}/llm-run", "--info", "--json", a.model], capture_output=True, check=True).stdout)
    reads, runs = [], []
    for _ in range(a.runs):
        out = subprocess.run([f"{a.build}/tests/bench/bench_read", str(a.threads)], capture_output=True, check=True).stdout
        reads.append(float(out))
        runs.append(decode(a.build, a.model, a.threads, a.tokens, a.more))
    best = max(runs, key=lambda r: r["timings"]["decode_tok_s"])
    # an embedding that is not the head too is not read whole for each token
    per_token = info["weight_bytes"] - (0 if info["tied_head"] else info["weight_bytes"] * info["vocab"] * info["dim"] / info["parameters"])
    rate = best["timings"]["decode_tok_s"] * per_token
    print(f"memory     {max(reads) / 1e9:8.2f} GB/s read by {a.threads} threads")
    print(f"decode     {best['timings']['decode_tok_s']:8.2f} tok/s = {rate / 1e9:.2f} GB/s of weights = {rate / max(reads):.0%} of it")
    print(f"prefill    {max(r['timings']['prefill_tok_s'] for r in runs):8.2f} tok/s (a prompt of 3 tokens)")
    print(f"start      {min(r['timings']['load_s'] for r in runs):8.3f} s to load, {min(r['timings']['first_token_s'] for r in runs):.3f} s to the first token (best, warm)")
    print(f"memory     {max(r['memory']['peak_rss'] for r in runs) / 2**20:8.1f} MiB resident at most, mapped weights included")


if __name__ == "__main__":
    main()
