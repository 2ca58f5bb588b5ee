"""--bench-load: a table or JSON of runs, cold ones shown to be cold, by phase; options reach the runs, and so do failures."""
import re
import signal
import statistics
import subprocess
import time

import pytest

from conftest import command, copy_golden, llm_run, refused, write_tiny_tokenizer
from random_model import write_model

PHASES = ["config_s", "tokenizer_s", "catalog_s", "plan_s", "weights_s", "first_token_s"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """45 MB of weights, and a tokenizer."""
    folder = write_model(tmp_path_factory.mktemp("bench_load") / "model", intermediate_size=2048, vocab_size=4096, num_key_value_heads=8,
                         tie_word_embeddings=True, max_position_embeddings=256)
    write_tiny_tokenizer(folder, 4096)
    return folder


@pytest.fixture(scope="module")
def measured(model):
    run = llm_run("--bench-load", "--json", model)
    assert run.status == 0, run
    return run


def test_the_keys_are_those_that_are_promised(model, measured):
    found = measured.json()
    assert {"file_bytes", "runs", "disk_bytes_per_s"} <= set(found)
    assert found["file_bytes"] == (model / "model.safetensors").stat().st_size > 30 << 20
    assert len(found["runs"]) == 6
    for run in found["runs"]:
        assert {"cache", "phases", "total_s", "bytes_read", "bytes_per_s"} <= set(run)
        assert list(run["phases"]) == PHASES and run["cache"] in ("cold", "warm", "unknown")
        assert 0 < run["bytes_read"] <= found["file_bytes"] < run["bytes_read"] + 65536
        assert all(seconds >= 0 for seconds in run["phases"].values())


def test_phases_make_up_the_whole(measured):
    for run in measured.json()["runs"]:
        phases = run["phases"]
        assert sum(phases.values()) <= run["total_s"] * 1.001 + 1e-5 <= sum(phases.values()) + 0.5
        assert phases["weights_s"] > 0 and phases["first_token_s"] > 0
        assert run["bytes_per_s"] == pytest.approx(run["bytes_read"] / run["total_s"], rel=1e-3)


def test_cold_is_cold_and_warm_is_faster(measured):
    found = measured.json()
    cold = [run for run in found["runs"] if run["cache"] == "cold"]
    warm = [run for run in found["runs"] if run["cache"] == "warm"]
    for run in cold:
        assert run["resident"] < 0.01
    for run in warm:
        assert run["resident"] >= 0.99 and run["disk_bytes"] < found["file_bytes"] / 10
    if len(cold) < 3 or len(warm) < 3:
        pytest.skip("the page cache of this file system cannot be emptied")
    read = [run["disk_bytes"] for run in cold]
    if any(read):  # a kernel that counts
        assert min(read) >= 0.9 * found["file_bytes"]
    first = lambda runs: statistics.median(r["phases"]["weights_s"] + r["phases"]["first_token_s"] for r in runs)
    assert first(warm) <= first(cold) * 1.1
    assert found["disk_bytes_per_s"] >= max(run["bytes_per_s"] for run in cold) * 0.999


def test_runs_take_turns_and_are_told_of(measured):
    names = [re.match(r"llm-run: (cold|warm) run (\d) of 3: first token after [\d.]+ s$", line).groups() for line in measured.lines]
    assert names == [(kind, str(i)) for i in (1, 2, 3) for kind in ("cold", "warm")]


def test_the_table_is_80_columns_wide(model):
    run = llm_run("--bench-load", "--repeat", "2", "-q", model)
    lines = run.out.decode().splitlines()
    assert run.status == 0 and run.err == "" and max(map(len, lines)) <= 80
    names = [re.sub(r"\?", "", line[:10]).strip() for line in lines[3:9]]
    assert names == ["cold 1", "warm 1", "cold 2", "warm 2", "cold med.", "warm med."]
    for line in lines[3:9]:
        assert len(line[10:].split()) == 9, line
    assert run.out.decode().count("host of a virtual disk") == 1 and re.match(r"The disk alone: (\d+ MB/s or more: too few|not known)", lines[-1])
    single = llm_run("--bench-load", "--repeat", "1", "-q", model).out.decode()
    assert "med." not in single and "cold" in single


@pytest.mark.parametrize("way", ["map", "stream", "resident"])
def test_options_reach_the_runs(model, way):
    found = llm_run("--bench-load", "--json", "--repeat", "1", "--load", way, "-T", "1", "-c", "64", "--no-cache", model).json()
    assert len(found["runs"]) == 2
    for run in found["runs"]:
        assert run["bytes_read"] > 0.99 * found["file_bytes"]


def test_failures_of_a_run_are_ours(model, tmp_path):
    refused(llm_run("--bench-load", "-q", "--isa", "mmx", model), 2, "mmx")
    refused(llm_run("--bench-load", "-q", "--mem-limit", "2M", "--load", "resident", model), 4, "Cannot allocate")
    refused(llm_run("--bench-load", tmp_path / "nowhere"), 3, "nowhere")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_bytes((model / "config.json").read_bytes())
    (tmp_path / "broken/model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:5000])
    refused(llm_run("--bench-load", tmp_path / "broken"), 3, "model.safetensors")
    run = llm_run("--bench-load", "--json", tmp_path / "broken")
    assert run.status == 3 and run.json()["error"]["code"] == 3 and len(run.lines) == 1


def test_a_folder_whose_name_begins_with_a_dash_and_no_tokenizer(tmp_path):
    copy_golden("llama_gqa", tmp_path / "-bare")
    run = llm_run("--bench-load", "--repeat=1", "--json", "-q", "--", "-bare", cwd=tmp_path)
    assert run.status == 0 and len(run.json()["runs"]) == 2


def test_verbose_lets_the_runs_speak(model):
    assert "[Memory] Initial" in llm_run("--bench-load", "--repeat=1", "-v", model).err
    assert "[Memory] Initial" not in llm_run("--bench-load", "--repeat=1", model).err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(model, number):
    with subprocess.Popen(command("--bench-load", "--repeat", "500", model), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        p.stderr.readline()  # a run is done
        p.send_signal(number)
        begin = time.monotonic()
        out, err = p.communicate(timeout=60)
        assert p.returncode == 128 + number and out == b"" and time.monotonic() - begin < 20
        assert b"interrupted in run" in err
