"""The programs that llm-run is measured beside: their environment, made from scripts/peers.lock."""
import json
import os
import subprocess
import sys
import venv

import cgroup

HERE = os.path.dirname(os.path.abspath(__file__))


def read_lock(part=""):
    """(packages, environment of their build) of what peers.lock has below [part], or before all parts."""
    packages, flags, at = [], {}, ""
    with open(f"{HERE}/peers.lock", encoding="ascii") as f:
        for line in map(str.strip, f):
            if line.startswith("["):
                at = line.strip("[]")
            elif line and not line.startswith("#") and at == part:
                if "==" in line:
                    packages.append(line)
                else:
                    flags.update([line.split("=", 1)])
    return packages, flags


def python(home, part=""):
    """The Python of the peers' environment, which is made or brought up to date if need be, with a part that is not for all."""
    found = python(home) if part else os.path.join(home, "bin", "python")
    packages, flags = read_lock(part)
    stamp = os.path.join(home, f"peers{part and '-'}{part}.json")
    wanted = json.dumps([packages, flags])
    if cgroup.read_text(stamp) != wanted:
        print(f"installing {packages[0]} in {home}{'' if part else ': minutes'}", file=sys.stderr)
        if not part:
            venv.create(home, with_pip=True, clear=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-binary", "llama-cpp-python", *packages],
                       check=True, env={**os.environ, **flags})
        cgroup.write_text(stamp, wanted)
    return found
