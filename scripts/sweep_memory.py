#!/usr/bin/env python3
"""Runs a model under every memory limit from far too little to plenty: same ids, or a clear refusal, and never more than allowed.

usage: sweep_memory.py MODEL_DIR [--percent 5:120:5] [--runs-from 40] [--predictions] [--repeat 1] [--build build/release]
                       [--timeout 300] [--json OUT] [-- OPTIONS OF llm-run]
       sweep_memory.py MODEL_DIR --mem-limit-steps [FIRST:LAST]     (MiB, steps of one; no control groups, no root)

The limits are shares of the weights, each set as a real memory control group (scripts/cgroup.py), the files dropped and shown
to be under 1 % resident before each run. With --mem-limit-steps the option --mem-limit is tested instead: a small model from 1 MiB
up to 1.2 times its weights and 64 MiB. Each run must give the ids of the run without a limit, or exit status 4 with `Cannot
allocate`; nothing may be killed; the greatest anonymous memory (sampled every 10 ms, at first every ms) stays within the budget; what runs under one
limit runs under every greater one; and from --runs-from percent on (or under the last limit) it must run. Exit status 1 if
anything is wrong, 77 where control groups cannot be written.

With --predictions each run fills its context, and what `--plan` says just before it, under the same limit and from rates measured anew,
is compared with what comes of it. The peak must be predicted within 3 % or 16 MB; the speeds are printed as measured over predicted
(load, prefill, decode), with the share that is within 15 %, and are no error: a machine may change its rates between the two. With
--repeat each limit is run so many times, every run is checked, and the medians of the runs' ratios are printed.
"""
import argparse
import glob
import json
import signal
import statistics
import sys
import tempfile

import cgroup
import disk
import program

MIB = 1 << 20
REFUSED = 4
CONTEXT, FILLED_BY = 256, 24
SPEEDS = ("load_s", "prefill_tok_s", "decode_tok_s")


def command(a, more=()):
    prompt, n = ("1,2,3", 8)
    if a.predictions:  # to the last position
        prompt, n = ",".join(str(i) for i in range(1, CONTEXT - FILLED_BY + 1)), FILLED_BY
    return program.greedy(a, n, "-c", str(CONTEXT), *a.more, *more, prompt=prompt)


def reference(a):
    run = cgroup.run_command(command(a), timeout=a.timeout)
    if run.status != 0:
        sys.exit(f"sweep_memory.py: without a limit: status {run.status}: {run.stderr.decode(errors='replace').strip()}")
    return json.loads(run.stdout)["tokens"]


def limits_by_share(a, weights):
    first, last, step = a.percent
    return [(f"{share} %", weights * share // 100, share >= a.runs_from) for share in range(first, last + 1, step)]


def limits_by_step(a, weights):
    first, last = a.mem_limit_steps or (1, weights * 12 // 10 // MIB + 64)
    return [(f"{n} MiB", n * MIB, n == last) for n in range(first, last + 1)]


def run_limited(a, limit, files):
    if a.mem_limit_steps is not None:
        return cgroup.run_command(command(a, ["--mem-limit", str(limit)]), timeout=a.timeout)
    plan = planned(a, limit) if a.predictions else None
    disk.make_cold(files)
    disk.take_back_memory(limit + (256 << 20))
    with cgroup.Group(limit) as group:
        run = cgroup.run_command(command(a), group, a.timeout)
        run.plan, run.timings = plan, answer(run).get("timings")
        if plan and plan["mode"] == "map":  # the first run reads the files in
            run.timings = answer(cgroup.run_command(command(a), group, a.timeout)).get("timings")
    return run


def planned(a, limit):
    """What --plan says under the limit, or None where it refuses; the rates are not those of an earlier run."""
    with cgroup.Group(limit) as group, tempfile.TemporaryDirectory() as cache:
        run = cgroup.run_command([f"{a.build}/llm-run", "--plan", "--json", "-c", str(CONTEXT), "--cache-dir", cache, *a.more, a.model],
                                 group, a.timeout)
    return json.loads(run.stdout) if run.status == 0 else None


def prediction(run):
    """(peak measured - predicted in bytes, {speed: measured / predicted}); None where either is missing."""
    plan = getattr(run, "plan", None)
    if not plan or run.status != 0 or run.peak_anon is None:
        return None
    ratios = {key: run.timings[key] / plan["predicted"][key] for key in SPEEDS if run.timings and plan["predicted"].get(key)}
    if plan["mode"] == "map":
        ratios.pop("load_s", None)  # comes in during the first pass, so that speeds are those of a second run
    return run.peak_anon - plan["need"]["total"], ratios


def median_prediction(runs):
    """As prediction(), of several runs: the peak furthest off, the median of each speed's ratios."""
    found = [p for p in map(prediction, runs) if p]
    if not found:
        return None
    speeds = {key: statistics.median(f[1][key] for f in found) for key in SPEEDS if all(key in f[1] for f in found)}
    return max((f[0] for f in found), key=abs), speeds


def answer(run):
    try:
        return json.loads(run.stdout)
    except ValueError:
        return {}


def check(run, limit, wanted, must_run):
    """Yields what is wrong with one run."""
    said = answer(run)
    error = said.get("error", {})
    if run.killed() or run.oom_kills:
        yield f"killed ({run.oom_kills} OOM kills)"
    elif run.timed_out:
        yield "no answer in time"
    elif run.status == 0 and said.get("tokens") != wanted:
        yield f"ids {said.get('tokens')}"
    elif run.status == REFUSED and not error.get("message", "").startswith("Cannot allocate"):
        yield f"refused with other words: {error.get('message')}"
    elif run.status not in (0, REFUSED):
        yield f"status {run.status}: {(run.stderr or b'').decode(errors='replace').strip()[-200:]}"
    if must_run and run.status == REFUSED:
        yield "must run"
    compared = prediction(run)
    if compared and abs(compared[0]) > max(16e6, 0.03 * run.plan["need"]["total"]):
        yield f"peak {compared[0] / MIB:+.1f} MiB from the plan's"
    budget = min(limit, said.get("memory", {}).get("budget") or limit)
    if (run.peak_anon or 0) > budget:
        yield f"anonymous {run.peak_anon / MIB:.1f} MiB over the budget of {budget / MIB:.1f}"


def cells(name, limit, runs, wrong):
    run = runs[0]
    memory = answer(run).get("memory", {})
    found = [f"{memory[key] / MIB:,.0f}" if key in memory else "-" for key in ("budget", "weights_pinned", "weights_streamed")]
    result = "wrong: " + "; ".join(wrong) if wrong else "same ids" if run.status == 0 else "refused"
    compared = median_prediction(runs)
    if compared:
        result += f"; peak {compared[0] / MIB:+.1f} MiB, " + ", ".join(f"{key.rsplit('_', 1)[0]} {x:.2f}" for key, x in compared[1].items())
    return [name, f"{limit / MIB:,.0f}", found[0], f"{(run.peak_anon or 0) / MIB:,.1f}", found[1], found[2], f"{run.seconds:.1f}", result]


def sweep(a):
    """Runs and prints all rows: their facts."""
    weights, wanted, files = program.info(a)["weight_bytes"], reference(a), glob.glob(f"{glob.escape(a.model)}/*.safetensors")
    limits = limits_by_share(a, weights) if a.mem_limit_steps is None else limits_by_step(a, weights)
    rows, has_run = [], False
    print("| limit | MiB | budget | peak anonymous | pinned | streamed | s | result |\n" + "|---" * 8 + "|")
    for name, limit, must_run in limits:
        runs = [run_limited(a, limit, files) for _ in range(a.repeat)]
        run, wrong = runs[0], [problem for one in runs for problem in check(one, limit, wanted, must_run)]
        if has_run and run.status == REFUSED:
            wrong.append("refused, but a smaller limit ran")
        has_run = has_run or run.status == 0
        print("| " + " | ".join(cells(name, limit, runs, wrong)) + " |", flush=True)
        rows.append(dict(run.facts(), limit=limit, wrong=wrong, answer=answer(run), compared=median_prediction(runs),
                         ratios=[p[1] for p in map(prediction, runs) if p]))
    return rows


def print_predictions(rows):
    for key in SPEEDS:
        ratios = [r["compared"][1][key] for r in rows if r["compared"] and key in r["compared"][1]]
        if ratios:
            near = sum(1 / 1.15 <= x <= 1.15 for x in ratios)
            print(f"{key}: measured over predicted {min(ratios):.2f} to {max(ratios):.2f}, median {statistics.median(ratios):.2f}, "
                  f"{near} of {len(ratios)} within 15 %")


def numbers(count):
    def parse(text):
        found = tuple(int(part) for part in text.split(":"))
        if len(found) != count or min(found) < 1:
            raise argparse.ArgumentTypeError(f"'{text}': {count} numbers with colons between are wanted")
        return found
    return parse


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--percent", type=numbers(3), default=(5, 120, 5), metavar="FIRST:LAST:STEP")
    p.add_argument("--runs-from", type=int, default=40, metavar="PERCENT", help="from here on a refusal is wrong")
    p.add_argument("--mem-limit-steps", type=numbers(2), nargs="?", const=(), metavar="FIRST:LAST")
    p.add_argument("--predictions", action="store_true", help="fill the context; compare with --plan")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each limit")
    p.add_argument("--timeout", type=float, default=300, help="seconds for one run")
    p.add_argument("--json", metavar="OUT")
    return program.options(p)


def main():
    a = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, cgroup.end_cleanly)
    try:
        if a.mem_limit_steps is None:
            with cgroup.Group(MIB):
                pass  # first of all: can groups be written?
        rows = sweep(a)
    except cgroup.Unwritable as e:
        print(f"sweep_memory.py: {e}", file=sys.stderr)
        return 77
    except disk.StillCached as e:
        sys.exit(f"sweep_memory.py: {e}")
    if a.json:
        with open(a.json, "w", encoding="ascii") as f:
            json.dump(rows, f, indent=1)
    print_predictions(rows)
    bad = sum(bool(r["wrong"]) for r in rows)
    print(f"{len(rows)} limits: {sum(r['status'] == 0 for r in rows)} run, {sum(r['status'] == REFUSED for r in rows)} refused, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
