#!/usr/bin/env python3
"""llm-run beside llama.cpp, and with --mistral beside mistral.rs: each figure with its goal, in one run.

usage: bench_peers.py MODEL_DIR --gguf FILE [--rows bf16,q8,q4,context,start] [--mistral] [--rounds 5] [--prompt 128] [--tokens 32]
                      [--depth 4096] [--threads 2] [--isa NAME] [--json OUT] [--build build/release] [--venv build/peers/venv]
                      [--cache-dir build/peers/cache] [-- OPTIONS OF llm-run]

FILE holds the same weights in bf16; Q8_0 and Q4_0 are made of it by llama.cpp's quantiser, every matrix alike, and kept beside it. llm-run
keeps its quantised weights in --cache-dir. In each round the programs run in turn as fresh processes, their files in the page cache; figures are
the medians of the rounds, and of the rounds' ratios, which say how many times better llm-run is: more tokens, or less time or memory.

  bf16 q8 q4  decode and prefill after a first time that is not counted: llm-run --bench -v, which also tells what a pass reads and multiplies,
              and the machine's multiply-adds; the rate of memory is the greatest of what --bench and, before and after it, tests/bench/bench_read saw
  context     the same after --depth tokens (tests/bench/bench_depth: the options after -- are not for it)
  start       llm-run from its start as a process to the first character; llama.cpp from an open interpreter, with as many tokens of prompt
  --mistral   loading, greatest resident memory (mapped weights included) and decoding

A row holds if it reaches the goal's multiple or its share of the limit, and is not behind the peer. Prints a table in Markdown; --json keeps every sample.
"""
import argparse
import collections
import glob
import json
import os
import statistics
import subprocess
import sys
import time

import peers
import program

WORD = "word"
# goals: the multiple of the peer with AVX2 alone, with AVX-512 BF16 and VNNI, and the share of the limit (None: no such goal)
Row = collections.namedtuple("Row", "name unit goals less", defaults=[False])
ROWS = {
    "bf16": [Row("decode", "tok/s", (1.25, 1.4, 0.87)), Row("prefill", "tok/s", (1.1, 1.4, 0.80))],
    "q8": [Row("decode", "tok/s", (1.35, 2.1, 0.84)), Row("prefill", "tok/s", (1.6, 2.2, 0.58))],
    "q4": [Row("decode", "tok/s", (1.5, 1.6, 0.76)), Row("prefill", "tok/s", (1.4, 2.2, 0.55))],
    "context": [Row("decode", "tok/s", (1.3, 1.3, None)), Row("prefill", "tok/s", (1.3, 1.3, None))],
    "start": [Row("first token", "s", (2, 2, None), less=True)],
    "mistral": [Row("decode", "tok/s", (4, 4, None)), Row("load", "s", (50, 50, None), less=True), Row("memory", "GB", (2, 2, None), less=True)],
}
PEERS = {"q8": "llama.cpp Q8_0", "q4": "llama.cpp Q4_0", "mistral": "mistral.rs"}
BEST_ISA = "avx512bf16"


# ---- the programs

def llm_run(a, *words):
    return [f"{a.build}/llm-run", *words, "-T", str(a.threads), "--cache-dir", a.cache_dir, *(["--isa", a.isa] if a.isa else []), *a.more]


def llama(a, gguf, *words):
    return program.answer([peers.python(a.venv), f"{peers.HERE}/peer_llama.py", gguf, "--threads", str(a.threads), *map(str, words)])


def llama_speeds(r, a):
    return {"prefill": a.prompt / r["prefill_s"], "decode": r["decode_tok_s"]}


def gguf_of(a, kind):
    return a.gguf if kind == "bf16" else f"{a.gguf.removesuffix('.gguf')}.{kind}_0.gguf"


def quant_words(kind):
    return [] if kind == "bf16" else ["--quant", kind]


def seconds_to_text(command):
    """From the start of a process to the first byte of its output."""
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as run:
        run.stdout.read(1)
        took = time.monotonic() - begin
        run.stdout.read()
    if run.returncode:
        sys.exit(f"{command[0]}: status {run.returncode}")
    return took


# ---- one round of some rows: {"llm-run": {row: figure}, "peer": {row: figure}, "share": {row: share of the limit}}

def shares(found, read, peak):
    """Of bytes a second of decoding and of multiply-adds a second of prefill; None where no peak is known."""
    prefill, decode = found["operations"]
    rates = {r["test"]: r["tok_s_mean"] for r in found["results"]}
    total = lambda test, what: sum(part[what] for part in test["parts"])
    tokens = found["results"][0]["n_prompt"]
    return {"decode": rates[decode["test"]] * total(decode, "memory_bytes") / decode["passes"] / read,
            "prefill": peak and rates[prefill["test"]] * total(prefill, "multiply_adds") / tokens / peak}


def weights_round(a, kind):
    before = program.read_rate(a)
    found = program.answer(llm_run(a, "--bench", "-v", "--json", "--prompt-sizes", str(a.prompt), "--gen-sizes", str(a.tokens), "--repeat", "1",
                                   *quant_words(kind), a.model))
    read = max(before, program.read_rate(a), found["limits"]["memory_bytes_per_s"] or 0)
    # 8 tokens are before those that --bench makes
    theirs = llama(a, gguf_of(a, kind), "--prompt", a.prompt, "--rewind", 8, "--tokens", a.tokens + 1, "--warm", "--ctx", a.prompt + a.tokens + 8)
    peaks = found["limits"]["multiply_adds_per_s"]
    peak = (peaks["bf16"] or peaks["f32"]) if kind == "bf16" else peaks["int8"]
    prefill, decode = found["results"]
    return {"llm-run": {"prefill": prefill["tok_s_mean"], "decode": decode["tok_s_mean"]}, "peer": llama_speeds(theirs, a),
            "share": shares(found, read, peak), "read": read, "peak": peak, "limits": found["limits"]}


def context_round(a, _):
    ours = program.answer([program.bench_tool(a, "bench_depth"), a.model, *map(str, (a.depth, a.prompt, a.tokens, a.threads)), *([a.isa] if a.isa else [])])
    theirs = llama(a, a.gguf, "--depth", a.depth, "--prompt", a.prompt, "--tokens", a.tokens + 1, "--ctx", a.depth + a.prompt + a.tokens + 8)
    return {"llm-run": {"prefill": ours["tokens"] / ours["prefill_s"], "decode": ours["passes"] / ours["decode_s"]}, "peer": llama_speeds(theirs, a)}


def start_round(a, _):
    ids = program.answer(llm_run(a, "--tokenize", "--json", a.model, WORD))["tokens"]
    ours = seconds_to_text(llm_run(a, "-q", "--greedy", "-n", "1", a.model, WORD))
    return {"llm-run": {"first token": ours}, "peer": {"first token": llama(a, a.gguf, "--start", WORD, "--prompt", len(ids))["first_token_s"]}}


def mistral_round(a, _):
    ours = program.answer(program.greedy(a, a.tokens, *llm_run(a)[1:]))
    theirs = program.answer([peers.python(a.venv, "mistral"), f"{peers.HERE}/peer_mistral.py", a.model, "--tokens", str(a.tokens), "--threads", str(a.threads)])
    return {"llm-run": {"decode": ours["timings"]["decode_tok_s"], "load": ours["timings"]["load_s"], "memory": ours["memory"]["peak_rss"] / 1e9},
            "peer": {"decode": theirs["decode_tok_s"], "load": theirs["load_s"], "memory": theirs["peak_rss"] / 1e9}}


ROUNDS = {"bf16": weights_round, "q8": weights_round, "q4": weights_round, "context": context_round, "start": start_round, "mistral": mistral_round}


# ---- before the rounds

def make_gguf(a, kind):
    wanted = gguf_of(a, kind)
    if not os.path.exists(wanted):
        print(f"quantising {wanted}", file=sys.stderr)
        llama(a, a.gguf, "--quantise", f"{kind}_0", "--to", f"{wanted}.part")
        os.rename(f"{wanted}.part", wanted)


def warm(a):
    """All that is read lies in the page cache, where it fits."""
    ggufs = {gguf_of(a, kind) for kind in ("bf16", "q8", "q4") if kind == "bf16" or kind in a.rows}
    for path in [*ggufs, *glob.glob(f"{glob.escape(a.model)}/*"), *glob.glob(f"{glob.escape(a.cache_dir)}/*.safetensors")]:
        if os.path.isfile(path):
            with open(path, "rb", buffering=0) as f:
                while f.read(16 << 20):
                    pass


def prepare(a):
    """Quantised weights of both, and all that is read in the page cache; what --bench says of the machine."""
    for kind in {"q8", "q4"} & set(a.rows):
        make_gguf(a, kind)
        if not program.answer(llm_run(a, "--quantize-only", "--json", *quant_words(kind), a.model))["path"]:
            sys.exit(f"bench_peers.py: {a.cache_dir} does not keep quantised weights")
    warm(a)
    return program.answer(llm_run(a, "--bench", "--json", "--prompt-sizes", "1", "--gen-sizes", "0", "--repeat", "1", a.model))


# ---- the table

def summary(row, rounds, best_isa):
    """A row's figures and whether it holds."""
    pairs = [(r["llm-run"][row.name], r["peer"][row.name]) for r in rounds]
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    found = [r["share"][row.name] for r in rounds if r.get("share") and r["share"][row.name]]
    ratio = statistics.median(y / x if row.less else x / y for x, y in pairs)
    share = statistics.median(found) if found else None
    goal, goal_share = row.goals[1 if best_isa else 0], row.goals[2]
    reached = ratio >= goal or (share is not None and goal_share is not None and share >= goal_share)
    return {"llm-run": ours, "peer": theirs, "ratio": ratio, "goal": goal, "share": share, "goal_share": goal_share, "holds": reached and ratio >= 1}


def show(a, machine, rounds):
    print(f"{machine['processor']}, {a.threads} threads, llm-run's kernels {machine['isa']}, {a.rounds} rounds\n")
    print("| | peer | llm-run | peer's | times better | goal | share of the limit | goal | |\n|---|---|---|---|---|---|---|---|---|")
    number = lambda x: "" if x is None else f"{x:.2f}"
    table = []
    for kind in a.rows:
        for row in ROWS[kind]:
            s = summary(row, [r[kind] for r in rounds], machine["isa"] == BEST_ISA)
            table.append({"row": f"{kind}, {row.name}", **s})
            print(f"| {kind}, {row.name}, {row.unit} | {PEERS.get(kind, 'llama.cpp')} | {s['llm-run']:.2f} | {s['peer']:.2f} | {s['ratio']:.2f} | {s['goal']} "
                  f"| {number(s['share'])} | {number(s['goal_share'])} | {'holds' if s['holds'] else 'misses'} |")
    return table


def tell(n, kind, r):
    sides = "; ".join(f"{side} " + ", ".join(f"{name} {x:.2f}" for name, x in r[side].items()) for side in ("llm-run", "peer"))
    print(f"round {n}, {kind}: {sides}" + (f"; memory read at {r['read'] / 1e9:.1f} GB/s" if "read" in r else ""), file=sys.stderr, flush=True)


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--gguf", required=True)
    p.add_argument("--rows", default="bf16,q8,q4,context,start")
    p.add_argument("--mistral", action="store_true")
    for name, value in ("rounds", 5), ("prompt", 128), ("tokens", 32), ("depth", 4096), ("threads", 2):
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--isa")
    p.add_argument("--json")
    p.add_argument("--venv", default="build/peers/venv")
    p.add_argument("--cache-dir", default="build/peers/cache")
    a = program.options(p)
    a.rows = a.rows.split(",") + (["mistral"] if a.mistral else [])
    for kind in a.rows:
        if kind not in ROWS:
            p.error(f"no rows '{kind}': there are {', '.join(ROWS)}")
    return a


def main():
    a = options()
    machine, rounds = prepare(a), []
    for n in range(1, a.rounds + 1):
        rounds.append({})
        for kind in a.rows:
            rounds[-1][kind] = ROUNDS[kind](a, kind)
            tell(n, kind, rounds[-1][kind])
    table = show(a, machine, rounds)
    if a.json:
        with open(a.json, "w", encoding="ascii") as f:
            json.dump({"machine": machine, "peers": peers.read_lock(), "prompt": a.prompt, "tokens": a.tokens, "depth": a.depth,
                       "threads": a.threads, "table": table, "rounds": rounds}, f, indent=1)


if __name__ == "__main__":
    main()
