"""Distributions after transformers' logits processors."""

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers import GenerationConfig
from transformers.generation import logits_process as lp

from . import env, files

VOCAB = 50
WARPERS = {
    "temperature": lp.TemperatureLogitsWarper, "top_k": lp.TopKLogitsWarper, "top_p": lp.TopPLogitsWarper, "min_p": lp.MinPLogitsWarper,
    "typical": lp.TypicalLogitsWarper, "repetition_penalty": lp.RepetitionPenaltyLogitsProcessor,
}  # fmt: skip
ORDER = [
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical",
]


def vectors():
    """Named logits, rounded to what a float holds exactly in few digits."""
    rng = np.random.Generator(np.random.PCG64(42))
    normal = rng.standard_normal(VOCAB) * 3
    tail = -np.log(np.arange(1, VOCAB + 1)) * 1.3
    ties = np.repeat([2.0, 1.0, 0.5, -1.0, -3.0], 10)
    raw = {"normal": normal, "long_tail": rng.permutation(tail), "ties": rng.permutation(ties), "flat": np.zeros(VOCAB), "peaked": np.where(np.arange(VOCAB) == 17, 30.0, normal),
           "two_peaks": np.where(np.isin(np.arange(VOCAB), [3, 40]), 8.0, normal - 3), "large": normal * 20 + 500, "negative": normal - 40}  # fmt: skip
    return {name: [float(f"{x:.4f}") for x in v] for name, v in raw.items()}


def single_steps():
    for step, values in {"temperature": (0.1, 0.7, 1.0, 2.5), "top_k": (1, 2, 5, 40, 50, 1000), "top_p": (0.01, 0.3, 0.5, 0.9, 0.95, 0.999), "min_p": (0.01, 0.05, 0.2, 0.9, 1.0),
                         "typical": (0.1, 0.5, 0.9, 0.99), "repetition_penalty": (1.3, 0.8)}.items():  # fmt: skip
        for value in values:
            yield [[step, value]]
    yield [["presence_penalty", 0.8]]
    yield [["frequency_penalty", 0.4]]
    yield [["presence_penalty", -0.5], ["frequency_penalty", 0.7]]
    yield [["logit_bias", {"3": 4.5, "17": -100.0, "40": 0.25}]]


def combinations():
    yield [["temperature", 0.8], ["top_k", 40], ["top_p", 0.95]]
    yield [["temperature", 1.5], ["top_k", 10], ["top_p", 0.7], ["min_p", 0.1]]
    yield [["repetition_penalty", 1.2], ["temperature", 0.6], ["top_p", 0.9]]
    yield [["temperature", 2.0], ["min_p", 0.05], ["typical", 0.8]]
    yield [["repetition_penalty", 1.1], ["presence_penalty", 0.3], ["frequency_penalty", 0.2], ["logit_bias", {"5": 2.0, "6": -2.0}], ["temperature", 0.9], ["top_k", 30],
           ["top_p", 0.9], ["min_p", 0.02], ["typical", 0.9]]  # fmt: skip
    yield [["top_k", 20], ["typical", 0.3]]
    yield [["top_p", 0.5], ["min_p", 0.5]]


def own_step(logits, history, name, value):
    """The penalties that transformers has not, by their published definition, and the bias."""
    if name == "logit_bias":
        change = {int(k): v for k, v in value.items()}
        return logits + torch.tensor([change.get(i, 0.0) for i in range(VOCAB)])
    counts = torch.bincount(torch.tensor(history, dtype=torch.long), minlength=VOCAB).float()
    return logits - value * (counts > 0).float() if name == "presence_penalty" else logits - value * counts


def distribution(logits, history, steps):
    scores = torch.tensor([logits], dtype=torch.float32)
    ids = torch.tensor([history], dtype=torch.long)
    for name, value in steps:
        scores = (
            WARPERS[name](value)(ids, scores) if name in WARPERS else own_step(scores[0], history, name, value)[None]
        )
    return scores[0].softmax(0)


def check_order():
    """transformers itself puts its processors in our order."""
    tiny = LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCAB, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    )
    wanted = GenerationConfig(
        do_sample=True, repetition_penalty=1.1, temperature=0.5, top_k=5, top_p=0.9, min_p=0.1, typical_p=0.9
    )
    made = tiny._get_logits_processor(wanted, input_ids_seq_length=1)
    classes = [next(name for name, c in WARPERS.items() if isinstance(p, c)) for p in made]
    assert classes == [name for name in ORDER if name in WARPERS], classes


def on_the_edge(logits, history, steps):
    """Whether a cut falls so near a token that rounding decides about it."""
    kept = int((distribution(logits, history, steps) > 0).sum())
    for by in (1 - 1e-5, 1 + 1e-5):
        moved = [[n, min(v * by, 1.0) if n in ("top_p", "min_p", "typical") else v] for n, v in steps]
        if int((distribution(logits, history, moved) > 0).sum()) != kept:
            return True
    return False


def make_all(out):
    check_order()
    cases = []
    history = [3, 17, 3, 3, 40, 8, 17, 0, 49]
    for name, logits in vectors().items():
        for steps in [[], *single_steps(), *combinations()]:
            names = [s[0] for s in steps]
            assert names == sorted(names, key=ORDER.index)
            if on_the_edge(logits, history, steps):
                continue
            probs = [float(f"{p:.7g}") for p in distribution(logits, history, steps).tolist()]
            cases.append({"name": name, "logits": logits, "history": history, "steps": steps, "probs": probs})
    stamp = env.made_by("samplers", ["torch", "transformers", "numpy"])
    files.dump_json(out / "samplers.json", {**stamp, "cases": cases})
    print(f"samplers.json: {len(cases)} cases", flush=True)
