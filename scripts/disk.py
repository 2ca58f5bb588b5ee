#!/usr/bin/env python3
"""Drops files from the page cache, shows that they are gone, and measures the rate at which the disk gives them back.

usage: disk.py FILE [--seconds 0.3] [--json]

The rate is the best of direct (O_DIRECT) and buffered reads of 1, 4 and 16 MiB, 8, 16 and 32 at a time, each for about
0.3 s on parts of the file that were dropped before, going on where the last one ended. A virtual disk's host may cache
all the same.
"""
import argparse
import ctypes
import itertools
import json
import mmap
import os
import sys
import threading
import time

MIB, HUGE = 1 << 20, 2 << 20
BLOCKS, DEPTHS = (1, 4, 16), (8, 16, 32)
CANDIDATES = [(direct, block, depth) for direct in (True, False) for block in BLOCKS for depth in DEPTHS]
MOST_RESIDENT = 0.01
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


class StillCached(Exception):
    """Pages of a file that do not go away; the text says which file's."""


def drop(path):
    """Writes the file back and drops its pages; those that somebody maps stay."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def take_back_memory(size):
    """Touches and frees so much memory in huge pages: a virtual machine's host may have taken free pages, and would
    first have to give them back (seen: 0.7 GB/s instead of 16)."""
    with mmap.mmap(-1, (size + HUGE - 1) // HUGE * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


def resident_share(path):
    """The share of the file's pages that are in the page cache, by mincore."""
    fd, size = os.open(path, os.O_RDONLY), os.path.getsize(path)
    pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    if not pages:
        os.close(fd)
        return 0.0
    address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap", path)
    seen = ctypes.create_string_buffer(pages)
    failed = libc.mincore(address, size, seen)
    libc.munmap(address, size)
    if failed:
        raise OSError(ctypes.get_errno(), "mincore", path)
    return sum(byte & 1 for byte in seen.raw) / pages


def make_cold(paths, wait=30.0):
    """Drops the files until each is under 1 % resident: the greatest share left. StillCached when that takes longer than `wait`."""
    end = time.monotonic() + wait
    while True:
        for path in paths:
            drop(path)
        share, path = max((resident_share(p), p) for p in paths)
        if share < MOST_RESIDENT:
            return share
        if time.monotonic() > end:
            raise StillCached(f"{path}: {share:.0%} of it stay in the page cache (another process maps it?)")
        time.sleep(0.25)


def name_of(candidate):
    direct, block, depth = candidate
    return f"{'direct' if direct else 'buffered'} {depth} x {block} MiB"


def huge_arena(size):
    """Touched memory that begins at a huge page's boundary, in huge pages where there are any: direct reads into it were seen
    to be three times as fast as into small pages."""
    space = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        space.madvise(mmap.MADV_HUGEPAGE)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(space)) % HUGE
    arena = memoryview(space)[start:start + size]
    for at in range(0, size, mmap.PAGESIZE):
        arena[at] = 1
    return arena


class Disk:
    """The disk below one file."""

    def __init__(self, path, seconds=0.3):
        self.path, self.seconds, self.at = path, seconds, 0
        self.size = os.path.getsize(path)

    def read_with(self, candidate):
        """Bytes per second of one way to read, or 0 where the file system refuses it."""
        direct, block, depth = candidate[0], candidate[1] * MIB, candidate[2]
        blocks = self.size // block
        if blocks < 1:
            return 0.0
        if not direct:
            drop(self.path)
        try:
            fd = os.open(self.path, os.O_RDONLY | (os.O_DIRECT if direct else 0))
        except OSError:
            return 0.0
        first, numbers, done, failed = self.at // block, itertools.count(), [0] * depth, []
        arena = huge_arena(depth * block)
        buffers = [arena[i * block:(i + 1) * block] for i in range(depth)]

        def work(i):
            try:
                while time.monotonic() < until:
                    done[i] += os.preadv(fd, [buffers[i]], (first + next(numbers)) % blocks * block)
            except OSError as e:
                failed.append(e)

        begin = time.monotonic()
        until = begin + self.seconds
        threads = [threading.Thread(target=work, args=(i,)) for i in range(depth)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took = time.monotonic() - begin
        os.close(fd)
        self.at = (first + next(numbers)) % blocks * block
        return 0.0 if failed else sum(done) / took

    def measure(self):
        """The best rate now, of all 18 ways: {"bytes_per_s", "best", "samples"}."""
        samples = {c: self.read_with(c) for c in CANDIDATES}
        drop(self.path)
        best = max(samples, key=samples.get)
        return {"bytes_per_s": samples[best], "best": name_of(best), "samples": {name_of(c): r for c, r in samples.items()}}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("file")
    p.add_argument("--seconds", type=float, default=0.3, help="for each way to read")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    try:
        share = make_cold([a.file])
    except StillCached as e:
        sys.exit(f"disk.py: {e}")
    found = Disk(a.file, a.seconds).measure()
    if a.json:
        print(json.dumps(dict(found, resident=share)))
        return 0
    for name, rate in found["samples"].items():
        print(f"{name:24} {rate / MIB:8.0f} MiB/s")
    print(f"best: {found['best']}, {found['bytes_per_s'] / MIB:.0f} MiB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
