"""Writes model directories with random bf16 or fp8 weights for tests of memory: any size, quickly, with nothing but Python."""
import json
import random
import struct

BLOCK = 1_000_003  # values that are drawn; weights repeat them, each tensor from another place on
SIZES = {"BF16": 2, "F8_E4M3": 1, "F32": 4}
FP8_CONFIG = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}


def drawn_blocks(seed):
    """Values of either sign for each dtype: 0.008 to 0.03 in bf16, and about that in e4m3 (64 to 240) times its scales."""
    draw = random.Random(seed)
    raw = bytearray(draw.randbytes(2 * BLOCK))
    raw[1::2] = raw[1::2].translate(bytes(0x3C | (b & 0x80) for b in range(256)))
    scales = struct.pack("<1000f", *(draw.uniform(8e-5, 13e-5) for _ in range(1000))) * (BLOCK // 1000 + 1)
    return {"BF16": bytes(raw), "F8_E4M3": bytes(raw[:BLOCK]).translate(bytes(0x68 + b % 16 | b & 0x80 for b in range(256))),
            "F32": scales[: 4 * BLOCK]}


def llama_tensors(c):
    """(name, shape) of all matrices and norms of the config, in the order of use."""
    dim, ffn = c["hidden_size"], c["intermediate_size"]
    head = dim // c["num_attention_heads"]
    kv = c["num_key_value_heads"] * head
    yield "model.embed_tokens.weight", (c["vocab_size"], dim)
    for i in range(c["num_hidden_layers"]):
        for name, shape in [("input_layernorm", (dim,)), ("self_attn.q_proj", (dim, dim)), ("self_attn.k_proj", (kv, dim)),
                            ("self_attn.v_proj", (kv, dim)), ("self_attn.o_proj", (dim, dim)), ("post_attention_layernorm", (dim,)),
                            ("mlp.gate_proj", (ffn, dim)), ("mlp.up_proj", (ffn, dim)), ("mlp.down_proj", (dim, ffn))]:
            yield f"model.layers.{i}.{name}.weight", shape
    yield "model.norm.weight", (dim,)
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (c["vocab_size"], dim)


def llama_config(**changes):
    """A Llama of 45 MiB unless `changes` say otherwise."""
    c = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512, "intermediate_size": 1536,
         "num_hidden_layers": 5, "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 8192,
         "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
         "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16"}
    return dict(c, **changes)


def stored_tensors(c):
    """(name, dtype, shape) of all tensors of the file: where the config says fp8, the layers' matrices are, with their scales."""
    for name, shape in llama_tensors(c):
        if "quantization_config" in c and len(shape) == 2 and ".layers." in name:
            yield name, "F8_E4M3", shape
            yield name + "_scale_inv", "F32", tuple(-(-n // 128) for n in shape)
        else:
            yield name, "BF16", shape


def header_of(tensors):
    header, at = {}, 0
    for name, dtype, shape in tensors:
        size = SIZES[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    return header, struct.pack("<Q", len(text)) + text


def write_values(f, blocks, start, tensor):
    begin, end = tensor["data_offsets"]
    size = end - begin
    if len(tensor["shape"]) == 1:
        f.write(b"\x80\x3f" * (size // 2))  # norms: ones
        return
    block = blocks[tensor["dtype"]]
    at = SIZES[tensor["dtype"]] * (start % BLOCK)
    while size:
        piece = block[at:at + size]
        f.write(piece)
        size -= len(piece)
        at = 0


def write_config(folder, changes):
    """Makes the folder: the header of its weights, as an object and as a file begins with it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = llama_config(**changes)
    (folder / "config.json").write_text(json.dumps(config))
    return header_of(stored_tensors(config))


def write_model(folder, seed=1, **changes):
    """Makes a model directory of one file: the folder."""
    header, head = write_config(folder, changes)
    blocks = drawn_blocks(seed)
    with open(folder / "model.safetensors", "wb") as f:
        f.write(head)
        for i, t in enumerate(header.values()):
            write_values(f, blocks, i * 12345 * seed, t)
    return folder


def write_sparse_model(folder, **changes):
    """As write_model, with zeros for weights, of which the file system stores nothing where it can: bytes, and those stored."""
    header, head = write_config(folder, changes)
    size = max(t["data_offsets"][1] for t in header.values())
    with open(folder / "model.safetensors", "wb") as f:
        f.write(head)
        f.truncate(len(head) + size)
    return size, (folder / "model.safetensors").stat().st_blocks * 512
