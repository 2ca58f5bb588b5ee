"""Tiny random models with the logits and greedy ids that transformers computes for them."""

import copy
import json
import shutil
import zlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from . import checkpoint, env, files
from .model_cases import all_cases

CLASSES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}
STEPS = 64
BATCH = 96  # prompts tried at once in the search for a clear margin
MARGIN = 0.0105  # over the 1 % that the contract speaks of
DISTINCT = 12  # ids among the greedy ones, so that no run is a mere loop
SENSITIVE = 0.01


def text_config(case):
    return copy.deepcopy(case.config[case.text_key] if case.text_key else case.config)


def build(config, tensors=None):
    """The reference model for a config.json's language part, in float32 with eager attention."""
    config = {
        k: int(v) if isinstance(v, float) and v.is_integer() and k.startswith(("hidden_size", "num_")) else v
        for k, v in config.items()
    }
    config_class, model_class = CLASSES[config["model_type"]]
    resolved = config_class.from_dict(copy.deepcopy(config))
    resolved._attn_implementation = "eager"
    resolved.dtype = torch.float32
    model = model_class(resolved).float().eval()
    if tensors is not None:
        wanted = {k: v for k, v in tensors.items() if not (k == "lm_head.weight" and resolved.tie_word_embeddings)}
        missing, unexpected = model.load_state_dict(wanted, strict=False)
        assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
        assert not missing or resolved.tie_word_embeddings
        model.tie_weights()
    return model


def gain_of(case, name):
    """How far a matrix stretches a vector of unit size."""
    gains = {
        "q_proj": case.qk_gain,
        "k_proj": case.qk_gain,
        "gate_proj": case.gate_gain,
        "down_proj": case.down_gain,
        "lm_head": 2.0,
    }
    return next((gain for part, gain in gains.items() if part in name), 1.3)


def draw(case, seed):
    """Random weights in float32, already rounded to the file's dtype: spread so that each part of the model is felt."""
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(case.name.encode())]))
    model = build(text_config(case))
    tied = model.config.tie_word_embeddings
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and tied:
            continue
        x = rng.standard_normal(tuple(value.shape))
        if name.endswith("norm.weight"):
            x = 0.4 + 1.2 * rng.random(tuple(value.shape))
        elif name.endswith(".bias"):
            x = 0.2 * x + case.gate_shift if case.gate_shift and "gate_proj" in name else 0.6 * x
        elif "embed_tokens" in name:
            x *= case.embed_std or (0.25 if tied else 1.0)
        else:
            x *= gain_of(case, name) / np.sqrt(value.shape[1])
        tensors[name] = checkpoint.rounded(case, name, torch.from_numpy(x.astype(np.float32)))
    return tensors


@torch.no_grad()
def greedy(config, tensors, prompts):
    """Argmax steps with the cache, for a batch of prompts of one length: ids [batch, STEPS] and least margins [batch]."""
    model = build(config, tensors)
    out = model(input_ids=torch.tensor(prompts), use_cache=True)
    ids, margin = [], torch.full((len(prompts),), np.inf)
    for step in range(STEPS):
        logits = out.logits[:, -1]
        top = logits.topk(2)
        margin = torch.minimum(margin, (top.values[:, 0] - top.values[:, 1]) / logits.abs().amax(1))
        ids.append(top.indices[:, 0])
        if step + 1 < STEPS:
            out = model(input_ids=ids[-1][:, None], past_key_values=out.past_key_values, use_cache=True)
    return torch.stack(ids, 1), margin


@torch.no_grad()
def logits_of(config, tensors, prompt):
    """Logits of every position of one prompt [n, vocab]; a model of its own, since dynamic rope remembers lengths."""
    return build(config, tensors)(input_ids=torch.tensor([prompt]), use_cache=False).logits[0]


def clear_prompt(case, config, tensors, rng, length):
    """The random prompt whose greedy path has the widest margin of those with enough distinct ids, or None."""
    vocab = config["vocab_size"]
    prompts = rng.integers(0, vocab, (BATCH, length)).tolist()
    ids, margins = greedy(config, tensors, prompts)
    best = None
    for i in torch.argsort(margins, descending=True).tolist():
        if margins[i] < MARGIN:
            break
        if len(set(ids[i].tolist())) >= DISTINCT:
            best = prompts[i]
            break
    if best is None:
        return None
    ids, margin = greedy(config, tensors, [best])
    return best, ids[0].tolist(), float(margin[0])


def check_path(case, config, tensors, prompt, ids):
    """The path with the cache equals the one without (dynamic rope apart, whose keys keep the frequencies of their time)."""
    if "dynamic" in json.dumps(config):
        return
    logits = logits_of(config, tensors, prompt + ids)
    again = logits[len(prompt) - 1 : -1].argmax(1).tolist()
    assert again == ids, f"{case.name}: cached and uncached paths differ"


def sensitivity(case, config, tensors, prompts, last):
    """How far the logits of the prompts' last positions move when a feature is left out; None if one is not felt."""
    out = {}
    for name, change in case.off.items():
        other, changed = copy.deepcopy(config), dict(tensors)
        change(other, changed)
        moved = 0.0
        for prompt, reference in zip(prompts, last):
            d = (logits_of(other, changed, prompt)[-1] - reference).abs().max() / reference.abs().max()
            moved = max(moved, float(d))
        if moved < SENSITIVE:
            print(f"{case.name}: this draw's {name} moves the logits by {moved:.2g} only", flush=True)
            return None
        out[name] = float(f"{moved:.3g}")
    return out


def positions_of(length):
    return sorted({0, length // 2, length - 1} if length > 5 else {length // 2, length - 1})


def random_prompt(case, vocab, rng, length):
    """Random ids; with `early`, one of them is nowhere but in the first so many positions, and nothing else is there."""
    if length <= case.early:
        return rng.integers(0, vocab, length).tolist()
    ids = rng.permutation(vocab)
    return [int(ids[0])] * case.early + rng.choice(ids[1:], length - case.early).tolist()


def attempt(case, seed):
    """Everything for one draw of weights, or None if no prompt has a clear path or a feature is not felt."""
    config = text_config(case)
    config = {k: int(v) if k in ("hidden_size", "num_hidden_layers") else v for k, v in config.items()}
    tensors = draw(case, seed)
    rng = np.random.Generator(np.random.PCG64([seed, 77, zlib.crc32(case.name.encode())]))
    paths, prompts = {}, []
    for i, length in enumerate(case.lengths):
        if i in case.greedy:
            found = clear_prompt(case, config, tensors, rng, length)
            if found is None:
                return None
            paths[i] = found
            check_path(case, config, tensors, found[0], found[1])
        prompts.append(paths[i][0] if i in paths else random_prompt(case, config["vocab_size"], rng, length))
    logits = [logits_of(config, tensors, p) for p in prompts]
    felt = sensitivity(case, config, tensors, prompts, [x[-1] for x in logits])
    return felt and (config, tensors, prompts, paths, logits, felt)


def write_golden(case, config, prompts, paths, logits, felt, directory):
    rows, listed = [], []
    for prompt, values in zip(prompts, logits):
        at = positions_of(len(prompt))
        listed.append({"ids": prompt, "positions": at, "row": len(rows)})
        rows += [values[p] for p in at]
    torch.stack(rows).numpy().astype("<f4").tofile(directory / "logits.f32")
    walks = [{"prompt": i, "ids": ids, "margin": float(f"{m:.4g}")} for i, (_, ids, m) in sorted(paths.items())]
    files.dump_json(
        directory / "golden.json",
        {
            **env.made_by("models", ["torch", "transformers", "numpy"]),
            "case": case.name,
            "covers": case.covers,
            "vocab_size": config["vocab_size"],
            "prompts": listed,
            "greedy": walks,
            "margin": min(w["margin"] for w in walks),
            "sensitivity": felt,
        },
    )


def check_directory(case, directory, prompts, logits):
    """transformers itself, reading the directory that was written, gives the same logits."""
    with torch.no_grad():
        for prompt, reference in zip(prompts, logits):
            model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
            model = model.float()  # with fp8 weights transformers leaves the others in bf16
            moved = (
                model(input_ids=torch.tensor([prompt])).logits[0] - reference
            ).abs().max() / reference.abs().max()
            assert moved < 1e-6, f"{case.name}: from_pretrained differs by {moved:.2g}"


def make(case, directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    found = None
    for seed in range(case.seed, case.seed + 60):
        found = attempt(case, seed)
        if found:
            break
    assert found, f"{case.name}: no draw has a clear greedy path and every feature felt"
    config, tensors, prompts, paths, logits, felt = found
    checkpoint.write(case, tensors, directory)
    write_golden(case, config, prompts, paths, logits, felt, directory)
    if case.direct:
        check_directory(case, directory, prompts, logits)
    distinct = [len(set(ids)) for _, ids, _ in paths.values()]
    size = sum(f.stat().st_size for f in directory.iterdir())
    margin = min(m for _, _, m in paths.values())
    print(f"{case.name}: seed {seed}, margin {margin:.4f}, distinct ids {distinct}, {size / 1000:.0f} kB", flush=True)


def make_all(out, only):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in all_cases():
        if not only or case.name in only:
            make(case, out / case.name)
