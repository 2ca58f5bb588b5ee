"""The programs that llm-run is measured beside: their environment, made from scripts/peers.lock."""
import json
import os
import subprocess
import sys
import venv

import cgroup

HERE = os.path.dirname(os.path.abspath(__file__))


def read_lock():
    """(packages, environment of their build) of peers.lock."""
    with open(f"{HERE}/peers.lock", encoding="ascii") as f:
        lines = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    packages = [line for line in lines if "==" in line]
    return packages, dict(line.split("=", 1) for line in lines if "==" not in line)


def python(home):
    """The Python of the peers' environment, which is made or brought up to date if need be."""
    packages, flags = read_lock()
    stamp, found = os.path.join(home, "peers.json"), os.path.join(home, "bin", "python")
    wanted = json.dumps([packages, flags])
    if cgroup.read_text(stamp) != wanted:
        print(f"building {packages[0]} in {home}: minutes", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-binary", "llama-cpp-python", *packages],
                       check=True, env={**os.environ, **flags})
        cgroup.write_text(stamp, wanted)
    return found
