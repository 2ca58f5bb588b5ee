#!/usr/bin/env python3
"""Decoding from the mapped file beside decoding from copies, with and without large pages: pairs in turn.

usage: bench_modes.py MODEL_DIR [--build build/release] [--pairs 20] [--tokens 12] [--threads 2] [-- OPTIONS OF llm-run]

Prints the medians of the pairs' ratios. Copies without large pages are made by a process that has them switched off (prctl).
"""
import argparse
import ctypes
import statistics

import program

PR_SET_THP_DISABLE = 41


def small_pages():
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


WAYS = {"mapped": (["--load", "map"], None), "copied, small pages": (["--load", "resident"], small_pages),
        "copied, large pages": (["--load", "resident"], None)}


def decode(a, way):
    options, before = WAYS[way]
    command = program.greedy(a, a.tokens, "-c", "256", "-T", str(a.threads), *options, *a.more)
    return program.answer(command, preexec_fn=before)["timings"]["decode_tok_s"]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--pairs", type=int, default=20)
    p.add_argument("--tokens", type=int, default=12)
    p.add_argument("--threads", type=int, default=2)
    a = program.options(p)
    seen = {way: [] for way in WAYS}
    for _ in range(a.pairs):
        for way in WAYS:
            seen[way].append(decode(a, way))
    for way, rates in seen.items():
        ratio = statistics.median(m / r for m, r in zip(seen["mapped"], rates))
        print(f"{way:20} {statistics.median(rates):7.2f} tok/s (best {max(rates):.2f}); mapped over it {ratio:.3f}")


if __name__ == "__main__":
    main()
