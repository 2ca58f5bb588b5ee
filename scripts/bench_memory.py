#!/usr/bin/env python3
"""Decoding under memory limits: llm-run and llama.cpp in turn, beside what the disk could give.

usage: bench_memory.py MODEL_DIR --gguf FILE [--rounds 5] [--limits 2000M,1250M,400M] [--tokens 8] [--json OUT]
                       [--build build/release] [--threads 2] [--patience 20] [--venv build/peers/venv] [-- OPTIONS OF llm-run]

Every run is a fresh process in a memory control group (scripts/cgroup.py; root needed). Before it both models' files are
dropped and shown to be under 1 % resident, before and after it the disk is measured outside the group (scripts/disk.py).
FILE holds the same weights; without --gguf llm-run runs alone. The peer's environment is made from scripts/peers.lock,
which takes minutes the first time. N tokens are N - 1 timed passes; the bound is the disk's rate (mean of before and
after) over the bytes that llm-run says it reads in each pass; beside them stands what the kernel counted. A program that is
killed, crashes or needs more than --patience seconds a token counts as 0. Prints a table in Markdown; --json keeps every
sample (scripts/plot_memory.py draws it).
"""
import argparse
import glob
import json
import math
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

import cgroup
import disk
import peers
import program

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
FIXED = 224 * MIB  # of a limit: what need not hold weights


def read_ours(out):
    r = json.loads(out)
    decode = r["timings"]["decode_s"]
    return {"tok_s": (r["completion_tokens"] - 1) / decode if decode else 0.0, "tokens": r["tokens"], "memory": r["memory"], "timings": r["timings"]}


def read_peer(out):
    r = json.loads(out)
    return {"tok_s": r["decode_tok_s"], "tokens": r["tokens"], "timings": r}


def programs(a):
    """name -> (command, reader of its output)."""
    found = {"llm-run": (program.greedy(a, a.tokens, "-T", str(a.threads), "-c", "512", *a.more), read_ours)}
    if a.gguf:
        found["llama.cpp"] = ([peers.python(a.venv), f"{HERE}/peer_llama.py", a.gguf, "--tokens", str(a.tokens), "--threads", str(a.threads)],
                              read_peer)
    return found


class Bench:
    def __init__(self, a):
        self.a, self.programs, self.samples = a, programs(a), []
        self.weights = program.bytes_per_token(program.info(a))
        shards = glob.glob(f"{glob.escape(a.model)}/*.safetensors")
        self.files = shards + ([a.gguf] if a.gguf else [])
        self.disk = disk.Disk(max(shards, key=os.path.getsize), 0.15)
        disk.make_cold(self.files, a.wait)
        self.rates = [self.disk.measure()]

    def run_once(self, name, limit, number):
        command, reader = self.programs[name]
        cold = disk.make_cold(self.files, self.a.wait)
        with cgroup.Group(limit) as group:
            run = cgroup.run_command(command, group, self.a.patience * (self.a.tokens + 1))
        sample = dict(run.facts(), program=name, limit=limit, round=number, resident_before=cold, tok_s=0.0)
        if run.status == 0:
            sample.update(reader(run.stdout))
        else:
            sample["message"] = (run.stderr or run.stdout).decode(errors="replace").strip()[-500:]
        before = self.rates[-1]
        self.rates.append(self.disk.measure())
        sample.update(disk_before=before["bytes_per_s"], disk_after=self.rates[-1]["bytes_per_s"])
        self.samples.append(sample)
        self.tell(sample)

    def tell(self, s):
        print(f"{s['limit'] // MIB} MiB, round {s['round']}, {s['program']}: {s['tok_s']:.3f} tok/s, status {s['status']}, {s['seconds']:.1f} s, "
              f"read {(s['read_bytes'] or 0) / MIB:.0f} MiB, disk {s['disk_before'] / MIB:.0f} and {s['disk_after'] / MIB:.0f} MiB/s", file=sys.stderr)

    def save(self):
        if not self.a.json:
            return
        facts = {"model": os.path.basename(os.path.normpath(self.a.model)), "weights": self.weights, "tokens": self.a.tokens,
                 "threads": self.a.threads, "peers": peers.read_lock()[0], "machine": machine(), "time": int(time.time()),
                 "summary": [summary(self.samples, limit, self.weights) for limit in limits_of(self.samples)],
                 "samples": self.samples, "disk": self.rates}
        with open(self.a.json, "w", encoding="ascii") as f:
            json.dump(facts, f, indent=1)

    def run(self):
        for limit in self.a.limits:
            for number in range(1, self.a.rounds + 1):
                for name in self.programs:
                    self.run_once(name, limit, number)
                self.save()


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in cgroup.read_text("/proc/cpuinfo").splitlines() if line.startswith("model name")), "?")
    memory = cgroup.field(cgroup.read_text("/proc/meminfo"), "MemTotal") or 0
    return {"cpu": cpu, "cores": os.cpu_count(), "memory": memory * 1024, "system": f"{platform.system()} {platform.release()}"}


def limits_of(samples):
    return list(dict.fromkeys(s["limit"] for s in samples))


def median(values):
    found = [v for v in values if v is not None]
    return statistics.median(found) if found else None


def ratio(ours, peer):
    """How many times as fast; infinite where the peer does not run, None where neither does."""
    if peer:
        return ours / peer
    return math.inf if ours else None


def share_of_bound(sample):
    """tokens per second over (disk rate / bytes read per token), or None where nothing is said to be streamed."""
    streamed = sample.get("memory", {}).get("weights_streamed", 0)
    return sample["tok_s"] * streamed / ((sample["disk_before"] + sample["disk_after"]) / 2) if streamed else None


def measured_bytes(sample):
    """What the process read from disk for each pass, by the kernel's account: all but what it read to keep, over all passes."""
    if "memory" not in sample or sample["read_bytes"] is None:
        return None
    return max(0, sample["read_bytes"] - sample["memory"]["weights_pinned"]) / len(sample["tokens"])


def deaths(runs):
    """How the runs that gave nothing ended: {"killed": 2, ...}."""
    found = {}
    for r in runs:
        if r["status"] != 0:
            how = "timeout" if r["timed_out"] else "killed" if r["killed"] else f"status {r['status']}"
            found[how] = found.get(how, 0) + 1
    return found


def summary(samples, limit, weights):
    """The medians of one limit's rounds; an infinite ratio is null with "peer_runs": false."""
    by = {name: [s for s in samples if s["limit"] == limit and s["program"] == name] for name in ("llm-run", "llama.cpp")}
    ours, peer = by["llm-run"], by["llama.cpp"]
    found = median([ratio(o["tok_s"], p["tok_s"]) for o, p in zip(ours, peer)])
    kv = max((o["memory"]["kv"] for o in ours if "memory" in o), default=0)
    return {
        "limit": limit, "rounds": len(ours), "tok_s": {name: median(r["tok_s"] for r in runs) for name, runs in by.items()},
        "range": {name: [min(r["tok_s"] for r in runs), max(r["tok_s"] for r in runs)] for name, runs in by.items() if runs},
        "ratio": None if found is None or math.isinf(found) else found, "peer_runs": any(p["tok_s"] for p in peer) if peer else None,
        "share_of_bound": median(map(share_of_bound, ours)),
        "disk": median((s["disk_before"] + s["disk_after"]) / 2 for s in ours + peer),
        "bytes_per_token": median(o["memory"]["weights_streamed"] for o in ours if "memory" in o),
        "bytes_measured": median(map(measured_bytes, ours)), "bytes_allowed": max(0, weights - max(0, limit - FIXED - kv)),
        "peak_anon": {name: max((r["peak_anon"] or 0 for r in runs), default=None) for name, runs in by.items()},
        "ended": {name: deaths(runs) for name, runs in by.items()},
    }


def show(value, form, scale=1.0):
    return "-" if value is None else format(value / scale, form)


def row(s):
    peer_dead = s["ratio"] is None and s["peer_runs"] is False and s["tok_s"]["llm-run"]
    ended = "; ".join(f"{name} {how} {n} of {s['rounds']}" for name, found in s["ended"].items() for how, n in found.items())
    cells = [f"{s['limit'] / MIB:,.0f} MiB", show(s["tok_s"]["llm-run"], ".2f"), show(s["tok_s"]["llama.cpp"], ".2f"),
             "peer does not run" if peer_dead else show(s["ratio"], ".2f"), show(s["share_of_bound"], ".0%"), show(s["disk"], ",.0f", MIB),
             f"{show(s['bytes_per_token'], ',.0f', MIB)} / {show(s['bytes_measured'], ',.0f', MIB)} / {show(s['bytes_allowed'], ',.0f', MIB)}",
             f"{show(s['peak_anon']['llm-run'], ',.0f', MIB)} / {show(s['peak_anon']['llama.cpp'], ',.0f', MIB)}", ended or "none"]
    return "| " + " | ".join(cells) + " |"


def print_table(summaries):
    print("| limit | llm-run, tok/s | llama.cpp, tok/s | median ratio | of the bound | disk, MiB/s | read per token, MiB: said / measured / allowed "
          "| peak anonymous, MiB: llm-run / llama.cpp | killed or failed |")
    print("|" + "---|" * 9)
    for s in summaries:
        print(row(s))


def sizes(text):
    return [cgroup.parse_size(part) for part in text.split(",")]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--gguf", metavar="FILE", help="the same weights for llama.cpp")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--limits", type=sizes, default=sizes("2000M,1250M,400M"))
    p.add_argument("--tokens", type=int, default=8)
    p.add_argument("--json", metavar="OUT")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--patience", type=float, default=20, help="seconds a token may take")
    p.add_argument("--wait", type=float, default=120, help="seconds to wait for other processes to let go of the files")
    p.add_argument("--venv", default="build/peers/venv")
    a = program.options(p)
    if a.tokens < 2:
        p.error("--tokens: at least 2, since the first one comes of the prompt")
    return a


def main():
    a = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, cgroup.end_cleanly)
    try:
        with cgroup.Group(min(a.limits)):
            pass  # before minutes are spent on the rest
        bench = Bench(a)
        bench.run()
    except (cgroup.Unwritable, disk.StillCached) as e:
        sys.exit(f"bench_memory.py: {e}")
    print_table([summary(bench.samples, limit, bench.weights) for limit in limits_of(bench.samples)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
