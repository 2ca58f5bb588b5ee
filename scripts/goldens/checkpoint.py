"""Writes a model directory as people download it: config, generation config, safetensors in the case's form."""

import random

import torch

from . import files, fp8

TORCH = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}


def dtype_of(case, name):
    if case.dtype != "mixed":
        return case.dtype
    return "F32" if name.endswith("norm.weight") else "F16" if "embed_tokens" in name else "BF16"


def rounded(case, name, x):
    """What the file's numbers are as float32."""
    return fp8.rounded(case.fp8, x) if fp8.is_kept(case, name, x) else x.to(TORCH[dtype_of(case, name)]).float()


def raw(x, dtype):
    return x.to(TORCH[dtype]).contiguous().view(torch.uint8).numpy().tobytes()


def file_tensors(case, tensors):
    """[(name in the file, dtype, shape, bytes)], the head and the embedding as the case wants them."""
    chosen = dict(tensors)
    embed = tensors["model.embed_tokens.weight"]
    if case.write == "head only":
        chosen = {"lm_head.weight": embed, **{k: v for k, v in tensors.items() if k != "model.embed_tokens.weight"}}
    if case.write == "both":
        chosen["lm_head.weight"] = embed.flip(0)
    out = []
    for name, value in chosen.items():
        in_file = case.head if name == "lm_head.weight" else case.prefix + name.removeprefix("model.")
        if fp8.is_kept(case, name, value):
            out += fp8.file_tensors(case.fp8, in_file, value)
            continue
        dtype = dtype_of(case, name)
        out.append((in_file, dtype, tuple(value.shape), raw(value, dtype)))
    return out + [extra_tensor(*e) for e in case.extras]


def extra_tensor(name, dtype, shape):
    """A tensor that the model does not use; 0x3f in each byte is a number in every float dtype."""
    count = 1
    for n in shape:
        count *= n
    return name, dtype, shape, b"\x3f" * (count * SIZES[dtype])


def write(case, tensors, directory):
    files.dump_json(directory / "config.json", case.config, indent=2)
    text = case.config[case.text_key] if case.text_key else case.config
    generation = {
        "_from_model_config": True,
        "bos_token_id": text.get("bos_token_id", 1),
        "eos_token_id": text.get("eos_token_id", 2),
        **case.generation,
    }
    files.dump_json(directory / "generation_config.json", generation, indent=2)
    items = file_tensors(case, tensors)
    if case.shards == 1:
        order = [name for name, *_ in items]
        if case.shuffle:
            random.Random(5).shuffle(order)
        (directory / "model.safetensors").write_bytes(
            files.safetensors_bytes(items, case.metadata, order, case.header_mod)
        )
        return
    per = -(-len(items) // case.shards)
    weight_map = {}
    for i in range(case.shards):
        part = items[i * per : (i + 1) * per]
        name = f"model-{i + 1:05d}-of-{case.shards:05d}.safetensors"
        (directory / name).write_bytes(files.safetensors_bytes(part, case.metadata))
        weight_map.update({t[0]: name for t in part})
    if case.index:
        total = sum(len(t[3]) for t in items)
        files.dump_json(
            directory / "model.safetensors.index.json",
            {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))},
            indent=2,
        )
