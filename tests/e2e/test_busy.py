"""A thread that is held up holds up nobody: what a busy loop on one core costs. A matter of speed: scripts/test.sh --full."""
import contextlib
import os
import statistics
import subprocess
import sys

import pytest

from conftest import SANITIZED, llm_run
from random_model import write_model

CORES = sorted(os.sched_getaffinity(0))
ROUNDS = 5
SHARE = 0.85  # of what is left; the rest is for the caches and the bus that the loop shares with us
LOOP = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Some 200 MB: beyond the caches."""
    return write_model(tmp_path_factory.mktemp("wide") / "model", hidden_size=1024, intermediate_size=4096, num_hidden_layers=6, vocab_size=8192)


@contextlib.contextmanager
def busy(core):
    """The core is another's for half of the time: two threads of the same weight want it."""
    loop = subprocess.Popen([sys.executable, "-c", LOOP, str(core)])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def speeds(model):
    """Tokens per second of a prompt and of decoding."""
    run = llm_run("--bench", "--json", "-q", "--no-cache", "-T", str(len(CORES)), "--prompt-sizes", "128", "--gen-sizes", "32", "--repeat", "3", model)
    assert run.status == 0, run
    return [statistics.median(test["samples"]) for test in run.json()["results"]]


@pytest.mark.skipif(os.environ.get("LR_TEST_SWEEP") != "full", reason="a matter of speed, which other work on the machine changes: scripts/test.sh --full")
@pytest.mark.skipif(SANITIZED, reason="a sanitizer changes what takes how long")
@pytest.mark.skipif(len(CORES) < 2, reason="one core alone")
def test_a_busy_core_costs_at_most_its_share(wide):
    """Of prefill and decoding, medians of rounds in turn; the second time at the latest."""
    least = (len(CORES) - 0.5) / len(CORES) * SHARE
    for _ in range(2):
        quiet, shared = [], []
        for i in range(ROUNDS):
            quiet.append(speeds(wide))
            with busy(CORES[i % len(CORES)]):
                shared.append(speeds(wide))
        kept = [statistics.median(b) / statistics.median(a) for a, b in zip(zip(*quiet), zip(*shared))]
        if min(kept) >= least:
            return
    raise AssertionError((kept, least, quiet, shared))
