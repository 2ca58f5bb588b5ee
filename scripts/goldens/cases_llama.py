"""The Llama cases, and every kind of rope."""

from .case import Case, config, put, rope, without, bias, ones, untied, NO_ROPE, THETA


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
