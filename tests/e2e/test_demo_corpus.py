"""The demo's corpus: what its grammars write is well formed, true, and keeps the held-out questions out."""
import json
import random
import re
import subprocess
import sys

import demo_corpus
import demo_plots
import demo_questions
import demo_stories
from conftest import ROOT

STORIES = [demo_stories.story(random.Random(seed)) for seed in range(2000)]
TRAIN, TEST = demo_questions.all_questions()


def test_stories_are_well_formed():
    for text in STORIES:
        assert not re.search(r"[{}\[\]|\n]|  ", text), text
        assert text.count('"') % 2 == 0, text
        assert re.match(r'[A-Z"]', text) and re.search(r'[.!?]"?$', text), text
        assert not re.search(r"[.!?] [a-z]|\b[Aa] [aeio]|\.\.", text), text


def test_every_plot_is_told():
    events = {re.escape(p.moral) for p in demo_plots.PLOTS}
    assert len(events) == len(demo_plots.PLOTS)
    told = "\n".join(STORIES)
    assert [e for e in events if not re.search(e, told)] == []


def test_a_story_about_a_topic_mostly_names_its_hero():
    """An opening may give the hero's name alone (one in eight does); the others say what the hero is."""
    for topic in sorted(set(demo_corpus.TOPICS)):
        named = [f" {topic}" in demo_stories.story(random.Random(f"{topic}/{i}"), topic) for i in range(100)]
        assert sum(named) >= 70, topic


def test_sums_are_right():
    words = {demo_questions.word(n): n for n in range(50)}
    does = {"plus": lambda a, b: a + b, "minus": lambda a, b: a - b, "times": lambda a, b: a * b}
    seen = 0
    for q in TRAIN + TEST:
        m = re.fullmatch(r"(\S+) (plus|minus|times) (\S+) is (\S+)\.", q.answer)
        if m:
            a, b, r = (int(w) if w.isdigit() else words[w.lower()] for w in m.group(1, 3, 4))
            assert does[m.group(2)](a, b) == r and sorted(q.operands) == sorted((a, b)), q
            seen += 1
    assert seen > 8000


def test_held_out_questions_are_never_written():
    assert len(TEST) > 1500
    held = {q.text.lower().rstrip("?.!") for q in TEST}
    corpus = demo_corpus.Corpus(3)
    for _ in range(20000):
        for line in "".join(text for text, _ in corpus.document()).split("\n"):
            asked = re.sub(r"<\|\w+\|>|^Question: ", "", line).removeprefix("Question: ")
            assert asked.lower().rstrip("?.!") not in held


def test_same_seed_same_corpus(tmp_path):
    out = [tmp_path / name for name in "abc"]
    for path, seed in zip(out, "112"):
        subprocess.run([sys.executable, ROOT / "scripts/demo_corpus.py", path, "--seed", seed, "--documents", "200"], check=True)
    a, b, c = (path.read_text(encoding="utf-8") for path in out)
    assert a == b and a != c
    assert all(weight in (0, 1, 2) for line in a.splitlines() for _, weight in json.loads(line)["parts"])
