"""Weights in fp8, with the scales that people have: in blocks, one a row, one a matrix."""

from .case import Case, Fp8, config, halved, THETA


def compressed(strategy):
    """What compressed-tensors writes for weights of 8-bit floats."""
    weights = {"num_bits": 8, "type": "float", "symmetric": True, "strategy": strategy, "group_size": None}
    return {
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None}},
        "format": "float-quantized",
        "ignore": ["lm_head"],
        "quant_method": "compressed-tensors",
        "quantization_status": "compressed",
    }


def fp8_cases():
    kept = ["lm_head", "model.layers.1.mlp.up_proj"]
    yield Case(
        "fp8_blocks",
        "e4m3 with weight_scale_inv in blocks that divide the matrices; one matrix stays bf16",
        config(
            "qwen3",
            intermediate_size=60,
            quantization_config={
                "activation_scheme": "dynamic",
                "fmt": "e4m3",
                "modules_to_not_convert": kept,
                "quant_method": "fp8",
                "weight_block_size": [12, 12],
            },
        ),
        {"rope theta": THETA, "a scale": halved("down_proj", 12, 12)},
        fp8=Fp8((12, 12), keep=("lm_head", "embed_tokens", "layers.1.mlp.up_proj")),
    )
    yield Case(
        "fp8_blocks_128",
        "blocks of 128 x 128, of which the last ones are smaller; in two shards",
        config(
            "llama",
            hidden_size=136,
            intermediate_size=140,
            num_attention_heads=4,
            num_hidden_layers=1,
            quantization_config={"fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]},
        ),
        {"rope theta": THETA, "a scale": halved("down_proj", 128, 128)},
        fp8=Fp8((128, 128)),
        shards=2,
        direct=False,
    )
    yield Case(
        "fp8_channels",
        "e4m3 with weight_scale [rows, 1] in bf16, as compressed-tensors has it",
        config("llama", num_hidden_layers=3, quantization_config=compressed("channel")),
        {"rope theta": THETA, "a scale": halved("o_proj", 9, 36)},
        fp8=Fp8((1, 0), scale="_scale", scale_dtype="BF16"),
        direct=False,
    )
    yield Case(
        "fp8_tensor",
        "e4m3 with one weight_scale a matrix, a scalar, and scales of activations, which are not used",
        config("llama", quantization_config={"activation_scheme": "static", "quant_method": "fp8"}),
        {"rope theta": THETA, "a scale": halved("gate_proj", 58, 36)},
        fp8=Fp8((0, 0), scale="_scale", flat=True, input_scale=True),
        direct=False,
    )
    yield Case(
        "fp8_e5m2",
        "e5m2, the embedding too, which is the head; weight_scale [rows]; no quantization_config",
        config("qwen2", tie_word_embeddings=True),
        {"rope theta": THETA, "a scale": halved("up_proj", 20, 36)},
        fp8=Fp8((1, 0), dtype="F8_E5M2", scale="_scale", scale_dtype="F32", flat=True, keep=()),
        direct=False,
    )
