"""Inverse frequencies and attention scaling of every rope kind, from transformers' own functions."""

import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from . import env, files

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def config(scaling, theta=10000.0, head_dim=64, positions=4096):
    return {"model_type": "llama", "hidden_size": 4 * head_dim, "num_attention_heads": 4, "head_dim": head_dim,
            "max_position_embeddings": positions, "rope_theta": theta, "rope_scaling": scaling}  # fmt: skip


def parameter_sets():
    """(name, config, seq_len)"""
    for theta, dim in (
        (10000.0, 64),
        (10000.0, 128),
        (500000.0, 64),
        (1000000.0, 128),
        (5000000.0, 80),
        (10000.0, 2),
        (10000.0, 6),
        (100.0, 256),
    ):
        yield f"default theta {theta:g} head_dim {dim}", config(None, theta, dim), None
    for factor in (2, 4.0, 2.5, 1.0):
        yield f"linear factor {factor}", config({"type": "linear", "factor": factor}, head_dim=48), None
    for factor in (2.0, 4.0, 1.5):
        for length in (None, 1, 4096, 4097, 5000, 8192, 16384, 100000):
            yield (
                f"dynamic factor {factor:g} at {length}",
                config({"rope_type": "dynamic", "factor": factor}, head_dim=96),
                length,
            )
    yield "dynamic short original", config({"type": "dynamic", "factor": 4.0}, 1000000.0, 12, 32), 100
    yield "llama 3.1", config(LLAMA3, 500000.0, 128, 131072), None
    yield "llama 3.2", config({**LLAMA3, "factor": 32.0}, 500000.0, 64, 131072), None
    yield (
        "llama3 other borders",
        config(
            {**LLAMA3, "low_freq_factor": 2.0, "high_freq_factor": 3.5, "original_max_position_embeddings": 1000},
            10000.0,
            80,
        ),
        None,
    )
    yield "llama3 short original", config({**LLAMA3, "original_max_position_embeddings": 64}, 1000.0, 16, 512), None
    for extra in ({}, {"attention_factor": 1.25}, {"attention_factor": 0.7}, {"beta_fast": 16.0}, {"beta_slow": 2.0}, {"beta_fast": 64, "beta_slow": 4},
                  {"mscale": 0.707, "mscale_all_dim": 1.0}, {"mscale": 1.0, "mscale_all_dim": 1.0}, {"mscale": 0.707}, {"mscale_all_dim": 0.707},
                  {"mscale": 0, "mscale_all_dim": 1.0}, {"truncate": False}, {"truncate": True}, {"truncate": False, "beta_fast": 10.0, "beta_slow": 3.0},
                  {"factor": 1.0}, {"factor": 0.5}, {"factor": 40.0, "original_max_position_embeddings": 4096}, {"attention_factor": None, "beta_fast": None},
                  {"attention_factor": 1.25, "mscale": 2.0, "mscale_all_dim": 1.0}):  # fmt: skip
        yield f"yarn {extra}", config({**YARN, **extra}, 1000000.0, 128, 131072), None
    for theta, dim, original in (
        (10000.0, 64, 4096),
        (150000.0, 64, 4096),
        (10000.0, 16, 32),
        (500.0, 10, 24),
        (10000.0, 128, 1 << 20),
    ):
        scaling = {"type": "yarn", "factor": 8.0, "original_max_position_embeddings": original}
        yield (
            f"yarn theta {theta:g} head_dim {dim} original {original}",
            config(scaling, theta, dim, original * 8),
            None,
        )
        yield (
            f"yarn theta {theta:g} head_dim {dim} original {original} not truncated",
            config({**scaling, "truncate": False}, theta, dim, original * 8),
            None,
        )
    yield "yarn without original", config({"type": "yarn", "factor": 4.0}, 1000000.0, 64, 2048), None
    both = {"model_type": "llama", "hidden_size": 256, "num_attention_heads": 4, "max_position_embeddings": 131072}
    yield "rope_parameters llama3", {**both, "rope_parameters": {**LLAMA3, "rope_theta": 500000.0}}, None
    yield (
        "rope_parameters default",
        {**both, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}},
        None,
    )
    yield "rope_parameters without theta", {**both, "rope_parameters": {"rope_type": "linear", "factor": 2.0}}, None
    yield (
        "rope_parameters without theta, theta beside",
        {**both, "rope_theta": 3000.0, "rope_parameters": {"rope_type": "linear", "factor": 2.0}},
        None,
    )
    yield (
        "rope_parameters with theta, theta beside",
        {**both, "rope_theta": 3000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 700.0}},
        None,
    )
    yield (
        "rope_scaling with theta inside",
        {**both, "rope_theta": 3000.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0, "rope_theta": 700.0}},
        None,
    )
    yield "rope_scaling with no type", {**both, "rope_theta": 3000.0, "rope_scaling": {"factor": 2.0}}, None
    yield (
        "type and rope_type differ",
        {**both, "rope_scaling": {"type": "linear", "rope_type": "dynamic", "factor": 2.0}},
        200000,
    )
    yield "nothing said", both, None


def compute(config, seq_len):
    resolved = LlamaConfig.from_dict(dict(config))
    kind = resolved.rope_parameters["rope_type"]
    if kind == "default":
        return LlamaRotaryEmbedding.compute_default_rope_parameters(resolved)
    length = None if seq_len is None else torch.tensor(seq_len)  # a tensor, as the forward pass gives it
    return ROPE_INIT_FUNCTIONS[kind](resolved, seq_len=length)


def make_all(out):
    sets = []
    for name, description, seq_len in parameter_sets():
        copy = {k: dict(v) if isinstance(v, dict) else v for k, v in description.items()}
        inverse, scaling = compute(copy, seq_len)
        values = [float(f"{x:.9g}") for x in inverse.tolist()]
        sets.append(
            {
                "name": name,
                "config": description,
                "seq_len": seq_len,
                "inv_freq": values,
                "attention_scaling": float(f"{scaling:.9g}"),
            }
        )
    assert len({s["name"] for s in sets}) == len(sets)
    files.dump_json(out / "rope.json", {**env.made_by("rope", ["torch", "transformers"]), "sets": sets})
    print(f"rope.json: {len(sets)} sets", flush=True)
