#!/usr/bin/env python3
"""Decoding while another program takes most of the memory, beside a fresh start under what it leaves.

usage: bench_beside.py MODEL_DIR [--limit 2600M] [--share 60] [--rate 2000] [--tokens 60] [--rounds 3] [--build build/release] [-- OPTIONS]

Both run in a memory group of their own (scripts/cgroup.py; root needed). After 8 tokens another program in the group takes --share percent of
the limit at --rate MB/s and keeps it. The speed afterwards (from the beginning of its growth, and from its end) is compared with that of a
run which finds it there, with the medians of the times between tokens; the ids must be the same. Then the memory is given back, and the
speed of the last tokens is printed beside that of the first ones.
"""
import argparse
import glob
import statistics
import subprocess
import sys
import time

import cgroup
import disk
import program

FIRST = 8  # tokens before the other program begins
# Takes MIB at RATE MB a second, says so, and holds it until its input ends.
GROWER = """
import sys, time
size, rate = int(sys.argv[1]), float(sys.argv[2]) * 1e6
blocks, begin = [], time.monotonic()
for i in range(size // 8):
    blocks.append(bytearray(b"x") * (8 << 20))
    time.sleep(max(0, begin + (i + 1) * (8 << 20) / rate - time.monotonic()))
print("grown", flush=True)
sys.stdin.read()
"""


class Grower:
    def __init__(self, a, group, rate):
        self.process = subprocess.Popen(["/bin/sh", "-c", cgroup.ENTER, group.procs(), sys.executable, "-c", GROWER,
                                         str(a.limit * a.share // 100 >> 20), str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait(self):
        if self.process.stdout.readline() != b"grown\n":
            sys.exit("bench_beside.py: the other program was killed")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def start(a, group, tokens):
    disk.make_cold(glob.glob(f"{glob.escape(a.model)}/*.safetensors"))
    line = [w for w in program.greedy(a, tokens, "-c", "512", *a.more) if w != "--json"]
    return subprocess.Popen(["/bin/sh", "-c", cgroup.ENTER, group.procs(), *line], stdout=subprocess.PIPE)


def read_ids(run, count, into):
    """Appends (time, id) of the next `count` ids; fewer at the end."""
    text = b""
    while count and (byte := run.stdout.read(1)):
        if byte in b" \n" and text:
            into.append((time.monotonic(), int(text)))
            text, count = b"", count - 1
        elif byte not in b" \n":
            text += byte
    if text:
        into.append((time.monotonic(), int(text)))


def rate(seen):
    """Tokens a second, by the median of the times between them."""
    gaps = [b[0] - a[0] for a, b in zip(seen, seen[1:])]
    return 1 / statistics.median(gaps)


def finish(run, seen):
    read_ids(run, 1 << 30, seen)
    if run.wait() != 0:
        sys.exit(f"bench_beside.py: llm-run: status {run.returncode}")


def fresh(a):
    """Speed and ids where the other program is there before."""
    with cgroup.Group(a.limit) as group:
        other, seen = Grower(a, group, 1e6), []
        other.wait()
        finish(start(a, group, a.tokens), seen)
        other.end()
    return rate(seen[FIRST:]), [i for _, i in seen]


def beside(a):
    """Speeds (first tokens, growth included, after it, memory given back) and ids of a run that it comes to."""
    with cgroup.Group(a.limit) as group:
        seen = []
        run = start(a, group, 2 * a.tokens)
        read_ids(run, FIRST, seen)
        other, began = Grower(a, group, a.rate), len(seen)
        begin = time.monotonic()
        other.wait()
        grown = time.monotonic()
        read_ids(run, a.tokens - began, seen)
        included = (len(seen) - began) / (seen[-1][0] - begin)
        after = rate([s for s in seen if s[0] >= grown])
        other.end()
        finish(run, seen)
    return (rate(seen[1:FIRST]), included, after, rate(seen[-a.tokens // 2:])), [i for _, i in seen]


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--limit", type=cgroup.parse_size, default=2600 << 20)
    p.add_argument("--share", type=int, default=60, help="percent of the limit that the other program takes")
    p.add_argument("--rate", type=float, default=2000, help="MB/s")
    p.add_argument("--tokens", type=int, default=60)
    p.add_argument("--rounds", type=int, default=3)
    a = program.options(p)
    ratios = []
    for n in range(a.rounds):
        alone, wanted = fresh(a)
        speeds, ids = beside(a)
        if ids[:len(wanted)] != wanted:
            sys.exit("bench_beside.py: other ids")
        ratios.append((speeds[1] / alone, speeds[2] / alone))
        print(f"round {n + 1}: before {speeds[0]:.2f} tok/s; while it grows and after {speeds[1]:.2f}, after {speeds[2]:.2f}; fresh start {alone:.2f}; "
              f"given back {speeds[3]:.2f}; same ids", flush=True)
    print(f"of a fresh start, medians: growth included {statistics.median(r[0] for r in ratios):.2f}, after it {statistics.median(r[1] for r in ratios):.2f}")


if __name__ == "__main__":
    main()
