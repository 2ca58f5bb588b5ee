"""The weights' file changes while it is used: cut short, written over, replaced by a rename. Told in one line, or without harm."""
import os
import shutil
import subprocess

import pytest

from conftest import SANITIZED, command
from random_model import write_model

TOKENS = 300 if SANITIZED else 1500
MODES = {"map": ("--load", "map"), "stream": ("--load", "stream", "--mem-limit", "32M"), "resident": ("--load", "resident")}
if SANITIZED:
    MODES["stream"] = ("--load", "stream")  # all is pinned: shadow memory would be over that limit


@pytest.fixture(scope="module")
def wanted(small):
    return subprocess.run(arguments(small), capture_output=True, check=True, timeout=300).stdout.split()


@pytest.fixture
def model(small, tmp_path):
    return shutil.copytree(small, tmp_path / "model")


def arguments(model, *options):
    return command("-q", "--ids", "--greedy", "--ignore-eos", "--matmul", "native", "-c", "1600", "-n", str(TOKENS), *options, model, "1,2,3")


def run_and(model, options, change):
    """A run to whose file `change` happens after its first ids: status, ids, lines on stderr."""
    process = subprocess.Popen(arguments(model, *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        first = process.stdout.read1(20)
        assert process.poll() is None, "it ended before anything could be changed"
        change(model / "model.safetensors")
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    return process.returncode, (first + out).split(), err.decode().splitlines()


def cut_short(file):
    os.truncate(file, 20_000_000)


def grow(file):
    os.truncate(file, os.path.getsize(file) + 1)


def write_over(file):
    with open(file, "r+b") as f:
        f.seek(30_000_000)
        f.write(b"\x12\x3c" * 500_000)


@pytest.mark.parametrize("mode", ["map", "stream"])
@pytest.mark.parametrize("change", [cut_short, grow, write_over])
def test_a_file_that_is_written_to(model, wanted, mode, change):
    status, ids, lines = run_and(model, MODES[mode], change)
    assert status == 3 and len(lines) == 1, (status, lines)
    assert lines[0].startswith(f"llm-run: {model}/model.safetensors") and ("written to while in use" in lines[0] or "cut short" in lines[0]), lines
    good = 1 if change is write_over else len(ids)  # what is missing is seen before it is used, what is new a look later
    assert 0 < len(ids) < TOKENS and ids[:good] == wanted[:good]


@pytest.mark.parametrize("change", [cut_short, write_over])
def test_copies_need_no_file(model, wanted, change):
    assert run_and(model, MODES["resident"], change) == (0, wanted, [])


@pytest.mark.parametrize("mode", list(MODES))
def test_a_file_that_is_renamed_over(model, wanted, mode, tmp_path):
    def replace(file):
        write_model(tmp_path / "other", seed=2)
        os.replace(tmp_path / "other/model.safetensors", file)

    status, ids, lines = run_and(model, MODES[mode], replace)
    assert (status, lines) == (0, []) and ids == wanted
    assert subprocess.run(arguments(model), capture_output=True, check=True, timeout=300).stdout.split() != wanted  # the next run has the new one


@pytest.mark.parametrize("mode", list(MODES))
def test_a_file_that_is_removed(model, wanted, mode):
    assert run_and(model, MODES[mode], os.unlink) == (0, wanted, [])
