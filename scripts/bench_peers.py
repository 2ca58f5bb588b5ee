#!/usr/bin/env python3
"""Reading a prompt and writing, warm: llm-run and llama.cpp in turn.

usage: bench_peers.py MODEL_DIR --gguf FILE [--rounds 5] [--prompt 128] [--tokens 32] [--threads 2] [--json OUT]
                      [--build build/release] [--venv build/peers/venv] [-- OPTIONS OF llm-run]

FILE holds the same weights. In each round each program runs once as a fresh process with its file in the page cache, and the memory's read
rate is measured (tests/bench/bench_read); the figures are the medians of the rounds, and of the rounds' ratios. Prompt and tokens are
timed inside the programs. N tokens are N - 1 timed passes. Prints a table in Markdown; --json keeps every sample.
"""
import argparse
import glob
import json
import statistics
import subprocess
import sys

import peers
import program


def warm(paths):
    for path in paths:
        with open(path, "rb", buffering=0) as f:
            while f.read(16 << 20):
                pass


def ours(a):
    ids = ",".join(str(i) for i in range(1, a.prompt + 1))
    r = program.answer(program.greedy(a, a.tokens, "-T", str(a.threads), "-c", str(a.ctx), *a.more, prompt=ids))
    return {"prefill": a.prompt / r["timings"]["prefill_s"], "decode": (a.tokens - 1) / r["timings"]["decode_s"],
            "start": r["timings"]["load_s"]}


def llama(a):
    r = program.answer([peers.python(a.venv), f"{peers.HERE}/peer_llama.py", a.gguf, "--prompt", str(a.prompt), "--tokens", str(a.tokens),
                        "--threads", str(a.threads), "--ctx", str(a.ctx)])
    return {"prefill": a.prompt / r["prefill_s"], "decode": r["decode_tok_s"], "start": r["load_s"]}


def read_rate(a):
    return float(subprocess.run([f"{a.build}/tests/bench/bench_read", str(a.threads)], capture_output=True, check=True).stdout)


def show(a, rounds):
    per_token = program.bytes_per_token(program.info(a))
    print("| | llm-run | llama.cpp | ratio | share of the read rate |\n|---|---|---|---|---|")
    for what in "decode", "prefill", "start":
        pairs = [(r["llm-run"][what], r["llama.cpp"][what]) for r in rounds]
        ratio = statistics.median(x / y for x, y in pairs)
        share = statistics.median(r["llm-run"]["decode"] * per_token / r["read"] for r in rounds)
        unit = "s" if what == "start" else "tok/s"
        print(f"| {what}, {unit} | {statistics.median(x for x, _ in pairs):.2f} | {statistics.median(y for _, y in pairs):.2f} | {ratio:.2f} "
              f"| {f'{share:.2f}' if what == 'decode' else ''} |")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--gguf", required=True)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--prompt", type=int, default=128)
    p.add_argument("--tokens", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--json")
    p.add_argument("--venv", default="build/peers/venv")
    a = program.options(p)
    a.ctx = max(512, a.prompt + a.tokens)
    warm([a.gguf, *glob.glob(f"{glob.escape(a.model)}/*.safetensors")])
    rounds = []
    for n in range(a.rounds):
        rounds.append({"llm-run": ours(a), "llama.cpp": llama(a), "read": read_rate(a)})
        print(f"round {n + 1}: " + "; ".join(f"{name} prefill {r['prefill']:.1f}, decode {r['decode']:.2f}, load {r['start']:.2f} s"
                                           for name, r in rounds[-1].items() if name != "read")
              + f"; memory read at {rounds[-1]['read'] / 1e9:.1f} GB/s", file=sys.stderr, flush=True)
    show(a, rounds)
    if a.json:
        with open(a.json, "w", encoding="ascii") as f:
            json.dump({"rounds": rounds, "prompt": a.prompt, "tokens": a.tokens, "threads": a.threads}, f, indent=1)


if __name__ == "__main__":
    main()
