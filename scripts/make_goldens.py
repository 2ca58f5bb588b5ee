#!/usr/bin/env python3
"""Makes the golden files below tests/golden (formats: tests/golden/README.md).

usage: scripts/make_goldens.py [--only models|tokenizers|rope|samplers] [--case NAME] [--data DIR] [--venv DIR] [--out DIR]

Builds a virtual environment of its own with the versions pinned in scripts/goldens/env.py and runs itself there.
The same machine gives the same bytes again; another processor may differ in the last bits of a float.
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from goldens import env  # noqa: E402  (standard library only)

PARTS = ["models", "tokenizers", "rope", "samplers"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="make one part alone")
    parser.add_argument(
        "--case", action="append", help="of the models or tokenizers, make only these (again for more)"
    )
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("LR_TEST_DATA", ROOT.parent / "shared" / "data"))
    )
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "goldens-venv")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "golden")
    return parser.parse_args()


def main():
    args = arguments()
    env.enter(args.venv, [str(Path(__file__).resolve()), *sys.argv[1:]])
    parts = [args.only] if args.only else PARTS
    if "models" in parts:
        from goldens import models

        models.make_all(args.out / "models", args.case)
    if "tokenizers" in parts:
        from goldens import tokenizer_golds

        tokenizer_golds.make_all(args.out / "tokenizers", args.data, args.case)
    if "rope" in parts:
        from goldens import configs, rope

        rope.make_all(args.out)
        configs.make_all(args.out, args.data)
    if "samplers" in parts:
        from goldens import samplers

        samplers.make_all(args.out)


if __name__ == "__main__":
    main()
