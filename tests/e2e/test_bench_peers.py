"""scripts/bench_peers.py: which rows hold, and a run beside peers that are made up here, with our own program."""
import json
import stat
import subprocess
import sys

import pytest

import bench_peers
import peers
from conftest import BINARY, ROOT

# What the peers say, and which of them were called how.
PEER = """#!{python}
import json, sys
with open({log!r}, "a") as f:
    f.write(" ".join(sys.argv[1:]) + "\\n")
if "--quantise" in sys.argv:
    open(sys.argv[sys.argv.index("--to") + 1], "w").close()
print(json.dumps({{"prefill_s": 1e6, "decode_tok_s": 1e-6, "first_token_s": 1e-6, "load_s": 1e6, "peak_rss": 1}}))
"""


def summary(row, ours, peer, share=None, best_isa=True):
    rounds = [{"llm-run": {row.name: x}, "peer": {row.name: y}, "share": {row.name: share}} for x, y in zip(ours, peer)]
    return bench_peers.summary(row, rounds, best_isa)


def test_a_row_holds_by_its_multiple_or_its_share_and_never_behind():
    decode = bench_peers.ROWS["bf16"][0]
    assert decode.goals == (1.25, 1.4, 0.87)
    assert summary(decode, [14], [10], 0.5)["holds"] and not summary(decode, [13.9], [10], 0.5)["holds"]
    assert summary(decode, [12.5], [10], 0.5, best_isa=False)["holds"] and not summary(decode, [12.4], [10], 0.5, best_isa=False)["holds"]
    assert summary(decode, [10], [10], 0.87)["holds"] and not summary(decode, [10], [10], 0.86)["holds"]
    assert not summary(decode, [9.9], [10], 0.99)["holds"]
    assert not summary(decode, [13], [10], None)["holds"], "no peak is known"


def test_ratios_are_medians_of_the_rounds_and_less_may_be_better():
    decode, start = bench_peers.ROWS["q8"][0], bench_peers.ROWS["start"][0]
    found = summary(decode, [10, 20, 90], [10, 10, 30])
    assert (found["llm-run"], found["peer"], found["ratio"]) == (20, 10, 2)
    assert summary(start, [0.2], [0.4])["holds"] and not summary(start, [0.21], [0.4])["holds"]


def test_parts_of_the_lock_are_apart():
    packages, flags = peers.read_lock()
    assert any(p.startswith("llama-cpp-python==") for p in packages) and flags == {"CMAKE_ARGS": "-DGGML_NATIVE=ON"}
    assert [p.split("==")[0] for p in peers.read_lock("mistral")[0]] == ["mistralrs"]
    assert not any("mistral" in p for p in packages)


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def made_up(tmp_path):
    """Words of the command line after the model: a build with our program, an environment that needs nothing installed."""
    program(tmp_path / "venv/bin/python", PEER.format(python=sys.executable, log=str(tmp_path / "calls")))
    for name, part in ("peers.json", ""), ("peers-mistral.json", "mistral"):
        (tmp_path / "venv" / name).write_text(json.dumps(peers.read_lock(part)))
    program(tmp_path / "build/tests/bench/bench_read", "#!/bin/sh\necho 1000000000000000\n")
    program(tmp_path / "build/tests/bench/bench_depth", '#!/bin/sh\necho \'{"tokens": 4, "prefill_s": 2, "passes": 3, "decode_s": 3}\'\n')
    (tmp_path / "build/llm-run").symlink_to(BINARY)
    (tmp_path / "w.gguf").write_bytes(b"")
    return ["--gguf", tmp_path / "w.gguf", "--build", tmp_path / "build", "--venv", tmp_path / "venv", "--cache-dir", tmp_path / "cache",
            "--json", tmp_path / "out.json", "--prompt", "4", "--tokens", "3", "--rounds", "2"]


def bench(folder, words):
    return subprocess.run([sys.executable, ROOT / "scripts/bench_peers.py", folder, *map(str, words)], capture_output=True, text=True)


def test_every_row_is_measured(demo, made_up, tmp_path):
    done = bench(demo, [*made_up, "--mistral"])
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    rows = {r["row"]: r for r in found["table"]}
    assert list(rows) == [f"{kind}, {what}" for kind in ("bf16", "q8", "q4", "context") for what in ("decode", "prefill")] + [
        "start, first token", "mistral, decode", "mistral, load", "mistral, memory"]
    assert done.stdout.count(" holds |") == sum(r["holds"] for r in rows.values()) and len(found["rounds"]) == 2
    assert all(rows[f"{kind}, {what}"]["holds"] for kind in ("bf16", "q8", "q4") for what in ("decode", "prefill"))
    assert not rows["start, first token"]["holds"] and not rows["mistral, memory"]["holds"] and rows["mistral, load"]["holds"]
    assert (rows["context, prefill"]["llm-run"], rows["context, decode"]["llm-run"]) == (2, 1)
    for r in found["rounds"]:
        read = [r[kind]["share"]["decode"] / r[kind]["llm-run"]["decode"] for kind in ("bf16", "q8", "q4")]
        assert read[0] > read[1] > read[2] > 0, "fewer bytes a token"


def test_quantised_files_are_made_once(demo, made_up, tmp_path):
    for _ in range(2):
        assert bench(demo, [*made_up, "--rows", "q8,q4", "--rounds", "1"]).returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    made = [c.split("--quantise ")[1].split()[0] for c in calls if "--quantise" in c]
    assert sorted(made) == ["q4_0", "q8_0"] and not list(tmp_path.glob("*.part"))
    assert sum("w.q8_0.gguf" in c for c in calls if "--quantise" not in c) == 2
    assert "peer_mistral" not in "".join(calls)


def test_unknown_rows_are_refused(demo, made_up):
    done = bench(demo, [*made_up, "--rows", "bf16,q5"])
    assert done.returncode == 2 and "'q5'" in done.stderr and "context" in done.stderr
