"""The tiny models: what each is for, its config.json, and how its files are written."""

from dataclasses import dataclass, field


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


NO_ROPE = rope(None)
THETA = put(rope_theta=100.0, rope_parameters=None, rope_scaling=None)


def llama_cases():
    yield Case(
        "llama_mha",
        "as many kv heads as heads, said by null; norm weights; float32 file; eps is felt",
        config("llama", num_key_value_heads=None, rms_norm_eps=0.05, torch_dtype="float32"),
        {
            "input_layernorm": ones("input_layernorm"),
            "post_attention_layernorm": ones("post_attention_layernorm"),
            "final norm": ones("model.norm"),
            "rope theta": THETA,
            "rms_norm_eps": put(rms_norm_eps=1e-6),
        },
        dtype="F32",
    )
    yield Case(
        "llama_gqa",
        "grouped kv heads, three layers, `dtype` in place of `torch_dtype`, several eos ids",
        config(
            "llama",
            ("torch_dtype",),
            hidden_size=32,
            intermediate_size=70,
            num_attention_heads=4,
            num_hidden_layers=3,
            num_key_value_heads=2,
            dtype="bfloat16",
            eos_token_id=[2, 7],
        ),
        {"rope theta": THETA},
        generation={"eos_token_id": [2, 7]},
    )
    yield Case(
        "llama_one_kv_head",
        "one kv head; float16 file",
        config("llama", num_attention_heads=6, torch_dtype="float16"),
        {"rope theta": THETA},
        dtype="F16",
    )
    yield Case(
        "llama_head_dim",
        "head_dim is not hidden_size / heads",
        config("llama", head_dim=20, num_key_value_heads=3),
        {"rope theta": THETA},
    )
    yield Case(
        "llama_attention_bias",
        "attention_bias: q, k, v and o",
        config("llama", attention_bias=True),
        {n + " bias": bias(n) for n in ("q_proj", "k_proj", "v_proj", "o_proj")},
    )
    yield Case(
        "llama_mlp_bias",
        "mlp_bias",
        config("llama", mlp_bias=True),
        {n + " bias": bias(n) for n in ("gate_proj", "up_proj", "down_proj")},
    )
    yield Case(
        "llama_tied",
        "tied embeddings, the usual way round",
        config("llama", tie_word_embeddings=True),
        {"tie": untied},
    )
    yield Case(
        "llama_tied_head_only",
        "tied, and the file holds lm_head.weight alone",
        config("llama", tie_word_embeddings=True),
        {"tie": untied},
        write="head only",
        metadata={"format": "pt", "model.embed_tokens.weight": "lm_head.weight"},
    )
    yield Case(
        "llama_tied_both",
        "tied, and the file holds both matrices, which differ: the embedding wins",
        config("llama", tie_word_embeddings=True),
        {"tie": untied},
        write="both",
        direct=False,
    )
    yield Case(
        "llama_defaults",
        "every key with a default left out; small embeddings, so that the default eps is felt",
        config(
            "llama",
            (
                "hidden_act",
                "rms_norm_eps",
                "rope_theta",
                "rope_scaling",
                "tie_word_embeddings",
                "attention_bias",
                "mlp_bias",
                "num_key_value_heads",
                "pretraining_tp",
                "torch_dtype",
                "max_position_embeddings",
                "bos_token_id",
                "eos_token_id",
                "use_cache",
                "initializer_range",
            ),
        ),
        {"rms_norm_eps": put(rms_norm_eps=1e-5), "rope theta": THETA},
        embed_std=0.003,
    )
    for act, other in (("gelu", "gelu_pytorch_tanh"), ("gelu_pytorch_tanh", "gelu")):
        yield Case(
            "llama_act_" + act,
            f"hidden_act {act}; the gates lie where the two forms of gelu differ most",
            config("llama", hidden_act=act, mlp_bias=True),
            {"hidden_act": put(hidden_act="silu"), f"{other} instead": put(hidden_act=other)},
            gate_shift=-2.6,
            gate_gain=0.3,
            down_gain=60.0,
        )
    yield Case(
        "llama_act_relu",
        "hidden_act relu",
        config("llama", hidden_act="relu"),
        {"hidden_act": put(hidden_act="silu")},
    )
    yield Case(
        "llama_mixed_dtypes",
        "float32 norms, float16 embedding, bfloat16 matrices; a torch_dtype that is not the file's; blanks in numbers' types (8.0)",
        config("llama", torch_dtype="float32", hidden_size=36.0, num_hidden_layers=2.0),
        {"rope theta": THETA},
        dtype="mixed",
        direct=False,
    )


def rope_cases():
    theta = {"rope theta": THETA}
    linear = {"type": "linear", "factor": 4.0}
    yield Case(
        "llama_rope_linear",
        "linear, by the old key `type`",
        config("llama", rope_scaling=linear),
        {"linear": NO_ROPE, **theta},
    )
    yield Case(
        "llama_rope_dynamic",
        "dynamic: beyond the 32 positions of max_position_embeddings the frequencies follow the length: a prompt's positions "
        "all take those of its whole length, each later token its own",
        config("llama", max_position_embeddings=32, rope_scaling={"type": "dynamic", "factor": 4.0}),
        {"dynamic": NO_ROPE, "factor": rope({"type": "dynamic", "factor": 2.0})},
        lengths=(1, 5, 32, 33, 60),
        greedy=(1, 4),
    )
    llama3 = {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        "rope_type": "llama3",
    }
    yield Case(
        "llama_rope_llama3",
        "llama3, rope_theta beside it",
        config("llama", rope_scaling=llama3, rope_theta=1000.0, head_dim=16),
        {
            "llama3": NO_ROPE,
            "high_freq_factor": rope({**llama3, "high_freq_factor": 2.0}),
            "original length": rope({**llama3, "original_max_position_embeddings": 128}),
        },
        lengths=(1, 5, 37, 101),
        greedy=(1, 3),
    )
    yield Case(
        "llama_rope_parameters",
        "llama3 in the new `rope_parameters`, rope_theta inside",
        config(
            "llama",
            ("rope_scaling", "rope_theta"),
            rope_parameters={**llama3, "rope_theta": 500.0},
            head_dim=16,
            dtype="bfloat16",
        ),
        {"llama3": NO_ROPE, "theta inside": put(rope_parameters={**llama3, "rope_theta": 10000.0})},
        lengths=(1, 5, 37, 101),
        greedy=(1, 3),
    )
    yarn = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    yield Case(
        "llama_rope_yarn",
        "yarn, old key, attention factor derived",
        config("llama", rope_scaling=yarn, head_dim=16, max_position_embeddings=128),
        {"yarn": NO_ROPE, "attention factor": rope({**yarn, "attention_factor": 1.0})},
        lengths=(1, 5, 31, 60),
        greedy=(1, 3),
    )
    full = {
        "rope_type": "yarn",
        "type": "yarn",
        "factor": 8.0,
        "original_max_position_embeddings": 64,
        "attention_factor": 1.5,
        "beta_fast": 2.0,
        "beta_slow": 0.25,
        "rope_theta": 2000.0,
    }
    yield Case(
        "llama_rope_yarn_attention_factor",
        "yarn in `rope_parameters` with attention_factor, beta_fast, beta_slow",
        config(
            "llama", ("rope_scaling", "rope_theta"), rope_parameters=full, head_dim=16, max_position_embeddings=512
        ),
        {
            "attention_factor": without("attention_factor"),
            "beta_fast": without("beta_fast"),
            "beta_slow": without("beta_slow"),
        },
        lengths=(1, 5, 37, 101),
        greedy=(1, 3),
    )
    mscale = {
        "rope_type": "yarn",
        "factor": 6.0,
        "original_max_position_embeddings": 24,
        "mscale": 1.5,
        "mscale_all_dim": 0.5,
        "truncate": False,
    }
    yield Case(
        "llama_rope_yarn_mscale",
        "yarn with mscale, mscale_all_dim, and no truncation",
        config("llama", rope_scaling=mscale, rope_theta=300.0, head_dim=16, max_position_embeddings=144),
        {"mscale": without("mscale"), "mscale_all_dim": without("mscale_all_dim"), "truncate": without("truncate")},
        lengths=(1, 5, 23, 80),
        greedy=(1, 3),
    )
    yield Case(
        "qwen2_rope_yarn_no_original",
        "yarn without original_max_position_embeddings: that is max_position_embeddings",
        config("qwen2", max_position_embeddings=48, rope_scaling={"type": "yarn", "factor": 4.0}),
        {
            "yarn": NO_ROPE,
            "original length": rope({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256}),
        },
        lengths=(1, 5, 47, 80),
        greedy=(1, 3),
    )


def file_cases():
    llava = {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "image_token_index": 130,
        "ignore_index": -100,
        "projector_hidden_act": "gelu",
        "torch_dtype": "bfloat16",
        "vision_feature_layer": -2,
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 40,
            "image_size": 28,
            "patch_size": 14,
            "projection_dim": 16,
            "vocab_size": 32000,
        },
    }
    text = {
        "model_type": "llama",
        "hidden_size": 36,
        "intermediate_size": 58,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "vocab_size": 131,
        "max_position_embeddings": 256,
        "rms_norm_eps": 0.05,
    }
    vision = [
        ("vision_tower.vision_model.embeddings.class_embedding", "BF16", (24,)),
        ("multi_modal_projector.linear_1.weight", "BF16", (36, 24)),
        ("multi_modal_projector.linear_1.bias", "BF16", (36,)),
    ]
    yield Case(
        "prefix_language_model_model",
        "`language_model.model.` and `language_model.lm_head.weight`; text_config holds only what differs from the class; vision tensors",
        {**llava, "text_config": text},
        {"rms_norm_eps": put(rms_norm_eps=1e-6)},
        text_key="text_config",
        prefix="language_model.model.",
        head="language_model.lm_head.weight",
        extras=vision,
        direct=False,
    )
    mistral3 = {
        **llava,
        "architectures": ["Mistral3ForConditionalGeneration"],
        "model_type": "mistral3",
        "image_token_index": 10,
        "text_config": {
            **text,
            "model_type": "mistral",
            "sliding_window": 8,
            "num_key_value_heads": 3,
            "head_dim": 10,
            "rope_theta": 100000.0,
        },
    }
    yield Case(
        "prefix_model_language_model",
        "`model.language_model.` with lm_head.weight at the top; a window in text_config; vision tensors",
        mistral3,
        {"rms_norm_eps": put(rms_norm_eps=1e-6), "window": put(sliding_window=None)},
        text_key="text_config",
        prefix="model.language_model.",
        extras=[("model." + n, d, s) for n, d, s in vision],
        direct=False,
    )
    yield Case(
        "prefix_none",
        "a base model's names (no prefix), tied",
        config("qwen3", tie_word_embeddings=True),
        {"tie": untied},
        prefix="",
    )
    inv = [(f"model.layers.{i}.self_attn.rotary_emb.inv_freq", "F32", (6,)) for i in range(2)]
    yield Case(
        "extra_tensors",
        "inv_freq of old files, zero-size tensors, a scalar (shape []), tensors of a layer that is not used",
        config("llama"),
        {"rope theta": THETA},
        extras=[
            *inv,
            ("nothing", "F32", (0,)),
            ("model.nothing_at_all", "BF16", (4, 0, 3)),
            ("step", "I64", ()),
            ("model.layers.7.mlp.up_proj.weight", "BF16", (58, 36)),
        ],
    )
    yield Case(
        "shards_index", "three shards with an index", config("qwen2"), {"q_proj bias": bias("q_proj")}, shards=3
    )
    yield Case(
        "shards_no_index",
        "two shards without an index",
        config("mistral"),
        {"rope theta": THETA},
        shards=2,
        index=False,
        direct=False,
    )
    small = dict(
        hidden_size=16,
        intermediate_size=24,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_hidden_layers=1,
        vocab_size=67,
    )
    for mod, dtype, name in ((1, "F32", "float32"), (2, "BF16", "bfloat16"), (3, "F16", "float16")):
        yield Case(
            f"header_mod_{mod}",
            f"{dtype} data that begin at {mod} modulo 8, the header's names in another order than the data",
            config("llama", torch_dtype=name, **small),
            {"rope theta": THETA},
            dtype=dtype,
            header_mod=mod,
            shuffle=True,
            lengths=(1, 5, 37),
            greedy=(1,),
        )


def window_cases():
    window = {"window": put(sliding_window=None)}
    yield Case(
        "mistral_window",
        "sliding_window 8, prompts beyond it",
        config("mistral", sliding_window=8),
        {**window, "window 9": put(sliding_window=9)},
        lengths=(1, 5, 8, 9, 37),
        greedy=(1, 4),
    )
    yield Case(
        "mistral_window_null",
        "sliding_window null: none",
        config("mistral", num_key_value_heads=3),
        {"window 32": put(sliding_window=32)},
    )
    yield Case(
        "mistral_window_absent",
        "sliding_window absent: 4096, and a prompt beyond it",
        config(
            "mistral",
            ("sliding_window",),
            hidden_size=16,
            intermediate_size=24,
            num_attention_heads=2,
            num_hidden_layers=1,
            vocab_size=67,
            max_position_embeddings=8192,
            torch_dtype="float32",
        ),
        window,
        dtype="F32",
        lengths=(1, 5, 4200),
        greedy=(1,),
        qk_gain=3.0,
        early=104,
        seed=58,
    )  # few draws look that far back
    yield Case(
        "mistral_defaults",
        "8 kv heads, eps 1e-6, theta 10000 where the keys are absent",
        config(
            "mistral",
            (
                "num_key_value_heads",
                "rms_norm_eps",
                "rope_theta",
                "hidden_act",
                "tie_word_embeddings",
                "sliding_window",
            ),
            hidden_size=64,
            num_attention_heads=16,
        ),
        {"rms_norm_eps": put(rms_norm_eps=1e-5), "rope theta": THETA},
        embed_std=0.003,
    )
    yield Case(
        "mistral_head_dim",
        "head_dim given, tied",
        config("mistral", head_dim=18, num_key_value_heads=3, tie_word_embeddings=True),
        {"tie": untied, "rope theta": THETA},
    )
    yield Case(
        "qwen2",
        "q, k and v biases, which no key announces; theta 1e6",
        config("qwen2", rope_theta=1000000.0, sliding_window=4),
        {n + " bias": bias(n) for n in ("q_proj", "k_proj", "v_proj")},
    )
    yield Case(
        "qwen2_tied",
        "tied; rope_theta absent; use_sliding_window absent, so the window does not count",
        config(
            "qwen2",
            ("use_sliding_window", "rope_theta"),
            tie_word_embeddings=True,
            sliding_window=4,
            max_window_layers=0,
        ),
        {"tie": untied, "window": put(use_sliding_window=True), "rope theta": THETA},
    )
    yield Case(
        "qwen2_max_window_layers",
        "a window of 8 from layer max_window_layers on",
        config("qwen2", num_hidden_layers=3, use_sliding_window=True, sliding_window=8, max_window_layers=1),
        {"window": put(use_sliding_window=False), "max_window_layers": put(max_window_layers=0)},
        lengths=(1, 5, 8, 9, 37),
        greedy=(1, 4),
    )
    yield Case(
        "qwen2_layer_types",
        "layer_types win over max_window_layers",
        config(
            "qwen2",
            num_hidden_layers=3,
            use_sliding_window=True,
            sliding_window=6,
            max_window_layers=0,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        ),
        {"layer_types": put(layer_types=None), "window": put(use_sliding_window=False, layer_types=None)},
        greedy=(1, 3),
    )
    yield Case(
        "qwen2_defaults",
        "32 kv heads where the key is absent (32 heads of 2)",
        config(
            "qwen2",
            (
                "num_key_value_heads",
                "rms_norm_eps",
                "rope_theta",
                "hidden_act",
                "tie_word_embeddings",
                "use_sliding_window",
                "sliding_window",
                "max_window_layers",
            ),
            hidden_size=64,
            num_attention_heads=32,
            intermediate_size=40,
        ),
        {"rms_norm_eps": put(rms_norm_eps=1e-5)},
        embed_std=0.003,
    )
    yield Case(
        "qwen3",
        "q and k norms, an explicit head_dim, theta 1e6",
        config("qwen3", rope_theta=1000000.0, head_dim=14),
        {"q_norm": ones("q_norm"), "k_norm": ones("k_norm")},
    )
    yield Case(
        "qwen3_head_dim_absent",
        "head_dim 128 where the key is absent; eps of the q and k norms is felt",
        config("qwen3", ("head_dim",), num_attention_heads=1, hidden_size=32, rms_norm_eps=0.5),
        {"q_norm": ones("q_norm"), "rms_norm_eps": put(rms_norm_eps=1e-6)},
    )
    yield Case(
        "qwen3_bias_window",
        "attention_bias (q, k, v, o), and a window of 7 from layer 1 on",
        config(
            "qwen3",
            attention_bias=True,
            use_sliding_window=True,
            sliding_window=7,
            max_window_layers=1,
            num_key_value_heads=3,
        ),
        {
            "window": put(use_sliding_window=False),
            "max_window_layers": put(max_window_layers=0),
            "o_proj bias": bias("o_proj"),
            "k_proj bias": bias("k_proj"),
        },
    )
    yield Case(
        "qwen3_rope_dynamic_tied",
        "dynamic rope, tied, `rope_type`",
        config(
            "qwen3",
            max_position_embeddings=40,
            tie_word_embeddings=True,
            rope_scaling={"rope_type": "dynamic", "factor": 4.0},
        ),
        {"dynamic": NO_ROPE, "tie": untied},
        lengths=(1, 5, 39, 80),
        greedy=(1, 3),
    )


def all_cases():
    cases = [*llama_cases(), *rope_cases(), *file_cases(), *window_cases()]
    assert len({c.name for c in cases}) == len(cases)
    return cases
