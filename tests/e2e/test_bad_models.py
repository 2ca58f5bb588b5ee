"""Directories that are missing, damaged or not for this program: one clear line, exit 3, nothing on stdout."""
import json
import os
import shutil
import struct
import subprocess

import pytest

from conftest import copy_golden, llm_run, refused


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    for key, value in changes.items():
        if value is None:
            config.pop(key, None)
        else:
            config[key] = value
    (folder / "config.json").write_text(json.dumps(config))


def tensors_of(folder):
    data = (folder / "model.safetensors").read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def write_tensors(folder, header, data):
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_no_directory(tmp_path):
    refused(llm_run(tmp_path / "none", "x"), 3, "none")


def test_a_file_in_place_of_a_directory(tmp_path):
    (tmp_path / "file").write_text("x")
    refused(llm_run(tmp_path / "file", "x"), 3, "file")


def test_an_empty_directory(tmp_path):
    refused(llm_run(tmp_path, "x"), 3, "is empty")


def test_no_config(tiny):
    (tiny / "config.json").unlink()
    refused(llm_run(tiny, "x"), 3, "config.json")


def test_config_that_is_not_json(tiny):
    (tiny / "config.json").write_text('{"model_type": "llama",')
    refused(llm_run(tiny, "x"), 3, "config.json")


def test_another_architecture_names_the_supported_ones(tiny):
    edit_config(tiny, model_type="mamba", architectures=["MambaForCausalLM"])
    refused(llm_run(tiny, "x"), 3, "amba", "llama", "mistral", "qwen2", "qwen3")


def test_not_for_generation(tiny):
    edit_config(tiny, model_type="bert", architectures=["BertForMaskedLM"])
    refused(llm_run(tiny, "x"), 3, "ert")


def test_unknown_rope_kind(tiny):
    edit_config(tiny, rope_scaling={"rope_type": "spiral", "factor": 2.0})
    refused(llm_run(tiny, "x"), 3, "spiral")


def test_unknown_activation(tiny):
    edit_config(tiny, hidden_act="snake")
    refused(llm_run(tiny, "x"), 3, "snake")


def test_nan_in_a_used_key_and_in_an_unused_one(tiny):
    text = (tiny / "config.json").read_text()
    (tiny / "config.json").write_text(text.replace('"hidden_size"', '"some_loss": NaN, "hidden_size"'))
    assert llm_run("-q", "-n", "1", tiny, "x").status == 0
    edit_config(tiny, rms_norm_eps=float("nan"))
    refused(llm_run(tiny, "x"), 3, "rms_norm_eps")


def test_quantised_weights(tiny):
    edit_config(tiny, quantization_config={"quant_method": "gptq", "bits": 4})
    refused(llm_run(tiny, "x"), 3, "gptq")


@pytest.mark.parametrize("rope, parts", [
    ({"rope_type": "llama3", "factor": 8.0, "high_freq_factor": 4.0}, ["'low_freq_factor'", "not there"]),
    ({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0}, ["above low_freq_factor 4"]),
    ({"rope_type": "linear"}, ["'factor'", "not there"]),
    ({"rope_type": "yarn", "factor": 0}, ["'factor' is 0"]),
])
def test_rope_that_lacks_something(tiny, rope, parts):
    edit_config(tiny, rope_scaling=rope, rope_parameters=None)
    refused(llm_run(tiny, "x"), 3, str(tiny / "config.json"), *parts)


def test_sizes_that_do_not_fit_together_name_the_file(tiny):
    edit_config(tiny, num_attention_heads=3, num_key_value_heads=2)
    refused(llm_run(tiny, "x"), 3, str(tiny / "config.json"), "num_attention_heads 3", "num_key_value_heads 2")
    edit_config(tiny, num_attention_heads=1, num_key_value_heads=1, head_dim=7)
    refused(llm_run(tiny, "x"), 3, str(tiny / "config.json"), "head_dim 7")


def test_an_unused_tensor_may_be_of_any_dtype(tiny):
    header, data = tensors_of(tiny)
    for dtype, size in ("F4", 4), ("F8_E8M0", 8), ("C64", 64), ("TERNARY", 3):
        header[f"vision.{dtype}"] = {"dtype": dtype, "shape": [8], "data_offsets": [len(data), len(data) + size]}
        data += b"\0" * size
    write_tensors(tiny, header, data)
    run = llm_run("-v", "-n", "1", tiny, "x")
    assert run.status == 0 and "ignored tensor 'vision.TERNARY'" in run.err, run
    dtype = llm_run("--info", "--json", tiny).json()["dtype"]
    header["vision.F16"] = {"dtype": "F16", "shape": [1 << 20], "data_offsets": [len(data), len(data) + (2 << 20)]}
    data += bytes(2 << 20)
    write_tensors(tiny, header, data)
    assert llm_run("--info", "--json", tiny).json()["dtype"] == dtype != "f16"
    name = "model.layers.0.mlp.up_proj.weight"
    for dtype in "TERNARY", "I8":
        header[name]["dtype"] = dtype
        begin, end = header[name]["data_offsets"]
        if dtype == "I8":
            header[name]["shape"] = [end - begin]
        write_tensors(tiny, header, data)
        refused(llm_run(tiny, "x"), 3, "model.safetensors", name, dtype, "F32, F16, BF16")


@pytest.mark.parametrize("head, what", [
    (b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0", "GGUF"), (b"PK\x03\x04\x14\0\0\0\x08\x08", "ZIP"),
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "pickle"), (b"\x1f\x8b\x08\0\x11\x22\x33\x44\0\x03", "gzip"),
    (b"<!DOCTYPE html><html>Not found", "web page"), (b"<html><head></head>", "web page"), (b"Entry not found", "the text"),
])
def test_something_else_under_the_name_of_weights(tiny, head, what):
    (tiny / "model.safetensors").write_bytes(head + b"\0" * 64)
    refused(llm_run(tiny, "x"), 3, str(tiny / "model.safetensors"), what, "not a safetensors file")


def test_truncated_weights(tiny):
    data = (tiny / "model.safetensors").read_bytes()
    (tiny / "model.safetensors").write_bytes(data[: len(data) // 2])
    refused(llm_run(tiny, "x"), 3, "model.safetensors", "ends at byte", f"{len(data) // 2:,}")


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xff" * 8, struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 1 << 40) + b"{}",
                                  struct.pack("<Q", 4) + b"null"])
def test_hostile_headers(tiny, data):
    (tiny / "model.safetensors").write_bytes(data)
    refused(llm_run(tiny, "x"), 3)


def test_missing_tensors_are_counted_and_three_are_named(tiny):
    header, data = tensors_of(tiny)
    gone = [name for name in sorted(header) if "mlp" in name]
    at, kept, new = 0, b"", {}
    for name, row in sorted(((n, r) for n, r in header.items() if n != "__metadata__"), key=lambda x: x[1]["data_offsets"]):
        if name in gone:
            continue
        begin, end = row["data_offsets"]
        new[name] = dict(row, data_offsets=[at, at + end - begin])
        kept += data[begin:end]
        at += end - begin
    write_tensors(tiny, new, kept)
    line = refused(llm_run(tiny, "x"), 3, str(len(gone)))
    assert sum(name in line for name in gone) == 3


def test_wrong_shape(tiny):
    edit_config(tiny, intermediate_size=60)
    refused(llm_run(tiny, "x"), 3, "mlp", "60")


def test_other_forms_are_called_by_name(tiny):
    (tiny / "model.safetensors").unlink()
    (tiny / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    refused(llm_run(tiny, "x"), 3, "pytorch_model.bin", "safetensors")
    (tiny / "pytorch_model.bin").unlink()
    (tiny / "model.gguf").write_bytes(b"GGUF" + b"\0" * 28)
    refused(llm_run(tiny, "x"), 3, "GGUF")


def test_a_gguf_file_given_directly(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF" + b"\0" * 28)
    refused(llm_run(tmp_path / "m.gguf", "x"), 3, "GGUF")


def test_a_git_lfs_pointer(tiny):
    (tiny / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5000\n")
    refused(llm_run(tiny, "x"), 3, "model.safetensors", "LFS", "lfs pull")


def test_an_adapter_alone(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    refused(llm_run(tmp_path, "x"), 3, "adapter")


def test_missing_shards_are_counted(tmp_path):
    folder = copy_golden("shards_index", tmp_path / "sharded")
    shards = sorted(folder.glob("model-*-of-*.safetensors"))
    shards[0].rename(str(shards[0]) + ".incomplete")
    refused(llm_run("--ids", folder, "1,2"), 3, shards[0].name)


def test_tokenizer_model_alone(tiny):
    (tiny / "tokenizer.json").unlink()
    (tiny / "tokenizer.model").write_bytes(b"\x0a\x00")
    refused(llm_run(tiny, "x"), 3, "tokenizer.model")


def test_a_missing_tokenizer_is_told_before_weights_are_read(tiny):
    (tiny / "tokenizer.json").unlink()
    run = llm_run(tiny, "x")
    assert run.status == 3 and "has no tokenizer.json" in run.err and "--ids works" in run.err, run
    assert "[MemOpt]" not in run.err


def test_a_damaged_tokenizer(tiny):
    text = (tiny / "tokenizer.json").read_text()
    (tiny / "tokenizer.json").write_text(text[: len(text) // 2])
    refused(llm_run(tiny, "x"), 3, "tokenizer.json")
    (tiny / "tokenizer.json").write_text(text.replace('"dropout": null', '"dropout": 0.1'))
    refused(llm_run(tiny, "x"), 3, "dropout")


@pytest.fixture
def as_user():
    """What stands before a command so that permissions count: root reads everything, unless it gives that up."""
    before = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    if before and (not shutil.which("setpriv") or subprocess.run([*before, "true"], capture_output=True).returncode):
        pytest.skip("root reads everything")
    return before


def test_an_unreadable_file(tiny, as_user):
    (tiny / "model.safetensors").chmod(0)
    refused(llm_run(tiny, "x", before=as_user), 3, "model.safetensors", "Permission denied")


@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_folder_that_is_closed(tiny, as_user, mode):
    tiny.chmod(mode)
    run = llm_run(tiny, "x", before=as_user)
    tiny.chmod(0o700)
    refused(run, 3, str(tiny), "Permission denied")


@pytest.mark.parametrize("change, parts", [
    ({"typical_p": 0}, ["'typical_p' is 0"]), ({"top_p": 1.5}, ["'top_p' is 1.5"]), ({"temperature": -1}, ["'temperature' is -1"]),
    ({"repetition_penalty": 0}, ["'repetition_penalty' is 0"]), ({"eos_token_id": "x"}, ["'eos_token_id' is the text 'x'"]),
])
def test_a_generation_config_out_of_range(tiny, change, parts):
    (tiny / "generation_config.json").write_text(json.dumps(change))
    refused(llm_run(tiny, "x"), 3, "generation_config.json", *parts)


def test_keys_of_the_generation_config_that_are_not_followed_are_told(tiny):
    keys = {"num_beams": 4, "suppress_tokens": [5], "bad_words_ids": [], "min_length": 0, "stop_strings": "x", "eos_token_id": [2, 5000, -1],
            "exponential_decay_length_penalty": [3, 1.5], "max_new_tokens": 32, "max_length": 20}
    (tiny / "generation_config.json").write_text(json.dumps(keys))
    run = llm_run("-n", "1", tiny, "x")
    assert run.status == 0 and "not followed here: num_beams, suppress_tokens, stop_strings, exponential_decay_length_penalty\n" in run.err, run
    assert "eos_token_id 5000 never ends the text" in run.err and "eos_token_id 2 " not in run.err, run
    assert "max_" not in run.err and "eos_token_id -1" not in run.err, run
    told = llm_run("-v", "-n", "1", tiny, "x").err
    assert "max_new_tokens 32 is not followed here: -n" in told and "max_length 20 is not followed here: -n" in told, told
    assert "generation_config.json: eos_token_id -1 is no token's id and is left out" in told, told


def test_top_p_of_nothing_is_the_likeliest_token(tiny):
    (tiny / "generation_config.json").write_text(json.dumps({"top_p": 0, "temperature": 5.0}))
    assert llm_run("-q", "-n", "8", tiny, "x").out == llm_run("-q", "--greedy", "-n", "8", tiny, "x").out


def test_a_size_that_the_config_does_not_give(tiny):
    edit_config(tiny, hidden_size=None)
    refused(llm_run(tiny, "x"), 3, "shape", "it has no 'hidden_size': the default of its kind counts")


def test_key_value_heads_that_the_config_does_not_give(tiny):
    edit_config(tiny, num_key_value_heads=None)
    refused(llm_run(tiny, "x"), 3, "shape", "it has no 'num_key_value_heads': the default of its kind counts")


def test_a_regular_expression_that_takes_too_long_names_its_file(tiny):
    tokenizer = json.loads((tiny / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    (tiny / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(llm_run("--tokenize", tiny, "a" * 60 + "b"), 1, str(tiny / "tokenizer.json"), "(a+)+$", "match limit")


def test_names_of_two_families(tiny):
    edit_config(tiny, model_type="mistral", architectures=["LlamaForCausalLM"])
    run = llm_run("-n", "1", tiny, "x")
    assert run.status == 0 and "run as mistral" in run.err, run


def test_an_added_token_beyond_the_embedding(tiny):
    tokenizer = json.loads((tiny / "tokenizer.json").read_text())
    size = max(tokenizer["model"]["vocab"].values()) + 1
    tokenizer["added_tokens"].append({"id": 9999, "content": "<beyond>", "special": True})
    (tiny / "tokenizer.json").write_text(json.dumps(tokenizer))
    run = llm_run("-n", "1", tiny, "a<beyond>")
    assert run.status == 2 and run.out == b"", run
    assert f"added token '<beyond>' has the id {size}, not 9999 as it says" in run.err, run
    assert f"token id {size} ('<beyond>' in the tokenizer) is out of range" in run.err, run


def test_a_unigram_model_without_an_unknown_token_names_its_file(tiny):
    tokenizer = json.loads((tiny / "tokenizer.json").read_text())
    tokenizer.update(model={"type": "Unigram", "vocab": [["a", -1.0]]}, added_tokens=[], post_processor=None)
    (tiny / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(llm_run(tiny, "b"), 3, "tokenizer.json", "no piece for 'b'")


def test_weights_that_are_not_numbers(tiny):
    header, data = tensors_of(tiny)
    row = header["model.norm.weight"]
    begin, end = row["data_offsets"]
    size = {"F32": 4, "BF16": 2, "F16": 2}[row["dtype"]]
    nan = {"F32": b"\0\0\xc0\x7f", "BF16": b"\xc0\x7f", "F16": b"\0\x7e"}[row["dtype"]]
    write_tensors(tiny, header, data[:begin] + nan * ((end - begin) // size) + data[end:])
    refused(llm_run(tiny, "x"), 3, "not numbers")


def test_what_is_ignored_is_listed_when_asked_for(tiny):
    header, data = tensors_of(tiny)
    end = len(data)
    header["vision_tower.x"] = {"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]}
    header["model.layers.0.self_attn.q_proj.bias"] = {"dtype": "F32", "shape": [1], "data_offsets": [end + 4, end + 8]}
    write_tensors(tiny, header, data + bytes(8))
    told = llm_run("-v", "-n", "1", tiny, "x")
    plain = llm_run("-n", "1", tiny, "x")
    assert told.status == plain.status == 0
    assert "ignored tensor 'vision_tower.x'" in told.err and "ignored tensor 'model.layers.0.self_attn.q_proj.bias'" in told.err
    assert "vision_tower" not in plain.err and "q_proj.bias" in plain.err


def test_a_tokenizer_larger_than_the_embedding_is_told_when_asked_for(tiny):
    tokenizer = json.loads((tiny / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["beyond"] = 1000
    (tiny / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "the tokenizer has" in llm_run("-v", "-n", "1", tiny, "x").err
    assert "the tokenizer has" not in llm_run("-n", "1", tiny, "x").err


def test_layer_types_win_over_the_window_of_mistral(tmp_path):
    ids = ",".join(str(n) for n in range(3, 40))
    outs = {}
    for name, window, types in (("no", None, None), ("full", 8, "full_attention"), ("all", 8, None), ("sliding", 8, "sliding_attention")):
        folder = copy_golden("mistral_window", tmp_path / name)
        config = json.loads((folder / "config.json").read_text())
        config["sliding_window"] = window
        if types:
            config["layer_types"] = [types] * config["num_hidden_layers"]
        (folder / "config.json").write_text(json.dumps(config))
        outs[name] = llm_run("-q", "--greedy", "--precise", "-n", "8", "--ids", folder, ids).out
    assert outs["no"] == outs["full"] != outs["all"] == outs["sliding"]


def test_layers_beyond_those_of_the_config_are_told(tiny):
    edit_config(tiny, num_hidden_layers=1)
    run = llm_run("-n", "1", tiny, "x")
    assert run.status == 0 and "beyond the 1 layers of config.json" in run.err, run
