#!/usr/bin/env python3
"""Write the corpus of the demo model: little stories and question/answer chats, all made by grammars from a seed.

    python3 scripts/demo_corpus.py OUT.jsonl --seed 1 --documents 100000

Each line is one document: {"parts": [[text, weight], ...]}. Weight 0 marks what the model is not asked to learn to
write (the words of the user), 1 a story, 2 a short answer. Special tokens stand in the text as they are spelled in SPECIAL.
"""

import argparse
import json
import random

import demo_questions
import demo_stories

END_OF_TEXT, BEGIN, SYSTEM, USER, ASSISTANT, END = SPECIAL = [
    "<|endoftext|>",
    "<|begin|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
]
ANSWER = 2  # weight of the tokens of a short answer beside those of a story
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}{{ raise_exception('unknown role: ' + message['role']) }}{% endif %}"
    "{{ '<|' + message['role'] + '|>\\n' + message['content'] | trim + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
SYSTEMS = [
    "You are a helpful assistant.",
    "You are a friendly little helper.",
    "You answer in one short sentence.",
    "Answer the questions of a child.",
    "You are a kind teacher.",
    "You are a storyteller who also knows small sums.",
    "Be brief and friendly.",
    "You are a helpful AI assistant.",
]
TALK = [
    (
        [
            "Hello!",
            "Hello",
            "Hi!",
            "Hi",
            "Hi there!",
            "Hey!",
            "Good morning!",
            "Good evening!",
            "Good day!",
            "Hello, how are you?",
            "How are you?",
        ],
        "Hello! Ask me a small sum, a colour, an opposite, or ask me for a story.",
    ),
    (
        [
            "Who are you?",
            "What are you?",
            "What is your name?",
            "Tell me about yourself.",
            "What's your name?",
            "Are you a robot?",
            "Are you a person?",
        ],
        "I am a very small language model that tells little stories.",
    ),
    (
        [
            "What can you do?",
            "Help",
            "Help me.",
            "What can I ask you?",
            "What do you know?",
            "How can you help me?",
        ],
        "I can tell little stories and answer questions about small sums, colours, opposites, counting, days and months.",
    ),
    (
        [
            "Thank you!",
            "Thanks!",
            "Thank you very much.",
            "Thanks a lot!",
            "That was nice, thank you.",
            "Great, thanks!",
        ],
        "You are welcome!",
    ),
    (
        ["Goodbye!", "Bye!", "See you!", "Good night!", "Bye bye!", "See you tomorrow!"],
        "Goodbye! Come back soon.",
    ),
]
UNKNOWN = [
    "What is the capital of {c}?",
    "Who wrote {w}?",
    "How do I {d}?",
    "Why is {t} so {j}?",
    "Where is {c}?",
    "What is the weather like in {c}?",
    "Who is the president of {c}?",
    "Can you write a {p} for me?",
    "What do you think about {t}?",
    "Explain {t} to me.",
    "When was {w} written?",
    "How old is {t}?",
    "Translate {t} into French.",
    "Tell me the history of {c}.",
    "How many people live in {c}?",
    "What is the meaning of {t}?",
    "How does {t} work?",
    "Write a {p} about {t}.",
    "What is the best {p}?",
]
WORDS = {
    "c": "France Spain Japan China Peru Canada Kenya Rome Paris London Berlin Egypt India Brazil Norway Chile Mexico".split(),
    "w": ["this book", "the letter", "Hamlet", "that song", "the Bible", "the law", "the poem"],
    "d": [
        "fix a car",
        "cook rice",
        "write a letter",
        "learn French",
        "build a house",
        "find a job",
        "program a computer",
        "draw a horse",
        "install it",
        "lose weight",
    ],
    "t": "love life physics music water gravity money time history art science football politics the brain|a computer|the internet|chess|a phone|electricity".replace(
        " the ", "|the "
    ).split(
        "|"
    ),
    "j": "big small hard old strange fast expensive important".split(),
    "p": "poem program letter recipe plan joke song speech list".split(),
}
WORDS["t"] = WORDS["t"][0].split() + WORDS["t"][1:]
DONT_KNOW = "I do not know that. I know small sums, colours, opposites, counting, days and months."
TOPICS = list(demo_stories.ANIMALS) + list(demo_stories.MAGIC) + ["girl", "boy"] * 3
ASK_STORY = [
    "Tell me a story about a {k}.",
    "Please tell me a story about a {k}.",
    "Can you tell me a story about a {k}?",
    "Tell me a little story about a {k}.",
    "I would like a story about a {k}.",
    "Write a story about a {k}.",
    "Write a short story about a {k}.",
    "Tell a story about a {k}.",
    "A story about a {k}, please.",
    "Could you tell me a short story about a {k}?",
]
ASK_ANY = [
    "Tell me a story.",
    "Please tell me a story.",
    "Can you tell me a story?",
    "Tell me a little story.",
    "I would like to hear a story.",
    "Write a short story.",
    "A story, please!",
    "Write a story.",
    "Tell me a bedtime story.",
    "Do you know a story?",
]


def surface(rng, text):
    """A question as people type it: mostly well formed, sometimes not."""
    roll = rng.random()
    if roll < 0.06:
        text = text[0].lower() + text[1:]
    elif roll < 0.10:
        text = text.rstrip("?.!")
    elif roll < 0.13:
        text = (text[0].lower() + text[1:]).rstrip("?.!")
    if rng.random() < 0.08 and any(c in text for c in "+-"):
        text = text.replace(" + ", "+").replace(" - ", "-")
    return text


class Corpus:
    """Draws documents from a seeded generator."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        train, self.test = demo_questions.all_questions()
        self.kinds = {}
        for q in train:
            part = (
                q.phrasing.rstrip("0123456789")
                if q.kind in ("days", "months", "counting")
                else ("w" if q.phrasing[0] == "w" else "")
            )
            self.kinds.setdefault((q.kind, part), []).append(q)
        share = {
            "addition": 8,
            "subtraction": 8,
            "multiplication": 3,
            "colours": 2,
            "opposites": 2.5,
            "comparing": 2,
        }
        self.names = list(self.kinds)
        self.weights = [
            (
                share[k]
                if k in share and not p
                else (
                    3.5
                    if p == "w"
                    else {"counting": 0.8}.get(k, 0.45) * (3 if p == "count" and k == "counting" else 1)
                )
            )
            for k, p in self.names
        ]

    def question(self):
        q = self.rng.choice(self.kinds[self.rng.choices(self.names, self.weights)[0]])
        return surface(self.rng, q.text), q.answer

    def exchange(self):
        """One turn of a chat: (user, assistant)."""
        rng, roll = self.rng, self.rng.random()
        if roll < 0.90:
            return self.question()
        if roll < 0.95:
            texts, answer = rng.choice(TALK)
            return surface(rng, rng.choice(texts)), answer
        text = rng.choice(UNKNOWN).format(**{k: rng.choice(v) for k, v in WORDS.items()})
        return surface(rng, text), DONT_KNOW

    def begin(self):
        """Mostly one BOS; sometimes none or two, as prompts have that get it from nowhere or from template and tokenizer."""
        return self.rng.choices([BEGIN, "", BEGIN * 2], [0.9, 0.05, 0.05])[0]

    def chat(self, turns):
        rng = self.rng
        parts = [[self.begin(), 0]]
        if rng.random() < 0.15:
            parts.append([f"{SYSTEM}\n{rng.choice(SYSTEMS)}{END}\n", 0])
        for ask, answer in turns:
            parts += [
                [f"{USER}\n{ask}{END}\n{ASSISTANT}\n", 0],
                [f"{answer}{END}", 1 if len(answer) > 200 else ANSWER],
                ["\n", 0],
            ]
        return parts + [[END_OF_TEXT, 0]]

    def plain(self):
        """A question with no template: raw, or as Question/Answer."""
        ask, answer = self.question()
        rng = self.rng
        if rng.random() < 0.5:
            return [
                [self.begin() + f"Question: {ask}", 0],
                ["\nAnswer:", 1],
                [f" {answer}{END_OF_TEXT}", ANSWER],
            ]
        return [[self.begin() + ask, 0], [f"\n{answer}{END_OF_TEXT}", ANSWER]]

    def tale(self):
        return [[self.begin(), 0], [demo_stories.story(self.rng) + END_OF_TEXT, 1]]

    def asked_tale(self):
        rng = self.rng
        if rng.random() < 0.35:
            return self.chat([(surface(rng, rng.choice(ASK_ANY)), demo_stories.story(rng))])
        kind = rng.choice(TOPICS)
        ask = (
            rng.choice(ASK_STORY)
            .format(k=kind)
            .replace(" a elephant", " an elephant")
            .replace(" a owl", " an owl")
            .replace(" a otter", " an otter")
            .replace(" a elf", " an elf")
        )
        return self.chat([(surface(rng, ask), demo_stories.story(rng, kind))])

    def document(self):
        roll = self.rng.random()
        if roll < 0.14:
            return self.tale()
        if roll < 0.17:
            return self.asked_tale()
        if roll < 0.40:
            return self.plain()
        return self.chat([self.exchange() for _ in range(self.rng.choices([1, 2, 3, 4], [5, 2, 1, 1])[0])])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out", help="file to write, one JSON document a line")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--documents", type=int, default=100000)
    args = ap.parse_args()
    corpus = Corpus(args.seed)
    with open(args.out, "w", encoding="utf-8") as f:
        for _ in range(args.documents):
            f.write(json.dumps({"parts": corpus.document()}) + "\n")


if __name__ == "__main__":
    main()
