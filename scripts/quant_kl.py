#!/usr/bin/env python3
"""What quantised weights do to the next token: KL divergence of its distribution from that of --precise --kv f32.

usage: quant_kl.py [--build build/release] [--texts 16] [--tokens 256] [MODEL ...]    (models/demo; `make bench` builds the tool)

Texts are the model's own, drawn at temperature 1 with the seeds 1, 2, ... after its BOS, so that every model is asked about what
it was trained on; each position of each is one distribution.
"""
import argparse
import json
import os
import subprocess
import sys

import program


def text(args, model, seed):
    """The ids of a text, as a line."""
    with open(os.path.join(model, "config.json"), encoding="utf-8") as f:
        bos = json.load(f)["bos_token_id"]
    said = program.answer([f"{args.build}/llm-run", "--json", "-q", "--ids", "--ignore-eos", "-n", str(args.tokens - 1), "--temp", "1",
                           "--top-k", "0", "--top-p", "1", "--seed", str(seed), model, str(bos)])
    return ",".join(map(str, [bos, *said["tokens"]]))


def compare(args, model):
    lines = "".join(text(args, model, seed + 1) + "\n" for seed in range(args.texts))
    done = subprocess.run([f"{args.build}/tests/bench/bench_kl", model], input=lines, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip() or f"bench_kl: status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build/release")
    p.add_argument("--texts", type=int, default=16)
    p.add_argument("--tokens", type=int, default=256)
    p.add_argument("models", nargs="*", default=["models/demo"])
    args = p.parse_args()
    print("| model | weights | positions | mean KL | greatest KL | same first token |\n|---|---|---|---|---|---|")
    for model in args.models:
        for way in compare(args, model):
            print(f"| {os.path.basename(os.path.normpath(model))} | {way['way']} | {way['positions']:,} | {way['mean']:.1e} | "
                  f"{way['most']:.1e} | {100 * way['same']:.2f} % |", flush=True)


if __name__ == "__main__":
    main()
