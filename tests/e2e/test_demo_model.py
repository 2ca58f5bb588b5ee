"""The committed demo model is a complete directory of the promised size, and its golden file is fit for use."""
import json
import struct
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "models/demo"
GOLDEN = Path(__file__).resolve().parents[1] / "golden/demo/greedy.json"
FILES = """README.md config.json generation_config.json model.safetensors special_tokens_map.json tokenizer.json
tokenizer_config.json""".split()


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_directory_is_complete_and_small():
    assert sorted(p.name for p in DEMO.iterdir()) == sorted(FILES)
    assert sum(p.stat().st_size for p in DEMO.iterdir()) < 12_000_000


def test_weights_are_bf16_and_of_the_promised_size():
    with open(DEMO / "model.safetensors", "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    header.pop("__metadata__", None)
    assert {t["dtype"] for t in header.values()} == {"BF16"}
    assert 2_000_000 <= sum(t["data_offsets"][1] - t["data_offsets"][0] for t in header.values()) // 2 <= 6_000_000
    assert "lm_head.weight" not in header


def test_ids_agree_between_the_files():
    special = {t["content"]: t["id"] for t in read(DEMO / "tokenizer.json")["added_tokens"]}
    ends = [special["<|endoftext|>"], special["<|end|>"]]
    assert read(DEMO / "config.json")["eos_token_id"] == read(DEMO / "generation_config.json")["eos_token_id"] == ends
    assert read(DEMO / "config.json")["bos_token_id"] == special["<|begin|>"]
    names = {v["content"]: int(k) for k, v in read(DEMO / "tokenizer_config.json")["added_tokens_decoder"].items()}
    assert names == special


def test_golden_cases_are_clear():
    golden = read(GOLDEN)
    assert len(golden["cases"]) >= 12 and golden["eos_ids"] == read(DEMO / "generation_config.json")["eos_token_id"]
    for case in golden["cases"]:
        assert 0 < len(case["ids"]) <= golden["max_new_tokens"]
        assert case["stopped"] == (case["ids"][-1] in golden["eos_ids"])
        assert case["smallest_margin"] > 0.001, case["message"]
    assert sum(case["smallest_margin"] > 0.01 for case in golden["cases"]) >= 12
