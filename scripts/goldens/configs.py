"""What the transformers classes make of absent keys, and of the shared configurations."""

import json

from . import env, files
from .models import CLASSES

KEYS = [
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "hidden_act",
    "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window", "sliding_window",
    "max_window_layers", "layer_types", "bos_token_id", "eos_token_id", "pad_token_id",
]  # fmt: skip
DERIVED = {
    "head_dim": "hidden_size / num_attention_heads where null",
    "num_key_value_heads": "num_attention_heads where null",
    "sliding_window": "qwen2, qwen3: null unless use_sliding_window",
    "layer_types": "qwen2, qwen3: sliding_attention from max_window_layers on where there is a window",
    "rope_type": "`rope_type`, else `type`, else default; null or no rope_scaling: default",
}


def class_defaults(config_class):
    """The class's own values, before it derives others from them."""
    fields = config_class.__dataclass_fields__
    out = {k: fields[k].default for k in KEYS if k in fields}
    return {**out, "rope_theta": config_class.default_theta, "rope_type": config_class.default_rope_type}


def layer_windows(config):
    """The window of each layer, null where it sees everything."""
    window, types = getattr(config, "sliding_window", None), getattr(config, "layer_types", None)
    if types is None:
        return [window] * config.num_hidden_layers
    return [window if t == "sliding_attention" else None for t in types]


def resolved(description):
    config = CLASSES[description["model_type"]][0].from_dict(description)
    out = {
        k: getattr(config, k)
        for k in ["model_type", *KEYS]
        if hasattr(config, k) and k not in ("layer_types", "sliding_window")
    }
    out["head_dim"] = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = dict(config.rope_parameters)
    return {
        **out,
        "rope_theta": rope["rope_theta"],
        "rope_type": rope["rope_type"],
        "rope_parameters": rope,
        "layer_windows": layer_windows(config),
    }


def families(data):
    """(file name, the language model's part) of the shared configurations of our families."""
    for path in sorted((data / "configs").glob("*.json")):
        description = json.loads(path.read_text())
        text = description.get("text_config")
        part = text if isinstance(text, dict) and text.get("model_type") in CLASSES else description
        if part.get("model_type") in CLASSES:
            yield path.name, part


def make_all(out, data):
    stamp = env.made_by("rope", ["transformers"])
    defaults = {name: class_defaults(classes[0]) for name, classes in CLASSES.items()}
    files.dump_json(out / "config_defaults.json", {**stamp, "derived": DERIVED, **defaults})
    files.dump_json(
        out / "configs_resolved.json", {**stamp, "files": {name: resolved(part) for name, part in families(data)}}
    )
