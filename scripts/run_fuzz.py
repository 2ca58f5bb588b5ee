#!/usr/bin/env python3
"""Runs the libFuzzer targets that `make VARIANT=fuzz fuzzers` built.

usage: run_fuzz.py --build build/fuzz --seconds N [--only WORD] [--jobs N]

Each target starts from tests/fuzz/corpus/WHAT and grows its own corpus in BUILD/corpus/WHAT, which later runs go on
from; what breaks a target is left in BUILD/findings/ (to be minimised and kept in tests/fuzz/corpus/WHAT). The last line is
`N passed, M failed, 0 skipped`, one count for each target.
"""
import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys


def run(target, build, seconds):
    what = os.path.basename(target).removeprefix("fuzz_")
    grown, findings, seeds = f"{build}/corpus/{what}", f"{build}/findings/{what}-", f"tests/fuzz/corpus/{what}"
    os.makedirs(grown, exist_ok=True)
    os.makedirs(os.path.dirname(findings), exist_ok=True)
    command = [target, f"-max_total_time={seconds}", f"-artifact_prefix={findings}", "-timeout=20", "-rss_limit_mb=3000",
               "-print_final_stats=1", grown] + ([seeds] if os.path.isdir(seeds) else [])
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1:detect_leaks=1")
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace")
    return what, done.returncode, done.stderr


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", required=True)
    p.add_argument("--seconds", type=int, required=True)
    p.add_argument("--only", default="")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--totals")
    a = p.parse_args()
    targets = [t for t in sorted(glob.glob(f"{a.build}/tests/fuzz/fuzz_*")) if a.only in t and os.access(t, os.X_OK)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        for what, status, log in pool.map(lambda t: run(t, a.build, a.seconds), targets):
            stats = [line.split()[-1] for line in log.splitlines() if "number_of_executed_units" in line]
            print(f"{'FAIL' if status else 'ok  '} fuzz_{what}: {stats[0] if stats else '?'} inputs", flush=True)
            if status:
                failed += 1
                print("\n".join("     | " + line for line in log.splitlines()[-60:]))
    if a.totals:
        from run_tests import add_totals
        add_totals(a.totals, [len(targets) - failed, failed, 0])
    print(f"{len(targets) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not targets else 0


if __name__ == "__main__":
    sys.exit(main())
