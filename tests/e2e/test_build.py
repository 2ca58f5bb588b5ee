"""What a build refuses."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_big_endian_machine_is_refused_with_the_reason(compiler):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, "-E", "-Isrc", "-o", "/dev/null", "src/base/dtype.h"]
    big = ["-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    refused = subprocess.run([*command, *big], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "little-endian: so must the machine be" in refused.stderr
