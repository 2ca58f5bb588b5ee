#!/usr/bin/env python3
"""Runs a command in a memory control group of its own and tells what it used; v1 and v2, root needed.

usage: cgroup.py --limit 1250M [--sample] [--timeout SECONDS] [--json FILE] -- COMMAND [ARGUMENT...]

The group is made below our own one, so that its limits hold too, or, where that cannot have one, at the mount's root; it
is removed again whatever happens. Swap does not count as memory: the limit holds for both together. With --sample the
command's anonymous memory (RssAnon) is read every 10 ms, in the first half second every ms. Exit status: the command's
(128 + N at signal N), 124 at the timeout, 125 where groups cannot be written. A page that another group was charged for is
free memory for this one: measure on files that were dropped before (scripts/disk.py).
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

PREFIX = "llm-run-measure"
INTERVAL, FIRST_INTERVAL, FIRST = 0.01, 0.001, 0.5
# The shell moves itself, so that nothing of the command runs outside.
ENTER = 'echo $$ > "$0" || exit 125; exec "$@"'


class Unwritable(Exception):
    """No memory group can be made here; the text says why."""


class Run:
    """What became of a command: status (negative: the signal; None: not started), output, and what it used."""

    def __init__(self):
        self.status, self.stdout, self.stderr, self.seconds, self.timed_out = None, b"", b"", 0.0, False
        self.peak_anon, self.samples, self.read_bytes = None, 0, None
        self.peak_usage, self.oom_kills = None, 0

    def killed(self):
        return self.oom_kills > 0 or (self.status == -signal.SIGKILL and not self.timed_out)

    def facts(self):
        """All but the output, for JSON."""
        return dict({k: v for k, v in vars(self).items() if k not in ("stdout", "stderr")}, killed=self.killed())


def parse_size(text):
    m = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.I)
    if not m:
        raise argparse.ArgumentTypeError(f"'{text}' is no size: bytes, or 400M, 1.5G")
    return int(float(m[1]) * 1024 ** " KMGT".index(m[2].upper() or " "))


def read_text(path):
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def write_text(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def field(text, name):
    """The number of the line "name N", or None."""
    m = re.search(rf"^{name}:?\s+(\d+)", text, re.M)
    return int(m[1]) if m else None


def mounts():
    """(version, mount point, its root) of each mount that has the memory controller, v1 first."""
    found = []
    for line in read_text("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        root, point = (re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), s) for s in left.split()[3:5])
        kind, _, options = (right.split() + ["", "", ""])[:3]
        if kind == "cgroup" and "memory" in options.split(","):
            found.append((1, point, root))
        elif kind == "cgroup2" and "memory" in read_text(f"{point}/cgroup.controllers").split():
            found.append((2, point, root))
    return sorted(found)


def own_path(version):
    """Our own group's path in the hierarchy."""
    for line in read_text("/proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if (version == 1 and "memory" in controllers.split(",")) or (version == 2 and number == "0"):
            return path
    return "/"


def parents():
    """(version, folder) of the groups that ours may be made in, the best first."""
    for version, point, root in mounts():
        path = own_path(version)
        below = os.path.relpath(path, root)
        own = point if below == "." else os.path.join(point, below)
        if not below.startswith("..") and os.path.isdir(own):
            yield version, own
        if own != point:
            yield version, point


def is_alive(pid):
    return os.path.exists(f"/proc/{pid}")


def remove_left_over(parent):
    """Groups of measurements that were ended by force."""
    for name in os.listdir(parent):
        m = re.fullmatch(rf"{PREFIX}-(\d+)-\d+", name)
        if m and not is_alive(m[1]):
            try:
                os.rmdir(os.path.join(parent, name))
            except OSError:
                pass  # still in use


class Group:
    """A memory group with a limit in bytes; to be used in a `with` statement."""

    count = 0

    def __init__(self, limit):
        self.limit, self.folder, self.version, self.enabled = limit, None, None, None
        refusals = []
        for version, parent in parents():
            try:
                self.make(version, parent)
                return
            except OSError as e:
                self.remove()
                refusals.append(f"{parent}: {e.strerror}")
        raise Unwritable("memory control groups cannot be written here: " + ("; ".join(refusals) or "no memory controller is mounted"))

    def make(self, version, parent):
        remove_left_over(parent)
        control = f"{parent}/cgroup.subtree_control"
        if version == 2 and "memory" not in read_text(control).split():
            write_text(control, "+memory")
            self.enabled = control
        Group.count += 1
        folder = f"{parent}/{PREFIX}-{os.getpid()}-{Group.count}"
        os.mkdir(folder)
        self.folder, self.version = folder, version
        self.set_limit(self.limit)
        swap, most = ("memory.swap.max", 0) if version == 2 else ("memory.memsw.limit_in_bytes", self.limit)
        if os.path.exists(f"{folder}/{swap}"):
            write_text(f"{folder}/{swap}", str(most))

    def set_limit(self, limit):
        """Makes it smaller while it is used, page cache that is too much is dropped at once."""
        write_text(f"{self.folder}/{'memory.max' if self.version == 2 else 'memory.limit_in_bytes'}", str(limit))

    def procs(self):
        return f"{self.folder}/cgroup.procs"

    def read_use(self, run):
        peak = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        events = "memory.events" if self.version == 2 else "memory.oom_control"
        run.peak_usage = int(read_text(f"{self.folder}/{peak}") or 0) or None
        run.oom_kills = field(read_text(f"{self.folder}/{events}"), "oom_kill") or 0

    def end_rest(self):
        """Ends what the command left running: the group holds nothing else."""
        for pid in read_text(self.procs()).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass

    def remove(self):
        for _ in range(500):
            if not self.folder:
                break
            self.end_rest()
            try:
                os.rmdir(self.folder)
                self.folder = None
            except FileNotFoundError:
                self.folder = None
            except OSError:
                time.sleep(INTERVAL)
        else:
            print(f"cgroup.py: {self.folder} is still in use and could not be removed", file=sys.stderr)
        if self.enabled:
            try:
                write_text(self.enabled, "-memory")
            except OSError:
                pass  # another one uses it by now
            self.enabled = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def watch(pid, done, run):
    """Samples until `done` is set: the greatest RssAnon, and the bytes read from disk so far. Short runs are watched closely."""
    begin = time.monotonic()
    while not done.wait(FIRST_INTERVAL if time.monotonic() - begin < FIRST else INTERVAL):
        anon = field(read_text(f"/proc/{pid}/status"), "RssAnon")
        if anon is None:
            continue
        run.samples += 1
        run.peak_anon = max(run.peak_anon or 0, anon * 1024)
        read = field(read_text(f"/proc/{pid}/io"), "read_bytes")
        run.read_bytes = max(run.read_bytes or 0, read or 0)


def run_command(command, group=None, timeout=None, sample=True, capture=True, env=None):
    """Runs the command, inside the group if there is one, and waits for it. It is killed at the timeout."""
    run, pipe, done = Run(), subprocess.PIPE if capture else None, threading.Event()
    inside = ["/bin/sh", "-c", ENTER, group.procs(), *command] if group else command
    begin = time.monotonic()
    process = subprocess.Popen(inside, stdin=subprocess.DEVNULL if capture else None, stdout=pipe, stderr=pipe, env=env)
    watcher = threading.Thread(target=watch, args=(process.pid, done, run), daemon=True)
    if sample:
        watcher.start()
    try:
        run.stdout, run.stderr = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        run.timed_out = True
    finally:
        if process.poll() is None:
            process.kill()
            rest = process.communicate()
            run.stdout, run.stderr = rest
        done.set()
        if sample:
            watcher.join()
    run.status, run.seconds = process.returncode, time.monotonic() - begin
    if group:
        group.read_use(run)
    return run


def end_cleanly(*_):
    """SIGTERM and SIGHUP unwind the stack, so that groups are removed."""
    sys.exit(143)


def mib(size):
    return "?" if size is None else f"{size / 2**20:.1f} MiB"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--limit", type=parse_size, required=True, metavar="SIZE")
    p.add_argument("--sample", action="store_true", help="watch the anonymous memory")
    p.add_argument("--timeout", type=float, metavar="SECONDS")
    p.add_argument("--json", metavar="FILE", help="the figures, as one object")
    p.add_argument("command", nargs=argparse.REMAINDER)
    a = p.parse_args()
    command = a.command[1:] if a.command[:1] == ["--"] else a.command
    if not command:
        p.error("no command")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_cleanly)
    try:
        with Group(a.limit) as group:
            run = run_command(command, group, a.timeout, a.sample, capture=False)
    except Unwritable as e:
        print(f"cgroup.py: {e}", file=sys.stderr)
        return 125
    print(f"cgroup.py: limit {mib(a.limit)}, peak usage {mib(run.peak_usage)}"
          + (f", anonymous at most {mib(run.peak_anon)} ({run.samples} samples)" if a.sample else "")
          + f", {run.oom_kills} OOM kills, status {run.status}{' (timeout)' if run.timed_out else ''}, {run.seconds:.2f} s", file=sys.stderr)
    if a.json:
        with open(a.json, "w", encoding="ascii") as f:
            json.dump(dict(run.facts(), limit=a.limit, command=command), f, indent=1)
    if run.timed_out:
        return 124
    return run.status if run.status >= 0 else 128 - run.status


if __name__ == "__main__":
    sys.exit(main())
