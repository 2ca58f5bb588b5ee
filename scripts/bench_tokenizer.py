#!/usr/bin/env python3
"""Tokenising speed beside that of the `tokenizers` package (PyPI), on the same text and one thread.

usage: bench_tokenizer.py [--text FILE] [--mb 20] [--bench build/release/tests/bench/bench_tokenizer] DIR...

DIR holds a tokenizer.json. Without --text the text is the goldens' (many scripts, code, blanks) and this repository's
own sources, repeated to the size asked for. Figures are in processor time, best of five (the package: best of three),
both sides in turn. Without the package only this program's figures are printed.
"""
import argparse
import glob
import os
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"


def golden_texts(path):
    """The texts of tests/golden/tokenizers/texts.bin (varint count, then varint length and bytes)."""
    data, at, out = open(path, "rb").read(), 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    for _ in range(varint()):
        n = varint()
        out.append(data[at:at + n])
        at += n
    return b"\n".join(out)


def mixed_text(size):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    parts = [golden_texts(f"{root}/tests/golden/tokenizers/texts.bin")]
    for name in sorted(glob.glob(f"{root}/src/**/*.c", recursive=True) + glob.glob(f"{root}/docs/*.md")):
        parts.append(open(name, "rb").read())
    text = b"\n".join(parts)
    return (text * (size // len(text) + 1))[:size].decode("utf-8", "ignore").encode()


def package_speed(directory, text):
    """(load seconds, encode MB/s, decode MB/s) of the package, or None where it is not installed."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    begin = time.process_time()
    t = Tokenizer.from_file(f"{directory}/tokenizer.json")
    load, string, encode, decode = time.process_time() - begin, text.decode(), 0, 0
    for _ in range(3):
        begin = time.process_time()
        ids = t.encode(string, add_special_tokens=False).ids
        encode = max(encode, len(text) / (time.process_time() - begin) / 1e6)
        begin = time.process_time()
        t.decode(ids)
        decode = max(decode, len(text) / (time.process_time() - begin) / 1e6)
    return load, encode, decode


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--text")
    p.add_argument("--mb", type=int, default=20)
    p.add_argument("--bench", default="build/release/tests/bench/bench_tokenizer")
    p.add_argument("directories", nargs="+")
    a = p.parse_args()
    text = open(a.text, "rb").read() if a.text else mixed_text(a.mb * 1000000)
    with tempfile.NamedTemporaryFile() as f:
        f.write(text)
        f.flush()
        for directory in a.directories:
            print(subprocess.run([a.bench, directory, f.name], capture_output=True, text=True, check=True).stdout, end="")
            theirs = package_speed(directory, text)
            if theirs:
                print(f"{'the package':58} load {theirs[0] * 1e3:6.1f} ms            encode {theirs[1]:6.1f} MB/s  "
                      f"decode {theirs[2]:7.1f} MB/s")


if __name__ == "__main__":
    main()
