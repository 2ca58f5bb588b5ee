#!/usr/bin/env python3
"""Counts the instructions that one generated token takes, which a noisy machine does not change.

usage: count_instructions.py [--program build/release/llm-run] [--model models/demo] [--isa generic|avx2]

Two runs under callgrind (Debian's valgrind, which does not know AVX-512), of which one generates more tokens: the difference
of their counts is the tokens' own. One thread, ids for a prompt, greedy. Fails where a count is more than 5 % above the one
recorded here, and says where it is so far below that the record should follow. Another compiler has another count.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

RECORDED = {"generic": 12_368_455, "avx2": 1_806_129}  # gcc 12, models/demo
MORE = 0.05
FEW, MANY = 4, 12
# Within the first, but for looks at memory: how many of these there are depends on the time.
TOGGLES = "lr_session_generate", "monitor_before_pass", "monitor_boundary"


def run(a, isa, tokens, folder):
    out = pathlib.Path(folder, f"{tokens}.out")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *[f"--toggle-collect={f}" for f in TOGGLES], a.program, a.model, "--ids", "1,2,3,4", "-n", str(tokens),
               "--greedy", "--ignore-eos", "-T", "1", "--isa", isa, "--matmul", "native", "--no-cache", "--load", "map"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"count_instructions.py: {' '.join(map(str, command))}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.M).group(1))


def known(isa):
    """Whether this processor has it: valgrind then knows it too."""
    return isa == "generic" or isa in pathlib.Path("/proc/cpuinfo").read_text().split()


def count(a, isa):
    """True where it is within the bound."""
    with tempfile.TemporaryDirectory(prefix="llm-run-count-") as folder:
        few, many = run(a, isa, FEW, folder), run(a, isa, MANY, folder)
    found, recorded = (many - few) / (MANY - FEW), RECORDED[isa]
    apart = found / recorded - 1
    note = "MORE than may be" if apart > MORE else "so much less that RECORDED should follow" if apart < -MORE else "as recorded"
    print(f"{isa}: {found:,.0f} instructions per token ({apart:+.1%}: {note})")
    return apart <= MORE


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default="build/release/llm-run")
    parser.add_argument("--model", default="models/demo")
    parser.add_argument("--isa", choices=sorted(RECORDED), action="append", help="again for more (default: all that this processor has)")
    a = parser.parse_args()
    within = [count(a, isa) for isa in a.isa or RECORDED if known(isa)]
    return 0 if within and all(within) else 1


sys.exit(main())
