"""What a token costs in system calls: none but those that waiting for other threads needs, and looks at memory, ten a second."""
import json
import shutil
import subprocess

import pytest

from conftest import SANITIZED, command

LOOK_CALLS, LOOKS_PER_SECOND = 40, 10
WAITING = "futex,clock_gettime,sched_getaffinity,sched_setaffinity"  # the last three where a processor is another program's too


def calls(tokens, threads, demo, folder):
    """System calls but for those of waiting, and seconds of decoding."""
    out = folder / f"{tokens}.calls"
    done = subprocess.run(["strace", "-f", "-e", "trace=!" + WAITING, "-o", out, *command(
        "--ids", "-n", str(tokens), "--greedy", "--ignore-eos", "-T", str(threads), "--json", "--no-cache", demo, "1,2,3,4")], capture_output=True, timeout=120)
    if b"ptrace" in done.stderr or not out.exists():
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return sum(1 for line in out.open() if "(" in line and "<unfinished" not in line), json.loads(done.stdout)["timings"]["decode_s"]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has calls of its own")
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is absent")
@pytest.mark.parametrize("threads", [1, 2])
def test_no_system_call_for_a_token(demo, tmp_path, threads):
    """Less than one for ten tokens, of a small model that is mapped."""
    few, _ = calls(16, threads, demo, tmp_path)
    many, seconds = calls(500, threads, demo, tmp_path)
    assert many - few < 0.1 * 484 + LOOK_CALLS * LOOKS_PER_SECOND * seconds, (few, many, seconds)
