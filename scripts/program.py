"""llm-run, for the scripts that measure it: its command line, its answer, and what a token reads. `a` is what options() gave."""
import argparse
import json
import os
import subprocess
import sys


def options(parser):
    """The words of the command line: the parser's own, MODEL and --build; in `more` those after --, which are for llm-run."""
    parser.add_argument("model")
    parser.add_argument("--build", default="build/release")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    return argparse.Namespace(**vars(parser.parse_args(words[:end])), more=words[end + 1:])


def greedy(a, tokens, *more, prompt="1,2,3"):
    """The command that makes `tokens` tokens and tells of them as JSON."""
    return [f"{a.build}/llm-run", "--json", "-q", "--greedy", "--ignore-eos", "--ids", "-n", str(tokens), *more, a.model, prompt]


def answer(command, **more):
    """What a run says; where it fails, so does the caller, with its message."""
    done = subprocess.run(command, capture_output=True, **more)
    if done.returncode:
        sys.exit(done.stderr.decode(errors="replace").strip() or f"{command[0]}: status {done.returncode}")
    return json.loads(done.stdout)


def info(a):
    return answer([f"{a.build}/llm-run", "--info", "--json", a.model])


def bytes_per_token(found):
    """What each pass reads, of what info() found: an embedding that is not the head too is read by the row."""
    spared = 0 if found["tied_head"] else found["weight_bytes"] * found["vocab"] * found["dim"] // found["parameters"]
    return found["weight_bytes"] - spared


def bench_tool(a, name):
    """One of tests/bench, which only `make bench` and its own name build."""
    path = f"{a.build}/tests/bench/{name}"
    if not os.path.exists(path):
        sys.exit(f"{path} is not built: make {path}")
    return path


def read_rate(a):
    """Bytes of memory a second that a.threads threads read."""
    return float(subprocess.run([bench_tool(a, "bench_read"), str(a.threads)], capture_output=True, check=True).stdout)
