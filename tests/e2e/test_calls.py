"""What a token costs in system calls: none but those that waiting, looking at memory and writing need."""
import shutil
import subprocess

import pytest

from conftest import SANITIZED, command


def calls(tokens, demo, folder):
    out = folder / f"{tokens}.calls"
    done = subprocess.run(["strace", "-f", "-o", out, *command("--ids", "-n", str(tokens), "--greedy", "--ignore-eos", "-T", "1", "--json", "--no-cache",
                           "--load", "map", demo, "1,2,3,4")], capture_output=True, timeout=120)
    if b"ptrace" in done.stderr or not out.exists():
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return sum(1 for line in out.open() if "(" in line)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer has calls of its own")
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is absent")
def test_two_system_calls_for_a_token_at_most(demo, tmp_path):
    """Of a model that is mapped: one asks whether the pass waited for the disk, and some tokens whether pages are still there."""
    few, many = calls("16", demo, tmp_path), calls("400", demo, tmp_path)
    assert (many - few) / 384 <= 2, (few, many)
