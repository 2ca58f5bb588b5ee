"""Usage: help, version, what is said of wrong options, and that every option that is listed works."""
import json
import os
import re
import subprocess

import pytest

from conftest import BINARY, ROOT, command, llm_run, refused

GOLDEN = ROOT / "tests/e2e/golden"


@pytest.mark.parametrize("option, name", [("--help", "help.txt"), ("-h", "help.txt"), ("--help-all", "help_all.txt")])
def test_help_is_as_written(option, name):
    run = llm_run(option)
    assert run.status == 0 and run.err == ""
    assert run.out.decode() == (GOLDEN / name).read_text()


def listed_options():
    return re.findall(r"^  (?:-\w, |    )--([a-z-]+)", (GOLDEN / "help_all.txt").read_text(), re.M)


def test_version_names_build_and_kernels():
    run = llm_run("--version")
    version = re.search(r'LR_VERSION "([^"]+)"', (ROOT / "include/llm_run.h").read_text()).group(1)
    first, second = run.out.decode().splitlines()
    assert run.status == 0 and first == f"llm-run {version}"
    assert "kernels" in second and "BLAS" in second


WRONG = [
    (["--temp", "warm"], "--temp", "'warm'"),
    (["--temp", "-1"], "--temp", "0 to 100"),
    (["-t", "1000"], "--temp", "1000"),
    (["--top-k", "1.5"], "--top-k", "whole number"),
    (["--top-p", "1.01"], "--top-p", "1.01"),
    (["--min-p=-0.1"], "--min-p", "-0.1"),
    (["--typical", "0"], "--typical", "above 0"),
    (["--repeat-penalty", "0"], "--repeat-penalty", "above 0"),
    (["--presence-penalty", "nan"], "--presence-penalty", "nan"),
    (["--frequency-penalty", "inf"], "--frequency-penalty", "inf"),
    (["--logit-bias", "7"], "--logit-bias", "'7'"),
    (["--seed", "-5"], "--seed", "-5"),
    (["--logprobs", "2"], "--logprobs", "--json"),
    (["-n", "0"], "--max-tokens", "1 to"),
    (["-n", "many"], "--max-tokens", "many"),
    (["-c", "0"], "--ctx", "1 to"),
    (["--kv", "f64"], "--kv", "f16|f32|q8"),
    (["--prefill-chunk", "0"], "--prefill-chunk", "1 to"),
    (["--mem-limit", "lots"], "--mem-limit", "lots"),
    (["--mem-limit", "120%"], "--mem-limit", "120%"),
    (["-T", "0"], "--threads", "1 to"),
    (["--matmul", "gpu"], "--matmul", "auto|native|blas"),
    (["--progress", "maybe"], "--progress", "auto|always|never"),
    (["--color", "blue"], "--color", "auto|always|never"),
    (["--tmep", "1"], "--tmep", "'--temp'"),
    (["--question"], "--question", "--help-all"),
    (["--score", "--stop", "a"], "--score", "--stop"),
    (["--score", "-n", "3"], "--score", "--max-tokens"),
    (["--score", "--greedy"], "--score", "--greedy"),
    (["--score", "--logprobs", "3"], "--score", "--logprobs"),
    (["--tokenize", "--temp", ".3"], "--tokenize", "--temp"),
    (["--info", "-c", "5"], "--info", "--ctx"),
    (["-Z"], "-Z", "unknown"),
    (["--json=1"], "--json", "no value"),
    (["--score", "--info"], "--score", "--info"),
    (["--bench-load", "--repeat", "0"], "--repeat", "1 to"),
    (["--bench", "--prompt-sizes", "12,x"], "--prompt-sizes", "separated by commas"),
    (["--bench", "--gen-sizes", "-1"], "--gen-sizes", "'-1'"),
    (["--bench", "--temp", "1"], "--bench", "--temp"),
    (["--bench-load", "--gen-sizes", "1"], "--bench-load", "--gen-sizes"),
    (["x", "y", "z"], "'z'", "prompt"),
    (["--temp"], "--temp", "needs a value"),
]


@pytest.mark.parametrize("words, name, part", WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_a_wrong_option_is_named(words, name, part):
    """The model directory need not exist: options are judged first."""
    args = words if words[0] == "x" else ["nowhere", *words]
    refused(llm_run(*args), 2, name, part)


def test_nothing_given_is_usage():
    refused(llm_run(), 2, "MODEL_DIR")


def test_isa_is_checked_against_what_there_is(tiny):
    refused(llm_run("--isa", "mmx", tiny, "a"), 2, "mmx", "generic")


def test_threads_and_context_beyond_the_model(tiny):
    refused(llm_run("-q", "-c", "100000", tiny, "a"), 2, "100000", "256")


def test_an_error_in_json(tiny):
    for args, code in ((["--json", "--tepm=1", tiny], 2), (["--json", "nowhere", "x"], 3), (["nowhere", "x", "--json"], 3)):
        run = llm_run(*args)
        assert run.status == code and len(run.lines) == 1
        error = json.loads(run.out)["error"]
        assert error["code"] == code and "llm-run: " + error["message"] == run.lines[0]


EXAMPLES = {"quant": "auto", "embed": "q8",
    "max-tokens": "3", "stop": "zzz", "temp": "0.5", "top-k": "5", "top-p": "0.9", "min-p": "0.01", "typical": "0.9",
    "repeat-penalty": "1.1", "presence-penalty": "0.1", "frequency-penalty": "0.1", "logit-bias": "5=1.5", "seed": "7",
    "ctx": "64", "kv": "f32", "prefill-chunk": "2", "mem-limit": "90%", "threads": "2", "matmul": "native", "isa": "generic",
    "progress": "never", "color": "never", "load": "stream", "cache-dir": "/nonexistent/llm-run", "repeat": "2",
    "prompt-sizes": "3,5", "gen-sizes": "2",
}


def test_every_listed_option_works(tiny, tmp_path):
    """Each once: alone with a prompt it must end with 0 (so that nothing is listed before it works)."""
    (tmp_path / "prompt").write_text("hello")
    for name in listed_options():
        alone = name in ("plan", "info", "bench", "bench-load", "quantize-only", "repeat", "prompt-sizes", "gen-sizes")
        args = [tiny] if alone or name in ("score", "tokenize") else ["-n", "2", tiny]
        args += [] if alone or name == "file" else ["3 4"] if name == "ids" else ["hello"]
        args += ["--bench-load"] if name == "repeat" else ["--bench"] if name.endswith("-sizes") else []
        args += ["--quant", "q8", "--cache-dir", tmp_path / "cache"] if name == "quantize-only" else []
        args += ["--quant", "q4", "--no-cache"] if name == "embed" else []
        if name in EXAMPLES:
            args += ["--" + name, EXAMPLES[name]]
        elif name == "file":
            args += ["--file", tmp_path / "prompt"]
        elif name == "logprobs":
            args += ["--json", "--logprobs", "3"]
        else:
            args += ["--" + name]
        run = llm_run(*args)
        assert run.status == 0 and run.out, (name, run)


def test_options_may_stand_after_the_prompt(tiny):
    first = llm_run("-n", "4", "--greedy", tiny, "hello")
    second = llm_run(tiny, "hello", "--greedy", "-n4")
    assert first.status == 0 and first.out == second.out


def test_manual_and_completions_know_every_option(tmp_path):
    build = os.path.dirname(BINARY)
    manual = os.path.join(build, "manual")
    if not os.path.exists(manual):
        pytest.skip(f"{manual} is not built")
    for form in ("man", "bash", "zsh", "fish"):
        text = subprocess.run([manual, form], capture_output=True, text=True, check=True).stdout.replace("\\-", "-")
        for name in listed_options():
            assert name in text, (form, name)
    assert subprocess.run([manual], capture_output=True).returncode == 2
    (tmp_path / "bash").write_text(subprocess.run([manual, "bash"], capture_output=True, text=True).stdout)
    script = f"source {tmp_path}/bash; COMP_WORDS=(llm-run --matmul n); COMP_CWORD=2; _llm_run; echo ${{COMPREPLY[@]}}"
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout == "native\n"


def test_install_and_uninstall(tmp_path):
    variant = os.path.basename(os.path.dirname(BINARY))
    make = ["make", f"VARIANT={variant}", f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    if not os.path.exists(BINARY):
        pytest.skip(f"{BINARY} is not built")
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    subprocess.run([*make, "install"], check=True, capture_output=True, cwd=ROOT, env=env)
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {
        "usr/bin/llm-run", "usr/include/llm_run.h", "usr/lib/libllm-run.a", "usr/share/man/man1/llm-run.1",
        "usr/share/bash-completion/completions/llm-run", "usr/share/zsh/site-functions/_llm-run",
        "usr/share/fish/vendor_completions.d/llm-run.fish",
    }
    done = subprocess.run([tmp_path / "usr/bin/llm-run", "--version"], capture_output=True)
    assert done.returncode == 0
    subprocess.run([*make, "uninstall"], check=True, capture_output=True, cwd=ROOT, env=env)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_terminal_without_a_prompt_is_usage(tiny):
    import pty
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(command(tiny), stdin=follower, capture_output=True, timeout=60)
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2 and b"no prompt" in done.stderr and done.stdout == b""


def test_version_as_json():
    version = llm_run("--version", "--json").json()
    text = llm_run("--version").out.decode()
    assert version["version"] in text and version["build"] in text


def test_a_prompt_that_begins_with_a_dash(tiny):
    refused(llm_run(tiny, "-5 is"), 2, "'-5'", "after '--'")
    assert llm_run("-q", "-n", "1", tiny, "--", "-5 is").status == 0


def test_no_standard_input_at_all(tiny):
    run = llm_run(tiny, before=("sh", "-c", 'exec "$0" "$@" <&-'))
    refused(run, 2, "no prompt given")
