#!/usr/bin/env python3
"""Makes the golden files below tests/golden (formats: tests/golden/README.md).

usage: scripts/make_goldens.py [--only models|tokenizers|rope|samplers] [--case NAME] [--data DIR] [--venv DIR] [--out DIR]

Builds virtual environments of its own with the versions pinned in scripts/goldens/env.py and runs itself there.
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
    data = Path(os.environ.get("LR_TEST_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="make one part alone")
    parser.add_argument("--case", action="append", help="of models or tokenizers, make only these (again for more)")
    parser.add_argument("--data", type=Path, default=data, help="the shared test data (default: %(default)s)")
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "goldens-venv", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "golden", help="default: %(default)s")
    parser.add_argument("--inside", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def make(part, args):
    """One part, in its own environment."""
    env.quieten()
    if part == "models":
        from goldens import models

        models.make_all(args.out / "models", args.case)
    elif part == "tokenizers":
        from goldens import tokenizer_golds

        tokenizer_golds.make_all(args.out / "tokenizers", args.data, args.case)
    elif part == "rope":
        from goldens import configs, rope

        rope.make_all(args.out)
        configs.make_all(args.out, args.data)
    else:
        from goldens import samplers

        samplers.make_all(args.out)


def main():
    args = arguments()
    if args.inside:
        return make(args.inside, args)
    if not args.data.is_dir():
        sys.exit(f"{args.data}: no shared test data there; say where they are with --data or LR_TEST_DATA")
    for part in [args.only] if args.only else PARTS:
        env.run_part(part, args.venv, [__file__, *sys.argv[1:], "--inside", part])


if __name__ == "__main__":
    main()
