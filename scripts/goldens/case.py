"""What describes a tiny model: its config.json, how its files are written, and the features that its logits must feel."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fp8:
    """How a case's matrices are kept in fp8."""

    block: tuple  # rows and columns that share a scale; 0: all
    dtype: str = "F8_E4M3"
    scale: str = "_scale_inv"  # put behind the matrix's name
    scale_dtype: str = "F32"
    flat: bool = False  # scales as a vector, or one as a scalar
    keep: tuple = ("lm_head", "embed_tokens")  # parts of the names of matrices that stay in the case's dtype
    input_scale: bool = False  # a scale of activations beside each matrix


@dataclass
class Case:
    name: str
    covers: str
    config: dict  # config.json as written
    off: dict = field(default_factory=dict)  # feature -> function(config, tensors) that leaves it out; see models.py
    text_key: str = ""  # where the language model's configuration lies ("text_config")
    dtype: str = "BF16"  # of the file; "mixed": norms F32, embedding F16, the rest BF16
    prefix: str = "model."  # of the tensors but lm_head
    head: str = "lm_head.weight"  # name of the head in the file
    write: str = "as tied"  # which of the two matrices: "as tied", "head only", "both"
    fp8: Fp8 | None = None
    shards: int = 1
    index: bool = True
    header_mod: int = 0  # header length modulo 8
    shuffle: bool = False  # header's JSON order is not the order of offsets
    metadata: dict = field(default_factory=lambda: {"format": "pt"})
    extras: list = field(default_factory=list)  # further tensors: (name, dtype, shape)
    lengths: tuple = (1, 5, 37, 61)  # of the prompts; greedy steps from the second and the last
    greedy: tuple = (1, 3)
    early: int = 1 << 20  # longer prompts begin with so many times one id that is nowhere else in them
    embed_std: float = 0.0  # 0: 1 where untied, 0.25 where tied
    qk_gain: float = 1.6
    down_gain: float = 1.3
    gate_gain: float = 1.3
    gate_shift: float = 0.0  # added to the gates' biases, which are small then
    direct: bool = True  # transformers' from_pretrained takes the directory as it is
    generation: dict = field(default_factory=dict)
    seed: int = 1  # of the first draw


FAMILIES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def config(family, drop=(), **changes):
    """A small config.json; `drop` leaves keys out, `changes` wins over the rest."""
    c = {
        "architectures": [FAMILIES[family]],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 36,
        "initializer_range": 0.02,
        "intermediate_size": 58,
        "max_position_embeddings": 256,
        "model_type": family,
        "num_attention_heads": 3,
        "num_hidden_layers": 2,
        "num_key_value_heads": 1,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": 131,
    }
    if family == "llama":
        c.update(attention_bias=False, mlp_bias=False, rope_scaling=None, pretraining_tp=1)
    if family == "mistral":
        c.update(sliding_window=None)
    if family in ("qwen2", "qwen3"):
        c.update(use_sliding_window=False, sliding_window=32, max_window_layers=2)
    if family == "qwen3":
        c.update(head_dim=12, attention_bias=False, rope_scaling=None)
    c.update(changes)
    return {k: v for k, v in c.items() if k not in drop}


# --- features left out, for the sensitivity figures -------------------------------------------------------------------


def put(**changes):
    """The feature's keys set otherwise."""
    return lambda c, t: c.update(changes)


def rope(value):
    """Another `rope_scaling`, the theta kept."""

    def change(c, t):
        theta = (c.get("rope_parameters") or {}).get("rope_theta", c.get("rope_theta", 10000.0))
        c.pop("rope_parameters", None)
        c.update(rope_scaling=dict(value) if value else None, rope_theta=theta)

    return change


def without(key):
    """The rope scaling without one key."""

    def change(c, t):
        where = "rope_parameters" if "rope_parameters" in c else "rope_scaling"
        c[where] = {k: v for k, v in c[where].items() if k != key}

    return change


def bias(*names):
    """These biases zero in the tensors."""

    def change(c, t):
        for key in t:
            if any(key.endswith(n + ".bias") for n in names):
                t[key] = t[key] * 0

    return change


def ones(name):
    """These norm weights all one."""

    def change(c, t):
        for key in t:
            if key.endswith(name + ".weight"):
                t[key] = t[key] * 0 + 1

    return change


def untied(c, t):
    """The tied head turned round: another matrix than the embedding."""
    c["tie_word_embeddings"] = False
    t["lm_head.weight"] = t["model.embed_tokens.weight"].flip(0)


def halved(part, rows, cols):
    """A corner of these matrices halved, as if the scale of that block were another."""

    def change(c, t):
        for key in t:
            if part in key:
                t[key] = t[key].clone()
                t[key][:rows, :cols] /= 2

    return change


NO_ROPE = rope(None)
THETA = put(rope_theta=100.0, rope_parameters=None, rope_scaling=None)
