"""The forms that files take, windows, and the families Mistral, Qwen2 and Qwen3."""

from .case import Case, config, put, bias, ones, untied, NO_ROPE, THETA


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
