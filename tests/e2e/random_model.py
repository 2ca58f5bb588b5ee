"""Writes model directories with random bf16 weights for tests of memory: any size, quickly, with nothing but Python."""
import json
import random
import struct

BLOCK = 1_000_003  # values that are drawn; weights repeat them, each tensor from another place on


def drawn_block(seed):
    """Values of either sign, 0.008 to 0.03."""
    raw = bytearray(random.Random(seed).randbytes(2 * BLOCK))
    raw[1::2] = raw[1::2].translate(bytes(0x3C | (b & 0x80) for b in range(256)))
    return bytes(raw)


def llama_tensors(c):
    """(name, shape) of all tensors of the config, in the order of use."""
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


def header_of(tensors):
    header, at = {}, 0
    for name, shape in tensors:
        size = 2
        for n in shape:
            size *= n
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    return header, struct.pack("<Q", len(text)) + text


def write_values(f, block, start, size, rank):
    if rank == 1:
        f.write(b"\x80\x3f" * (size // 2))  # norms: ones
        return
    at = 2 * (start % BLOCK)
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
    return header_of(llama_tensors(config))


def write_model(folder, seed=1, **changes):
    """Makes a model directory of one file: the folder."""
    header, head = write_config(folder, changes)
    block = drawn_block(seed)
    with open(folder / "model.safetensors", "wb") as f:
        f.write(head)
        for i, t in enumerate(header.values()):
            begin, end = t["data_offsets"]
            write_values(f, block, i * 12345 * seed, end - begin, len(t["shape"]))
    return folder


def write_sparse_model(folder, **changes):
    """As write_model, with zeros for weights, of which the file system stores nothing where it can: bytes, and those stored."""
    header, head = write_config(folder, changes)
    size = max(t["data_offsets"][1] for t in header.values())
    with open(folder / "model.safetensors", "wb") as f:
        f.write(head)
        f.truncate(len(head) + size)
    return size, (folder / "model.safetensors").stat().st_blocks * 512
