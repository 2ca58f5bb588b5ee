#!/usr/bin/env python3
"""Decoding beside the machine's read rate, in one run: both sides in turn, best against best.

usage: bench.py MODEL_DIR [--build build/release] [--threads 2] [--runs 5] [--tokens 32] [-- OPTIONS OF llm-run]

In each round the read rate is the best of five passes over 1 GiB by as many threads (tests/bench/bench_read), then N tokens
are decoded.
"""
import argparse

import program


def show(a, per_token, reads, runs):
    speeds = [r["timings"]["decode_tok_s"] for r in runs]
    ratios = [speed * per_token / read for speed, read in zip(speeds, reads)]
    rate = max(speeds) * per_token
    print(f"memory     {max(reads) / 1e9:8.2f} GB/s read by {a.threads} threads")
    print(f"decode     {max(speeds):8.2f} tok/s = {rate / 1e9:.2f} GB/s of weights = {rate / max(reads):.2f} of it "
          f"(single rounds {min(ratios):.2f} to {max(ratios):.2f})")
    print(f"prefill    {max(r['timings']['prefill_tok_s'] for r in runs):8.2f} tok/s (a prompt of 3 tokens)")
    print(f"start      {min(r['timings']['load_s'] for r in runs):8.3f} s to load, {min(r['timings']['first_token_s'] for r in runs):.3f} s to the first token (best, warm)")
    print(f"memory     {max(r['memory']['peak_rss'] for r in runs) / 2**20:8.1f} MiB resident at most, mapped weights included")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--tokens", type=int, default=32)
    a = program.options(p)
    per_token = program.bytes_per_token(program.info(a))
    command = program.greedy(a, a.tokens, "-T", str(a.threads), *a.more)
    rounds = [(program.read_rate(a), program.answer(command)) for _ in range(a.runs)]
    show(a, per_token, *zip(*rounds))


if __name__ == "__main__":
    main()
