"""Questions the demo model is taught, with their answers: one short sentence each.

A question is (kind, phrasing, operands). `held_out` puts about one in ten of these combinations aside, by a hash, so
that no held-out question is ever seen in training while the same fact is seen in other phrasings.
Called by demo_corpus.py (training text) and train_demo.py (measuring).
"""

import hashlib
import itertools
from collections import namedtuple

Question = namedtuple("Question", "kind phrasing operands text answer")
ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
TENS = "- - twenty thirty forty".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
COLOURS = {
    "Grass": "green",
    "The sky": "blue",
    "Snow": "white",
    "Coal": "black",
    "A lemon": "yellow",
    "A banana": "yellow",
    "A carrot": "orange",
    "A tomato": "red",
    "A strawberry": "red",
    "A cherry": "red",
    "A frog": "green",
    "A polar bear": "white",
    "Chocolate": "brown",
    "A pumpkin": "orange",
    "Milk": "white",
    "The sun": "yellow",
    "A leaf": "green",
    "The sea": "blue",
    "A fire engine": "red",
    "A crow": "black",
    "A swan": "white",
    "A flamingo": "pink",
    "A pig": "pink",
    "An elephant": "grey",
    "A mouse": "grey",
    "A cucumber": "green",
    "A pea": "green",
    "Salt": "white",
    "Sugar": "white",
    "Honey": "golden",
    "A blueberry": "blue",
    "A plum": "purple",
    "An orange": "orange",
    "A bear": "brown",
    "Wood": "brown",
    "Mud": "brown",
    "A fox": "red",
    "A ladybird": "red",
    "A chick": "yellow",
    "A sunflower": "yellow",
    "The night": "black",
    "A cloud": "white",
    "Lavender": "purple",
    "A crocodile": "green",
    "Rice": "white",
    "Silver": "grey",
    "A raven": "black",
    "A rose": "red",
    "A grape": "purple",
    "Cheese": "yellow",
}
OPPOSITES = """hot cold|big small|up down|day night|happy sad|fast slow|good bad|old new|tall short|wet dry|open closed|full empty|light dark|hard soft|
loud quiet|early late|in out|left right|rich poor|strong weak|clean dirty|near far|high low|true false|begin end|love hate|black white|thick thin|heavy light|
awake asleep|brave afraid|win lose|push pull|always never|above below|front back|inside outside|sweet sour|wide narrow|warm cool|deep shallow|yes no|
easy difficult|young old|first last|come go|give take|laugh cry|smooth rough|summer winter|north south|east west|before after|buy sell|ask answer"""
NAMES = "Tom Lily Ben Mia Sam Anna Max Ella Leo Rosie".split()
FRUIT = "apple pear plum cookie ball shell stone button book egg".split()


def word(n):
    return ONES[n] if n < 20 else TENS[n // 10] + ("-" + ONES[n % 10] if n % 10 else "")


def cap(s):
    return s[0].upper() + s[1:]


def held_out(kind, phrasing, operands):
    if phrasing == "w2":  # number words have few phrasings: one of them is always taught
        return False
    key = f"{kind}|{phrasing}|{','.join(map(str, operands))}".encode()
    return hashlib.blake2b(key, digest_size=4).digest()[0] % 10 == 0


def family(phrasing):
    """Phrasings of one family ask for the same fact; a little tale ('s') is about a sum in digits ('d')."""
    name = phrasing.rstrip("0123456789")
    return "d" if name == "s" else name


def many(n, thing):
    return f"{n} {thing}" + ("" if n == 1 else "s")


def pick(options, *operands):
    """One of the options, always the same one for the same operands (so that a question has one text)."""
    return options[hashlib.blake2b(repr(operands).encode(), digest_size=2).digest()[0] % len(options)]


def arithmetic(kind, pairs, verb, result, digits, words, stories):
    for a, b in pairs:
        r = result(a, b)
        for p, text in enumerate(digits):
            yield Question(kind, f"d{p}", (a, b), text.format(a=a, b=b), f"{a} {verb} {b} is {r}.")
        for p, text in enumerate(words):
            yield Question(
                kind,
                f"w{p}",
                (a, b),
                text.format(a=word(a), b=word(b), A=cap(word(a))),
                f"{cap(word(a))} {verb} {word(b)} is {word(r)}.",
            )
        for p, (text, answer) in enumerate(stories):
            n, t = pick(NAMES, kind, p, a, b), pick(FRUIT, p, b, a)
            yield Question(
                kind,
                f"s{p}",
                (a, b),
                text.format(n=n, ts=t + "s", at=many(a, t), b=b, a=a, bt=many(b, t)),
                answer.format(n=n, rt=many(r, t)),
            )


def sums():
    pairs = [(a, b) for a in range(21) for b in range(21)]
    yield from arithmetic(
        "addition",
        pairs,
        "plus",
        lambda a, b: a + b,
        [
            "What is {a} + {b}?",
            "What is {a} plus {b}?",
            "How much is {a} + {b}?",
            "How much is {a} plus {b}?",
            "{a} + {b} = ?",
            "What do you get if you add {a} and {b}?",
            "Please add {a} and {b}.",
            "Can you tell me what {a} + {b} is?",
            "Calculate {a} + {b}.",
            "What is the sum of {a} and {b}?",
        ],
        ["What is {a} plus {b}?", "How much is {a} plus {b}?", "What is the sum of {a} and {b}?"],
        [
            ("{n} has {at} and gets {b} more. How many {ts} does {n} have now?", "{n} has {rt} now."),
            (
                "There are {at} in a basket. {n} puts in {b} more. How many {ts} are in the basket?",
                "Now the basket holds {rt}.",
            ),
        ],
    )


def differences():
    pairs = [(a, b) for a in range(21) for b in range(a + 1)]
    yield from arithmetic(
        "subtraction",
        pairs,
        "minus",
        lambda a, b: a - b,
        [
            "What is {a} - {b}?",
            "What is {a} minus {b}?",
            "How much is {a} - {b}?",
            "How much is {a} minus {b}?",
            "{a} - {b} = ?",
            "What do you get if you take {b} from {a}?",
            "Please take {b} away from {a}.",
            "Can you tell me what {a} - {b} is?",
            "Calculate {a} - {b}.",
            "What is left if you take {b} away from {a}?",
        ],
        [
            "What is {a} minus {b}?",
            "How much is {a} minus {b}?",
            "What is left if you take {b} away from {a}?",
        ],
        [
            ("{n} has {at} and gives away {b}. How many {ts} does {n} have now?", "{n} has {rt} now."),
            ("{n} had {at} and lost {b} of them. How many {ts} are left?", "{n} has {rt} left."),
        ],
    )


def products():
    pairs = [(a, b) for a in range(11) for b in range(11) if a * b <= 49]
    yield from arithmetic(
        "multiplication",
        pairs,
        "times",
        lambda a, b: a * b,
        [
            "What is {a} x {b}?",
            "What is {a} times {b}?",
            "How much is {a} times {b}?",
            "{a} x {b} = ?",
            "Calculate {a} x {b}.",
            "What is {a} * {b}?",
            "Can you tell me what {a} times {b} is?",
            "What do you get if you multiply {a} by {b}?",
        ],
        ["What is {a} times {b}?", "How much is {a} times {b}?", "Tell me what {a} times {b} is."],
        [],
    )


def fact(kind, name, texts, answer, operands=()):
    for p, text in enumerate(texts):
        yield Question(kind, f"{name}{p}", operands, text, answer)


def colours():
    for thing, colour in COLOURS.items():
        low = thing[0].lower() + thing[1:]
        yield from fact(
            "colours",
            "p",
            [
                f"What colour is {low}?",
                f"What color is {low}?",
                f"Which colour is {low}?",
                f"Tell me the colour of {low}.",
                f"What is the colour of {low}?",
                f"Which colour does {low} have?",
                f"Do you know what colour {low} is?",
                f"What colour does {low} have?",
                f"Can you tell me the colour of {low}?",
                f"Please name the colour of {low}.",
            ],
            f"{thing} is {colour}.",
            (low,),
        )


def opposites():
    seen = set()
    for pair in OPPOSITES.replace("\n", "").split("|"):
        a, b = pair.split()
        for x, y in ((a, b), (b, a)):
            if x in seen:
                continue
            seen.add(x)
            yield from fact(
                "opposites",
                "p",
                [
                    f"What is the opposite of {x}?",
                    f"What's the opposite of {x}?",
                    f"Tell me the opposite of {x}.",
                    f"Which word is the opposite of {x}?",
                    f"What word means the opposite of {x}?",
                    f"Do you know the opposite of {x}?",
                    f"Can you tell me the opposite of {x}?",
                    f"Name the opposite of {x}.",
                    f"Give me the opposite of {x}.",
                    f"The opposite of {x} is what?",
                ],
                f"The opposite of {x} is {y}.",
                (x,),
            )


def neighbours():
    for n in range(0, 100):
        yield from fact(
            "counting",
            "after",
            [
                f"What comes after {n}?",
                f"Which number comes after {n}?",
                f"What number comes right after {n}?",
                f"What is the next number after {n}?",
                f"Which number follows {n}?",
                f"I am counting and I just said {n}. What comes next?",
                f"Tell me the number after {n}.",
            ],
            f"After {n} comes {n + 1}.",
            (n,),
        )
    for n in range(1, 101):
        yield from fact(
            "counting",
            "before",
            [
                f"What comes before {n}?",
                f"Which number comes before {n}?",
                f"What number comes right before {n}?",
                f"Which number is just before {n}?",
                f"Tell me the number before {n}.",
                f"What is the number before {n}?",
            ],
            f"Before {n} comes {n - 1}.",
            (n,),
        )
    for n in range(1, 50):
        a, b = n - 1, n + 1
        yield from fact(
            "counting",
            "between",
            [
                f"Which number is between {a} and {b}?",
                f"What number comes between {a} and {b}?",
                f"What is between {a} and {b}?",
                f"Tell me the number between {a} and {b}.",
            ],
            f"Between {a} and {b} comes {n}.",
            (a, b),
        )


def counting():
    for a, b in itertools.product(range(21), repeat=2):
        if not 2 <= abs(b - a) <= 12:
            continue
        step, way = (1, "up") if b > a else (-1, "down")
        yield from fact(
            "counting",
            "count",
            [
                f"Count from {a} to {b}.",
                f"Can you count from {a} to {b}?",
                f"Please count from {a} to {b}.",
                f"Count {way} from {a} to {b}.",
                f"Please count {way} from {a} to {b}.",
            ],
            ", ".join(map(str, range(a, b + step, step))) + ".",
            (a, b),
        )


def comparing():
    for a, b in itertools.permutations(range(21), 2):
        yield from fact(
            "comparing",
            "big",
            [
                f"Which number is bigger, {a} or {b}?",
                f"Which is more, {a} or {b}?",
                f"What is bigger, {a} or {b}?",
            ],
            f"{max(a, b)} is bigger than {min(a, b)}.",
            (a, b),
        )
        yield from fact(
            "comparing",
            "small",
            [
                f"Which number is smaller, {a} or {b}?",
                f"Which is less, {a} or {b}?",
                f"What is smaller, {a} or {b}?",
            ],
            f"{min(a, b)} is smaller than {max(a, b)}.",
            (a, b),
        )


def days():
    for i, d in enumerate(DAYS):
        nxt, prv, two = DAYS[(i + 1) % 7], DAYS[i - 1], DAYS[(i + 2) % 7]
        yield from fact(
            "days",
            "after",
            [
                f"What day comes after {d}?",
                f"Which day comes after {d}?",
                f"What is the day after {d}?",
                f"Which day follows {d}?",
                f"What day is right after {d}?",
                f"Tell me the day after {d}.",
                f"Do you know which day comes after {d}?",
                f"What comes after {d}?",
            ],
            f"After {d} comes {nxt}.",
            (d,),
        )
        yield from fact(
            "days",
            "before",
            [
                f"What day comes before {d}?",
                f"Which day comes before {d}?",
                f"What is the day before {d}?",
                f"What day is right before {d}?",
                f"Tell me the day before {d}.",
                f"Do you know which day comes before {d}?",
                f"What comes before {d}?",
            ],
            f"Before {d} comes {prv}.",
            (d,),
        )
        yield from fact(
            "days",
            "tomorrow",
            [
                f"If today is {d}, what day is tomorrow?",
                f"Today is {d}. What day is tomorrow?",
                f"Today is {d}. Which day is it tomorrow?",
                f"It is {d} today. What day will it be tomorrow?",
                f"If it is {d} today, what day is it tomorrow?",
            ],
            f"If today is {d}, tomorrow is {nxt}.",
            (d,),
        )
        yield from fact(
            "days",
            "yesterday",
            [
                f"If today is {d}, what day was yesterday?",
                f"Today is {d}. What day was yesterday?",
                f"Today is {d}. Which day was it yesterday?",
                f"It is {d} today. What day was it yesterday?",
                f"If it is {d} today, what day was it yesterday?",
            ],
            f"If today is {d}, yesterday was {prv}.",
            (d,),
        )
        yield from fact(
            "days",
            "two",
            [
                f"What day is two days after {d}?",
                f"Which day comes two days after {d}?",
                f"Which day is two days after {d}?",
                f"Today is {d}. What day is it in two days?",
                f"If today is {d}, what day is it in two days?",
            ],
            f"Two days after {d} comes {two}.",
            (d,),
        )
        o = ORDINALS[i]
        yield from fact(
            "days",
            "nth",
            [
                f"What is the {o} day of the week?",
                f"Which day is the {o} day of the week?",
                f"Name the {o} day of the week.",
                f"Tell me the {o} day of the week.",
                f"Which is the {o} day of the week?",
                f"Do you know the {o} day of the week?",
            ],
            f"The {o} day of the week is {d}.",
            (i + 1,),
        )
    yield from fact(
        "days",
        "count",
        [
            "How many days are in a week?",
            "How many days are there in a week?",
            "How many days does a week have?",
            "How many days has a week?",
            "Tell me how many days are in a week.",
            "Do you know how many days a week has?",
            "What number of days does a week have?",
            "A week has how many days?",
        ],
        "There are 7 days in a week.",
    )
    yield from fact(
        "days",
        "weekend",
        [
            "Which days are the weekend?",
            "What days are the weekend?",
            "Which days make up the weekend?",
            "Name the days of the weekend.",
            "What are the days of the weekend?",
            "Tell me the days of the weekend.",
        ],
        "The weekend is Saturday and Sunday.",
    )
    yield from fact(
        "days",
        "list",
        [
            "Name the days of the week.",
            "What are the days of the week?",
            "Tell me the days of the week.",
            "Which days are in a week?",
            "List the days of the week.",
            "Can you name the days of the week?",
        ],
        "The days of the week are " + ", ".join(DAYS[:6]) + " and Sunday.",
    )


def months():
    for i, m in enumerate(MONTHS):
        nxt, prv, o = MONTHS[(i + 1) % 12], MONTHS[i - 1], ORDINALS[i]
        yield from fact(
            "months",
            "after",
            [
                f"What month comes after {m}?",
                f"Which month comes after {m}?",
                f"What is the month after {m}?",
                f"Which month follows {m}?",
                f"What month is right after {m}?",
                f"Tell me the month after {m}.",
                f"Do you know which month comes after {m}?",
                f"What comes after {m}?",
            ],
            f"After {m} comes {nxt}.",
            (m,),
        )
        yield from fact(
            "months",
            "before",
            [
                f"What month comes before {m}?",
                f"Which month comes before {m}?",
                f"What is the month before {m}?",
                f"What month is right before {m}?",
                f"Tell me the month before {m}.",
                f"Do you know which month comes before {m}?",
                f"What comes before {m}?",
            ],
            f"Before {m} comes {prv}.",
            (m,),
        )
        yield from fact(
            "months",
            "number",
            [
                f"Which month of the year is {m}?",
                f"What number is the month of {m}?",
                f"Which number does the month {m} have?",
                f"What number month is {m}?",
                f"Is {m} the first month of the year, or which one?",
                f"Tell me which month of the year {m} is.",
            ],
            f"{m} is the {o} month of the year.",
            (m,),
        )
        yield from fact(
            "months",
            "nth",
            [
                f"What is the {o} month of the year?",
                f"Which month is the {o} month of the year?",
                f"Name the {o} month of the year.",
                f"Tell me the {o} month of the year.",
                f"Which is the {o} month of the year?",
                f"What is month number {i + 1}?",
                f"Which month is number {i + 1}?",
            ],
            f"The {o} month of the year is {m}.",
            (i + 1,),
        )
        length = "28 days, or 29 in a leap year" if i == 1 else f"{LENGTHS[i]} days"
        yield from fact(
            "months",
            "length",
            [
                f"How many days are in {m}?",
                f"How many days does {m} have?",
                f"How many days are there in {m}?",
                f"How long is {m}?",
                f"Tell me how many days {m} has.",
                f"Do you know how many days are in {m}?",
                f"What number of days does {m} have?",
            ],
            f"{m} has {length}.",
            (m,),
        )
    yield from fact(
        "months",
        "count",
        [
            "How many months are in a year?",
            "How many months are there in a year?",
            "How many months does a year have?",
            "How many months has a year?",
            "Tell me how many months are in a year.",
            "Do you know how many months a year has?",
            "What number of months does a year have?",
            "A year has how many months?",
        ],
        "There are 12 months in a year.",
    )
    yield from fact(
        "months",
        "list",
        [
            "Name the months of the year.",
            "What are the months of the year?",
            "Tell me the months of the year.",
            "Which months are in a year?",
            "List the months of the year.",
            "Can you name the months of the year?",
        ],
        "The months of the year are " + ", ".join(MONTHS[:11]) + " and December.",
    )


def all_questions():
    """Every question, as two lists: for training, and held out."""
    train, test, facts = [], [], {}
    for make in (sums, differences, products, colours, opposites, neighbours, counting, comparing, days, months):
        for q in make():
            out = held_out(q.kind, q.phrasing, q.operands)
            (test if out else train).append(q)
            facts.setdefault((q.kind, family(q.phrasing), q.operands), []).append(out)
    lost = [f for f, outs in facts.items() if all(outs) and f[0] not in ("counting", "comparing")]
    assert not lost, f"no phrasing left to learn these from: {lost}"
    texts = {q.text for q in train}
    return train, [q for q in test if q.text not in texts]
