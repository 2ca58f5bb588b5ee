"""scripts/run_tests.py counts truly: what was announced and never reported has failed."""
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

import run_tests

ALL = """[==========] Running 4 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two-with-dashes
no data here
[  SKIPPED ] two-with-dashes
[ RUN      ] three
[  ERROR   ] --- 1 != 2
[  FAILED  ] three
[ RUN      ] four
[       OK ] four
[==========] 4 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] two-with-dashes
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] three
"""

# cmocka 1.1.7 puts the group's name in front of its counts
NAMED = re.sub(r"(Running )?(\d+ test\(s\))", r"a group: \1\2", ALL)


@pytest.mark.parametrize("output, status, counts", [
    (ALL, 1, (2, 1, 1)),
    (NAMED, 1, (2, 1, 1)),
    (NAMED.split("[ RUN      ] three")[0], -11, (1, 2, 1)),
    (ALL.split("[ RUN      ] three")[0], -11, (1, 2, 1)),  # died: three and four never came
    ("[==========] Running 1 test(s).\n[       OK ] one\n", 0, (1, 0, 0)),
    ("[==========] Running 1 test(s).\n[       OK ] one\n", 1, (1, 1, 0)),  # a leak found at the end
    ("[==========] Running 1 test(s).\n", None, (0, 1, 0)),
    ("", 0, (0, 1, 0)),
])
def test_cmocka_output(output, status, counts):
    result = run_tests.Result("x")
    result.output = output
    run_tests.read_cmocka(result, status, 1)
    assert (result.passed, result.failed, len(result.skipped)) == counts


def test_skips_have_their_reason():
    result = run_tests.Result("x")
    result.output = ALL
    run_tests.read_cmocka(result, 1, 1)
    assert result.skipped == [("two-with-dashes", "no data here")]


SCRIPT = pathlib.Path(run_tests.__file__).resolve()


def tree(folder, script):
    program = folder / "build/x/tests/unit/test_a"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    (folder / "tests/unit").mkdir(parents=True)
    (folder / "tests/unit/test_a.c").write_text("")


def run(folder, *args):
    done = subprocess.run([sys.executable, SCRIPT, "--build", "build/x", *args], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


def test_a_hanging_program_is_ended(tmp_path):
    tree(tmp_path, "echo '[==========] Running 2 test(s).'\nsleep 100 &\nsleep 100")
    assert run(tmp_path, "--timeout", "1") == (1, "0 passed, 2 failed, 0 skipped")


def test_what_is_ended_leaves_nothing(tmp_path):
    tree(tmp_path, 'touch "$LR_TEST_TMP/a"\necho begun > begun\nsleep 100')
    (tmp_path / "tmp").mkdir()
    runner = subprocess.Popen([sys.executable, SCRIPT, "--build", "build/x"], cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")})
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    assert len(os.listdir(tmp_path / "tmp")) == 1
    runner.terminate()
    assert runner.wait(20) == 128 + 15
    assert os.listdir(tmp_path / "tmp") == []


def test_totals_add_up(tmp_path):
    tree(tmp_path, "echo '[==========] Running 1 test(s).'\necho '[       OK ] one'")
    for n in (1, 2):
        assert run(tmp_path, "--totals", "totals") == (0, "1 passed, 0 failed, 0 skipped")
        assert (tmp_path / "totals").read_text() == f"{n} 0 0\n"


def test_nothing_to_run_is_a_failure(tmp_path):
    assert run(tmp_path)[0] == 1
