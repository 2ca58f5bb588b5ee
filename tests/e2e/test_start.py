"""A large tokenizer is compiled into the cache folder once, and mapped at later starts."""
import json
import os
import shutil
import struct

import pytest

from conftest import letter_ids, llm_run, refused, write_tiny_tokenizer

TEXT = "hello you"


@pytest.fixture
def large(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    write_tiny_tokenizer(folder, 90_000)
    assert (folder / "tokenizer.json").stat().st_size > 1 << 20
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def entries(cache):
    return sorted(cache.glob("tokenizer-*")) if cache.exists() else []


def ids_of(*args):
    run = llm_run("--tokenize", "-v", *args, TEXT)
    assert run.status == 0, run
    return [int(n) for n in run.out.split()], run


def right(large):
    return [1, *letter_ids(TEXT)]


def test_made_once_and_used_next_time(large, cache):
    assert ids_of("--cache-dir", cache, large)[0] == right(large)
    path, = entries(cache)
    made = path.stat().st_mtime_ns, path.stat().st_ino
    ids, run = ids_of("--cache-dir", cache, large)
    assert ids == right(large) and "made again" not in run.err
    assert entries(cache) == [path] and (path.stat().st_mtime_ns, path.stat().st_ino) == made
    with path.open("rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
    assert header["__metadata__"]["origin"] == str(large / "tokenizer.json")


def test_no_cache_keeps_nothing_and_small_ones_are_not_kept(large, tiny, cache):
    env = dict(os.environ, XDG_CACHE_HOME=str(cache))
    run = llm_run("--tokenize", "--no-cache", large, TEXT, env=env)
    assert [int(n) for n in run.out.split()] == right(large)
    assert llm_run("--tokenize", "--cache-dir", cache, tiny, TEXT).status == 0
    assert not entries(cache) and not list(cache.rglob("tokenizer-*"))


def test_damage_is_seen_and_mended(large, cache):
    ids_of("--cache-dir", cache, large)
    path, = entries(cache)
    whole = path.read_bytes()
    length, = struct.unpack("<Q", whole[:8])
    for at in (0, 9, length + 8, length + 8 + 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:])
        ids, run = ids_of("--cache-dir", cache, large)
        assert ids == right(large) and "made again" in run.err, (at, run)
        assert "made again" not in ids_of("--cache-dir", cache, large)[1].err
    for size in (0, 7, 100, length + 8, len(whole) - 1):
        path.write_bytes(path.read_bytes()[:size])
        ids, run = ids_of("--cache-dir", cache, large)
        assert ids == right(large) and "made again" in run.err, (size, run)


def test_a_changed_source_is_compiled_again_whatever_its_time(large, cache):
    ids_of("--cache-dir", cache, large)
    first, = entries(cache)
    source = large / "tokenizer.json"
    before = source.stat()
    text = source.read_text()
    changed = text.replace('"h": 75', '"h": 70').replace('"c": 70', '"c": 75')
    assert changed != text and len(changed) == len(text)
    source.write_text(changed)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    ids, _ = ids_of("--cache-dir", cache, large)
    assert ids == [1, 70, *letter_ids(TEXT)[1:]]
    second, = entries(cache)  # the first, of a text that is gone, was removed
    assert second != first
    shutil.copytree(large, large.with_name("copy"))
    shutil.rmtree(large)
    ids_of("--cache-dir", cache, large.with_name("copy"))
    third, = entries(cache)
    assert third != second


def test_a_folder_that_cannot_be_written_is_no_failure(large, tmp_path):
    (tmp_path / "file").write_text("")
    ids, run = ids_of("--cache-dir", tmp_path / "file", large)
    assert ids == right(large) and "not kept" in run.err


def test_the_same_refusals(large, cache):
    source = large / "tokenizer.json"
    source.write_text(source.read_text().replace('"ByteLevel", "add_prefix_space": true', '"Other", "add_prefix_space": true'))
    for _ in range(2):
        refused(llm_run("--tokenize", "--cache-dir", cache, large, TEXT), 3, "tokenizer.json", "'Other'")
    assert not entries(cache)
