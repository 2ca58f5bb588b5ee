#!/usr/bin/env python3
"""Train the demo model from nothing and write it as a model directory, or measure one.

    python3 scripts/train_demo.py                       train with the shipped settings, write models/demo
    python3 scripts/train_demo.py --steps 200 --out /tmp/thin
    python3 scripts/train_demo.py --evaluate models/demo    accuracy on the held-out questions, as JSON
    python3 scripts/train_demo.py --golden models/demo --out tests/golden/demo/greedy.json

Needs, from PyPI, in a virtual environment: torch, transformers, tokenizers, safetensors. A run that was stopped goes on
from its last checkpoint (--work) when it is started again with the same settings. The batch of each step depends on
the seed and the step only.
"""

import argparse
import collections
import json
import math
import pathlib
import platform
import random
import shlex
import sys
import time

import tokenizers
import torch
import torch.nn.functional as F
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import demo_corpus
import demo_questions
from demo_card import write_card

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONTEXT = 512
SHORT = 0.7  # this share of the schedule is made with rows of half the context, twice as many (faster)
BOS, EOS, END = (
    demo_corpus.SPECIAL.index(t) for t in (demo_corpus.BEGIN, demo_corpus.END_OF_TEXT, demo_corpus.END)
)
STORY_PROMPTS = [
    "Once upon a time",
    "One morning, a little fox",
    "Lily found a red ball",
    "In a small village",
    "One rainy day, Tom",
    "Once upon a time, there was a little dragon named",
    "It was a cold winter day.",
]
CHAT_PROMPTS = [
    "What is 3 + 4?",
    "What is the opposite of hot?",
    "Which day comes after Friday?",
    "What colour is a banana?",
    "Count from 3 to 9.",
    "How many months are in a year?",
    "What is seven plus eight?",
    "How much is 20 - 6?",
    "What comes before 50?",
    "Today is Sunday. What day is tomorrow?",
    "Which number is bigger, 12 or 9?",
    "What is the third month of the year?",
    "Who are you?",
    "Tell me a story about a fox.",
]
GOLDEN_PROMPTS = [  # further ones for the golden file; it keeps those whose every step is clear
    "Tom found a blue kite in the park.",
    "Mia wanted to learn how to swim.",
    "Ben made a boat from paper.",
    "One windy day, Anna went out to fly a kite with her friend Leo.",
    "One night, a little rabbit named Hopper could not sleep because it was dark.",
    "One snowy day, a kind boy named Max wanted to build a snowman.",
    "Rosie planted a tiny seed in the garden.",
    "Otis the bear was afraid of the big dog next door.",
    "Lucy saw a star fall from the sky.",
    "Sam could not stop sneezing.",
    "Clara had a big red apple.",
    "Hugo wanted to touch the clouds.",
]
MARGIN = 0.01


def make_tokenizer(seed, size=2048, documents=30000):
    """A byte-level BPE tokenizer trained on the first documents of the corpus; each digit is a token."""
    corpus = demo_corpus.Corpus(f"{seed}/tokenizer")
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False),
        ]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=demo_corpus.SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(("".join(p[0] for p in corpus.document()) for _ in range(documents)), trainer)
    tok.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{demo_corpus.BEGIN} $A",
                pair=f"{demo_corpus.BEGIN} $A {demo_corpus.BEGIN}:1 $B:1",
                special_tokens=[(demo_corpus.BEGIN, BOS)],
            ),
        ]
    )
    return tok


def token_weights(encoding, parts):
    """The weight of each token: that of the part in which it ends."""
    ends, at = [], 0
    for text, weight in parts:
        at += len(text)
        ends.append((at, weight))
    weights, i = [], 0
    for _, end in encoding.offsets:
        while end > ends[i][0]:
            i += 1
        weights.append(ends[i][1])
    return weights


def batch(tok, seed, step, rows, length):
    """ids and weights, each [rows, length + 1]; every row begins with the beginning of a document."""
    corpus = demo_corpus.Corpus.__new__(demo_corpus.Corpus)
    corpus.__dict__.update(batch.base.__dict__, rng=random.Random(f"{seed}/{step}"))
    ids, weights = [], []
    for _ in range(rows):
        row, w = [], []
        while len(row) < length + 1:
            parts = corpus.document()
            e = tok.encode("".join(p[0] for p in parts), add_special_tokens=False)
            row += e.ids
            w += token_weights(e, parts)
        ids.append(row[: length + 1])
        weights.append(w[: length + 1])
    return torch.tensor(ids), torch.tensor(weights, dtype=torch.float32)


def configuration(args, tok):
    return LlamaConfig(
        vocab_size=tok.get_vocab_size(),
        hidden_size=args.dim,
        intermediate_size=args.ff,
        num_hidden_layers=args.layers,
        num_attention_heads=args.dim // 32,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=BOS,
        eos_token_id=[EOS, END],
        pad_token_id=EOS,
        attention_bias=False,
        mlp_bias=False,
    )


def learning_rate(args, step):
    """Warm-up, then a cosine laid out over --schedule steps, cut short by a linear fall to 0 over the last --cooldown."""
    if step < args.warmup:
        return args.lr * (step + 1) / args.warmup
    done = (step - args.warmup) / max(1, args.schedule - args.warmup)
    rate = args.lr * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
    return rate * min(1.0, (args.steps - step) / max(1, args.cooldown))


def train(args, tok, work):
    torch.manual_seed(args.seed)
    model = LlamaForCausalLM(configuration(args, tok))
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    opt = torch.optim.AdamW(
        [{"params": decay, "weight_decay": args.decay}, {"params": plain, "weight_decay": 0.0}],
        lr=args.lr,
        betas=(0.9, 0.98),
        fused=True,
    )
    checkpoint, first, spent = work / "checkpoint.pt", 0, 0.0
    settings = {
        k: v
        for k, v in vars(args).items()
        if k
        in ("seed", "steps", "schedule", "cooldown", "rows", "dim", "ff", "layers", "lr", "warmup", "decay")
    }
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["settings"] != settings:
            sys.exit(
                f"{checkpoint} was made with other settings {saved['settings']}: remove it or choose another --work"
            )
        model.load_state_dict(saved["model"])
        opt.load_state_dict(saved["opt"])
        first, spent = saved["step"], saved["seconds"]
        print(f"going on from step {first}", flush=True)
    batch.base = demo_corpus.Corpus(args.seed)
    began, last, losses = time.time() - spent, time.time(), []
    for step in range(first, args.steps):
        for group in opt.param_groups:
            group["lr"] = learning_rate(args, step)
        halves = 2 if step < SHORT * args.schedule else 1
        ids, weights = batch(tok, args.seed, step, args.rows * halves, CONTEXT // halves)
        with torch.autocast("cpu", torch.bfloat16, enabled=not args.float32):
            hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
            learn = weights[:, 1:] > 0
            losses_of = F.cross_entropy(
                model.lm_head(hidden[learn]).float(), ids[:, 1:][learn], reduction="none"
            )
            loss = (losses_of * weights[:, 1:][learn]).sum() / weights[:, 1:].sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            rate = args.rows * CONTEXT * (step + 1) / (time.time() - began)
            print(
                f"step {step + 1}/{args.steps} loss {sum(losses) / len(losses):.4f} {rate:.0f} tokens/s, {time.time() - began:.0f} s",
                flush=True,
            )
            losses = []
        if time.time() - last > 240 or step + 1 == args.steps:
            last = time.time()
            torch.save(
                {
                    "model": model.state_dict(),
                    "opt": opt.state_dict(),
                    "step": step + 1,
                    "seconds": last - began,
                    "settings": settings,
                },
                str(checkpoint) + ".new",
            )
            pathlib.Path(str(checkpoint) + ".new").replace(checkpoint)
    return model, time.time() - began


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def save(model, tok, out):
    """A directory like a downloaded one; the weights are rounded to bf16 here, once."""
    out.mkdir(parents=True, exist_ok=True)
    model = model.to(torch.bfloat16)
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=BOS,
        eos_token_id=[EOS, END],
        pad_token_id=EOS,
        do_sample=True,
        temperature=0.7,
        top_p=0.95,
        top_k=50,
    )
    model.save_pretrained(out)
    tok.save(str(out / "tokenizer.json"))
    special = {
        "bos_token": demo_corpus.BEGIN,
        "eos_token": demo_corpus.END_OF_TEXT,
        "pad_token": demo_corpus.END_OF_TEXT,
    }
    added = {
        str(i): {
            "content": t,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for i, t in enumerate(demo_corpus.SPECIAL)
    }
    write_json(out / "special_tokens_map.json", special)
    write_json(
        out / "tokenizer_config.json",
        {
            "added_tokens_decoder": added,
            **special,
            "chat_template": demo_corpus.CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )


def load(directory):
    return AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32
    ).eval(), AutoTokenizer.from_pretrained(directory)


def answers(model, tok, prompts, limit=64):
    """Greedy continuations of many prompts of ids, those of one length in one batch."""
    by_length, out = collections.defaultdict(list), [None] * len(prompts)
    for i, p in enumerate(prompts):
        by_length[len(p)].append(i)
    for where in by_length.values():
        for at in range(0, len(where), 64):
            part = where[at : at + 64]
            got = model.generate(
                torch.tensor([prompts[i] for i in part]),
                attention_mask=torch.ones(len(part), len(prompts[part[0]]), dtype=torch.long),
                do_sample=False,
                max_new_tokens=limit,
                temperature=None,
                top_p=None,
                top_k=None,
            )
            for i, ids in zip(part, got[:, len(prompts[part[0]]) :].tolist()):
                ends = [k for k, t in enumerate(ids) if t in (EOS, END)]
                out[i] = tok.decode(ids[: ends[0]] if ends else ids).strip()
    return out


def chat_ids(tok, text):
    return tok.encode(
        tok.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        ),
        add_special_tokens=False,
    )


def evaluate(directory, samples=0):
    """Held-out accuracy, exact match of the whole answer, greedy, float32 arithmetic on the stored weights."""
    model, tok = load(directory)
    _, test = demo_questions.all_questions()
    result, wrong = {"questions": len(test)}, []
    for form, ids in (
        ("chat", lambda q: chat_ids(tok, q.text)),
        ("raw", lambda q: tok.encode(q.text + "\n")),
        ("question_answer", lambda q: tok.encode(f"Question: {q.text}\nAnswer:")),
    ):
        right, total = collections.Counter(), collections.Counter()
        for q, got in zip(test, answers(model, tok, [ids(q) for q in test])):
            total[q.kind] += 1
            right[q.kind] += got == q.answer
            if got != q.answer and form == "chat":
                wrong.append([q.text, got, q.answer])
        result[form] = {
            "right": sum(right.values()),
            "accuracy": round(sum(right.values()) / len(test), 4),
            "kinds": {k: [right[k], total[k]] for k in total},
        }
    result["wrong"] = wrong[:40]
    return result


def stories(directory, seed=7):
    """(prompt, temperature, text) for the card and for reading."""
    model, tok = load(directory)
    torch.manual_seed(seed)
    out = []
    for prompt in STORY_PROMPTS:
        for temperature in (0, 0.8):
            ids = torch.tensor([tok.encode(prompt)])
            choice = (
                {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
                if not temperature
                else {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
            )
            got = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=400, **choice)
            out.append((prompt, temperature, tok.decode(got[0], skip_special_tokens=True)))
    return out


def versions():
    return {
        "python": platform.python_version(),
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def greedy(model, start, limit, least):
    """(new ids, smallest margin between the first two logits relative to the greatest |logit|); stops below `least`."""
    ids, margin = list(start), math.inf
    while len(ids) < len(start) + limit and margin > least:
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        top = logits.topk(2)
        margin = min(margin, ((top.values[0] - top.values[1]) / logits.abs().max()).item())
        ids.append(int(top.indices[0]))
        if ids[-1] in (EOS, END):
            break
    return ids[len(start) :], margin


def golden(directory, out):
    """Greedy continuations, with the smallest margin of each: the opening prompts whatever theirs, the others if clear."""
    model, tok = load(directory)
    cases = []
    asked = [("plain", p, 0.001 if p in STORY_PROMPTS[:1] else MARGIN) for p in STORY_PROMPTS + GOLDEN_PROMPTS]
    for kind, message, least in asked + [("chat", p, MARGIN) for p in CHAT_PROMPTS]:
        start = tok.encode(message) if kind == "plain" else chat_ids(tok, message)
        new, margin = greedy(model, start, 64, least)
        if margin <= least:
            print(f"left out, margin {margin:.4f}: {message}")
            continue
        cases.append(
            {
                "kind": kind,
                "message": message,
                "prompt": message if kind == "plain" else tok.decode(start),
                "add_special_tokens": kind == "plain",
                "prompt_ids": start,
                "ids": new,
                "text": tok.decode(new, skip_special_tokens=True),
                "stopped": new[-1] in (EOS, END),
                "smallest_margin": round(margin, 5),
            }
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    made = {
        "made_by": "python3 scripts/train_demo.py --golden models/demo --out tests/golden/demo/greedy.json",
        "versions": versions(),
        "arithmetic": "float32 on the bf16 weights, no KV cache, greedy, until 64 new tokens or an eos id",
        "max_new_tokens": 64,
        "eos_ids": [EOS, END],
        "cases": cases,
    }
    write_json(out, made)


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument(
        "--out",
        type=pathlib.Path,
        default=None,
        help="directory to write (default models/demo), or the file of --golden",
    )
    ap.add_argument(
        "--work",
        type=pathlib.Path,
        default=ROOT / "build" / "demo",
        help="where checkpoints are kept (default build/demo)",
    )
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--steps", type=int, default=3850)
    ap.add_argument("--schedule", type=int, default=5000, help="steps over which the cosine is laid out")
    ap.add_argument("--cooldown", type=int, default=400, help="last steps, with a linear fall to 0")
    ap.add_argument("--rows", type=int, default=8, help="rows of %d tokens in a batch" % CONTEXT)
    ap.add_argument("--dim", type=int, default=192)
    ap.add_argument("--ff", type=int, default=512)
    ap.add_argument("--layers", type=int, default=6)
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--warmup", type=int, default=100)
    ap.add_argument("--decay", type=float, default=0.05, help="weight decay")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument(
        "--float32", action="store_true", help="no bf16 autocast (slower where the CPU has bf16 products)"
    )
    ap.add_argument(
        "--evaluate", metavar="DIR", help="measure this model directory, print JSON, train nothing"
    )
    ap.add_argument("--samples", metavar="DIR", help="print stories of this model directory, train nothing")
    ap.add_argument(
        "--golden",
        metavar="DIR",
        help="write greedy continuations of this model directory to --out, train nothing",
    )
    return ap.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.evaluate:
        print(json.dumps(evaluate(args.evaluate), indent=1))
    elif args.samples:
        for prompt, temperature, text in stories(args.samples):
            print(f"[{prompt!r}, temperature {temperature}]\n{text}\n")
    elif args.golden:
        golden(args.golden, args.out or ROOT / "tests/golden/demo/greedy.json")
    else:
        out = args.out or ROOT / "models" / "demo"
        args.work.mkdir(parents=True, exist_ok=True)
        tok = make_tokenizer(args.seed)
        model, seconds = train(args, tok, args.work)
        save(model, tok, out)
        result = evaluate(out)
        print(json.dumps(result, indent=1))
        write_card(
            out,
            args,
            result,
            stories(out),
            seconds,
            versions(),
            "python3 " + shlex.join(["scripts/train_demo.py"] + sys.argv[1:]),
            model.num_parameters(),
        )


if __name__ == "__main__":
    main()
