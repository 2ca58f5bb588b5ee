"""What the measuring scripts share: options after -- reach llm-run, and its failures are theirs."""
import os
import subprocess
import sys

from conftest import BINARY, ROOT, needs_true_memory


def sweep(model, *more):
    return subprocess.run([sys.executable, ROOT / "scripts/sweep_memory.py", model, "--mem-limit-steps", "64:65", "--build", os.path.dirname(BINARY), *more],
                          capture_output=True, text=True, timeout=120)


@needs_true_memory
def test_options_after_two_dashes_are_the_programs(small):
    done = sweep(small, "--", "--load", "stream", "-T", "1")
    assert done.returncode == 0 and done.stdout.endswith("2 limits: 2 run, 0 refused, 0 wrong\n"), done
    done = sweep(small, "--", "--load", "somehow")
    assert done.returncode == 1 and "'somehow'" in done.stderr, done


def test_a_model_that_is_not_there_is_told_in_one_line(tmp_path):
    done = sweep(tmp_path / "nowhere")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1 and "no such folder" in done.stderr, done
