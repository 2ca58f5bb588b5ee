"""The model card of the demo model. Called by train_demo.py when a run ends."""

import json

NAMES = {
    "chat": "chat template",
    "raw": "the bare question and a newline",
    "question_answer": "`Question: ... Answer:`",
}


def accuracy_table(result):
    forms = list(NAMES)
    lines = [
        "| kind | held out | " + " | ".join(NAMES[f] for f in forms) + " |",
        "|---|---:|" + "---:|" * len(forms),
    ]
    for kind, (_, total) in result["chat"]["kinds"].items():
        lines.append(
            f"| {kind} | {total} | "
            + " | ".join(f"{result[f]['kinds'][kind][0] / total:.1%}" for f in forms)
            + " |"
        )
    lines.append(
        f"| **all** | **{result['questions']}** | "
        + " | ".join(f"**{result[f]['accuracy']:.1%}**" for f in forms)
        + " |"
    )
    return "\n".join(lines)


def write_card(out, args, result, stories, seconds, versions, command, parameters):
    """README.md in the directory `out`. `stories`: (prompt, temperature, text); `seconds`: wall time of training."""
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    tokens = args.steps * args.rows * config["max_position_embeddings"]
    shown = "\n\n".join(
        f"Prompt `{p}`, {'greedy' if not t else f'temperature {t}'}:\n\n> {text}" for p, t, text in stories
    )
    used = ", ".join(f"{k} {v}" for k, v in versions.items())
    (out / "README.md").write_text(
        f"""---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
---
# Demo model

A very small language model, trained from nothing, so that the program of this repository has something real to run: it
tells little stories from an opening line and answers questions about small sums, colours, opposites, counting, days
and months. It knows nothing else. All of its training text was written by the grammars of `scripts/demo_stories.py`
and `scripts/demo_questions.py`; no text was downloaded.

## Facts

- Llama architecture, {parameters:,} parameters in bf16: {config["num_hidden_layers"]} layers, width {config["hidden_size"]}, {config["num_attention_heads"]} query heads and
  {config["num_key_value_heads"]} key/value heads of {config["head_dim"]}, feed-forward {config["intermediate_size"]}, tied embeddings, RoPE theta 10000, context {config["max_position_embeddings"]}.
- Byte-level BPE tokenizer of {config["vocab_size"]} entries, each digit a token; `<|begin|>` is put first by the tokenizer.
- Training: `{command}` (from the repository's root), seed {args.seed}, {args.steps} steps of {args.rows * config["max_position_embeddings"]} tokens ({tokens / 1e6:.1f} million), AdamW, peak learning rate {args.lr},
  cosine schedule over {args.schedule} steps with a linear cool-down over the last {args.cooldown} that were made, {"float32" if args.float32 else "bf16 autocast with float32 master weights"}; {seconds / 60:.0f} minutes on {args.threads} thread(s) of a CPU shared with other work.
- Versions: {used}. Other versions or another CPU give other last bits, and so a slightly different model.

## How to ask

A story: give the first words, for example `Once upon a time` or `One morning, a little fox`. A question: through the
chat template, or the bare question followed by a newline.

```
<|begin|><|user|>
What is 3 + 4?<|end|>
<|assistant|>
3 plus 4 is 7.<|end|>
```

## Accuracy

A question is a phrasing with its operands. About one in ten of these combinations, chosen by a hash, is never seen in
training; the same fact is seen in other phrasings. Right means that the whole greedy answer equals the expected
sentence, character for character. Measured with the bf16 weights of this directory in float32 arithmetic
(`python3 scripts/train_demo.py --evaluate models/demo`):

{accuracy_table(result)}

## Stories

{shown}

## Limits

Sums and differences with numbers to 20, products to 49, numbers to 100. Beyond that it answers just as surely, and
wrongly. Its stories vary some fifty plots, and now and then one swaps a pronoun, gives both heroes the
same name, or loses a thread. It was made to be looked at and tested with, not to be relied upon.
""",
        encoding="utf-8",
    )
