#!/usr/bin/env python3
"""Runs what `make tests` built below a build folder, and pytest, and counts truly.

usage: run_tests.py --build build/release [--only WORDS] [--kinds unit,kernel,golden,fuzz,examples,e2e]
                    [--jobs N] [--timeout SECONDS] [--totals FILE]

Every program gets a process of its own, a fresh temporary folder (LR_TEST_TMP) and a timeout. A cmocka program that
dies leaves some of its announced tests unreported: these count as failed. What was built for another processor runs under
its emulator, where the build folder has a `root` with that processor's libraries (scripts/aarch64.sh). The last line is
`N passed, M failed, K skipped`; exit status 1 if anything failed or nothing ran. With --totals the three numbers are
added to those in FILE, so that a caller can sum several runs. Ctrl-C, SIGTERM and SIGHUP end what runs, and leave no folder.
"""
import argparse
import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

KINDS = ["unit", "kernel", "golden", "fuzz", "examples", "e2e"]


running = set()  # process groups, to be ended with this program


class Result:
    def __init__(self, name):
        self.name, self.passed, self.failed, self.skipped = name, 0, 0, []
        self.output, self.seconds = "", 0.0


def environment(build, tmp):
    env = dict(os.environ, LR_TEST_TMP=tmp, LR_TEST_BUILD=build, LLM_RUN=os.path.abspath(f"{build}/llm-run"))
    env.setdefault("OPENBLAS_NUM_THREADS", "2")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1:allocator_may_return_null=1")
    if build.rstrip("/").endswith("tsan"):
        env.setdefault("LR_TEST_MATMUL", "native")  # OpenBLAS is not instrumented
    env["CMOCKA_MESSAGE_OUTPUT"] = "stdout"
    return env


def emulator(build):
    """What C programs are run by, with LR_TEST_EMULATED set; nothing where they are this processor's own."""
    root = os.path.join(build, "root")
    return ["qemu-aarch64", "-E", "LR_TEST_EMULATED=1", "-L", root] if os.path.isdir(root) else []


def run_process(command, env, timeout):
    """(exit status or None at the timeout, output, seconds); the whole process group is ended at the timeout."""
    begin = time.monotonic()
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as p:
        running.add(p.pid)
        try:
            out, _ = p.communicate(timeout=timeout)
            status = p.returncode
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, _ = p.communicate()
            status = None
        finally:
            running.discard(p.pid)
    return status, out.decode(errors="replace"), time.monotonic() - begin


def read_cmocka(result, status, timeout):
    """Counts from cmocka's own lines (newer ones begin with the group's name); what was announced and not reported has failed."""
    announced = sum(int(n) for n in re.findall(r"^\[==========\] (?:.*: )?Running (\d+) test", result.output, re.M))
    result.passed = len(re.findall(r"^\[       OK \]", result.output, re.M))
    failed = set(re.findall(r"^\[  FAILED  \] (?!.*\d+ test\(s\))(.+)$", result.output, re.M))
    result.failed = len(failed)
    skipped, reason = {}, ""
    for line in result.output.splitlines():
        skip = re.match(r"\[  SKIPPED \] (?!.*\d+ test\(s\))(.+)$", line)
        if skip:
            skipped.setdefault(skip.group(1), reason)  # named once more in cmocka's own summary
        reason = "" if line.startswith("[") else line.strip() or reason
    result.skipped = list(skipped.items())
    silent = announced - result.passed - result.failed - len(result.skipped)
    result.failed += max(silent, 0)
    if status is None:
        result.output += f"\n(stopped after {timeout} s)\n"
    if result.failed == 0 and (status != 0 or announced == 0):
        result.failed = 1
        result.output += f"\n(exit status {status}, {announced} tests announced)\n"


def run_program(path, kind, build, timeout):
    result = Result(os.path.relpath(path, build))
    with tempfile.TemporaryDirectory(prefix="llm-run-test-") as tmp:
        env = environment(build, tmp)
        command = [*emulator(build), path]
        if kind == "fuzz":
            command.append("tests/fuzz/corpus/" + os.path.basename(path).removeprefix("replay_"))
        elif kind == "examples":
            command += ["models/demo", "Once upon a time"]
            if not os.path.isdir("models/demo"):
                result.skipped.append((result.name, "models/demo is absent"))
                return result
        status, result.output, result.seconds = run_process(command, env, timeout)
    if kind in ("fuzz", "examples"):
        if status == 0:
            result.passed = 1
        else:
            result.failed = 1
            result.output += f"\n(exit status {status})\n"
    else:
        read_cmocka(result, status, timeout)
    return result


def pytest_python():
    """A python3 that has pytest: this one, else the system's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if python and subprocess.run([python, "-c", "import pytest, numpy"], capture_output=True).returncode == 0:
            return python
    return None


def run_pytest(build, only, timeout):
    result = Result("tests/e2e")
    python = pytest_python()
    if python is None:
        result.failed, result.output = 1, "no python3 with pytest and numpy (scripts/test.sh installs them)"
        return result
    with tempfile.TemporaryDirectory(prefix="llm-run-test-") as tmp:
        report = os.path.join(tmp, "report.xml")
        command = [python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", f"--junitxml={report}", f"--basetemp={tmp}/pytest", "tests/e2e"]
        if only:
            command += ["-k", " or ".join(only.split())]
        env = dict(environment(build, tmp), PYTHONDONTWRITEBYTECODE="1")
        status, result.output, result.seconds = run_process(command, env, timeout)
        if os.path.exists(report):
            suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
            n = {k: int(suite.get(k)) for k in ("tests", "failures", "errors", "skipped")}
            result.failed = n["failures"] + n["errors"]
            result.passed = n["tests"] - result.failed - n["skipped"]
            for case in suite.iter("testcase"):
                for s in case.findall("skipped"):
                    result.skipped.append((case.get("name"), s.get("message")))
        if status not in (0, 5 if only else 0) and result.failed == 0:
            result.failed = 1
            result.output += f"\n(exit status {status})\n"
    return result


def programs(build, kinds, only):
    for kind in [k for k in KINDS if k in kinds and k != "e2e"]:
        folder = os.path.join(build, "examples" if kind == "examples" else f"tests/{kind}")
        source = "examples/{}.c" if kind == "examples" else "tests/" + kind + "/{}.c"
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            wanted = not only or any(word in name for word in only.split())
            path = os.path.join(folder, name)
            there = source.format(name.replace("replay_", "fuzz_") if kind == "fuzz" else name)
            if os.access(path, os.X_OK) and os.path.isfile(path) and os.path.exists(there) and wanted:
                yield path, kind


def show(result):
    mark = "FAIL" if result.failed else "ok  "
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    failed = f", {result.failed} FAILED" if result.failed else ""
    print(f"{mark} {result.name}: {result.passed} passed{failed}{skipped} ({result.seconds:.1f} s)", flush=True)
    if result.failed:
        dull = re.compile(r"\[ RUN      \]|\[       OK \]|\[  PASSED  \]")
        lines = [line for line in result.output.splitlines() if not dull.match(line)]
        print("\n".join("     | " + line for line in lines[-200:]), flush=True)
    for name, reason in result.skipped:
        print(f"     skipped {name}: {reason}", flush=True)


def add_totals(path, totals):
    if os.path.exists(path):
        with open(path) as f:
            totals = [a + int(b) for a, b in zip(totals, f.read().split())]
    with open(path, "w") as f:
        f.write(" ".join(map(str, totals)) + "\n")


def run_all(pool, a, kinds):
    """Each result as soon as it is there; pytest, which measures too, has the machine to itself."""
    jobs = [pool.submit(run_program, path, kind, a.build, a.timeout) for path, kind in programs(a.build, kinds, a.only)]
    yield from (job.result() for job in jobs)
    if "e2e" in kinds and os.path.isdir("tests/e2e"):
        yield pool.submit(run_pytest, a.build, a.only, 3 * a.timeout).result()


def end_all(pool):
    """What runs ends, so that the threads that wait for it remove its folders; the rest is not begun."""
    pool.shutdown(wait=False, cancel_futures=True)
    for group in list(running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", required=True)
    p.add_argument("--only", help="words, separated by blanks: what has one of them in its name")
    p.add_argument("--kinds", default=",".join(KINDS))
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--timeout", type=int, default=int(os.environ.get("LR_TEST_TIMEOUT", "300")))
    p.add_argument("--totals")
    a = p.parse_args()
    kinds = a.kinds.split(",")
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    results = []
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        try:
            for result in run_all(pool, a, kinds):
                results.append(result)
                show(result)
        except BaseException:
            end_all(pool)
            raise
    totals = [sum(r.passed for r in results), sum(r.failed for r in results), sum(len(r.skipped) for r in results)]
    if a.totals:
        add_totals(a.totals, totals)
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] or not results else 0


if __name__ == "__main__":
    sys.exit(main())
