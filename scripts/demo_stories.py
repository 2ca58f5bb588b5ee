"""Little stories from a grammar: plot skeletons with slots, filled so that names, pronouns and things agree.

`[a|b|c]` is a choice (nested choices are allowed) and `{slot}` a filled-in word. Slots of a story:
  H he him his        the hero: name or 'the little fox', and the pronouns
  F fhe fhim fhis     the friend; aF at the first mention ('a small mouse named Dot')
  G ghe               somebody older and wiser
  aO O o              a thing: 'a red ball', 'red ball', 'ball'
  in home food        'in the garden', 'the cottage', 'honey cakes'
Called by demo_corpus.py: `story(rng)`, and `story(rng, topic)` for a story about a kind of hero.
"""

import re

from demo_plots import PLOTS

GIRLS = """Lily Mia Anna Rosie Ella Sara Lucy Emma Nora Clara Ruby Ivy Daisy Molly Zoe Maya Alice Hana Leila Freya Ada Tilly
Poppy Grace Hazel Nina Olive Betty Amy Kate Jane Sue Eva Ana Mina Rose Bella Luna Sophie Greta Heidi Ines Wendy Fern Penny""".split()
BOYS = """Tom Ben Max Sam Jack Leo Finn Tim Oliver Noah Theo Hugo Peter Oscar Will Henry Arthur Felix Jonas Omar Ravi Kenji
Luca Milo Otto Paul Adam Dan Jim Joe Eli Toby Charlie George Emil Nils Ali Marco Simon Victor Jasper Robin Ned Hal Bobby""".split()
PETS_F = "Dot Pip Bella Coco Daisy Fern Honey Poppy Misty Willow Pearl Tansy Clover Nutmeg Luna Juniper Mimi Flora Olive Biscuit".split()
PETS_M = "Bruno Rusty Pip Barnaby Chester Hopper Milo Basil Otis Bramble Ollie Sunny Teddy Fergus Mossy Bumble Tuft Oswald Gus Patch".split()
SYLLABLES = "ba be bo da do fa fi ga gi ka ki ko la le li lo ma me mi mo na ni no pa pe po ra ri ro sa si ta ti to va ve wi za zo".split()

ANIMALS = {  # kind: (home, where it likes to be)
    "fox": ("den", "forest"),
    "rabbit": ("burrow", "meadow"),
    "bear": ("cave", "forest"),
    "mouse": ("nest", "meadow"),
    "hedgehog": ("nest", "forest"),
    "squirrel": ("tree", "forest"),
    "cat": ("house", "garden"),
    "dog": ("house", "garden"),
    "frog": ("pond", "pond"),
    "duck": ("nest", "pond"),
    "turtle": ("house", "pond"),
    "badger": ("burrow", "forest"),
    "otter": ("den", "river"),
    "beaver": ("lodge", "river"),
    "lamb": ("barn", "meadow"),
    "pony": ("barn", "meadow"),
    "owl": ("tree", "forest"),
    "penguin": ("nest", "beach"),
    "elephant": ("home", "forest"),
    "monkey": ("tree", "forest"),
    "kitten": ("house", "garden"),
    "puppy": ("house", "garden"),
    "deer": ("home", "forest"),
    "goat": ("barn", "hill"),
    "mole": ("burrow", "garden"),
    "pig": ("barn", "meadow"),
    "snail": ("home", "garden"),
    "panda": ("home", "forest"),
    "wolf": ("den", "forest"),
    "lion": ("den", "hill"),
    "bird": ("nest", "garden"),
    "hen": ("barn", "meadow"),
}
MAGIC = {
    "dragon": ("cave", "hill"),
    "robot": ("house", "garden"),
    "fairy": ("cottage", "forest"),
    "giant": ("cottage", "hill"),
    "wizard": ("tower", "hill"),
    "princess": ("castle", "garden"),
    "prince": ("castle", "garden"),
    "elf": ("cottage", "forest"),
}
PLACES = {
    "forest": "in the forest",
    "meadow": "in the meadow",
    "garden": "in the garden",
    "pond": "by the pond",
    "river": "by the river",
    "beach": "on the beach",
    "hill": "on the hill",
    "park": "in the park",
}
WIDER = {
    "forest": "[deep in the green forest|at the edge of a quiet forest|in a big forest]",
    "meadow": "[in a sunny meadow|on a small farm|in a green valley]",
    "garden": "[in a small village|in a little town|in a house with a big garden]",
    "pond": "[by a quiet pond|near a round pond]",
    "river": "[beside a clear river|by a wide river]",
    "beach": "[by the blue sea|near a long beach]",
    "hill": "[on a green hill|at the foot of a tall hill]",
    "park": "[in a busy town|in a little town near a park]",
}
THINGS = """ball kite hat scarf drum key bell book cup lantern button shell feather stone basket umbrella whistle ribbon blanket
boat box flute lamp spoon bucket balloon coin marble mitten map ring teapot toy wagon bag mirror""".split()
LOOKS = """red blue green yellow orange pink purple white brown golden silver red blue green yellow little big old tiny round
shiny pretty small""".split()
FOODS = """honey cakes|apple pie|warm soup|fresh bread|berry jam|sweet plums|hot porridge|carrot soup|nut cookies|blueberry pie
pancakes|pumpkin soup|cheese sandwiches|ripe pears""".replace(
    "\n", "|"
).split(
    "|"
)
ADJ = "little small young kind clever shy brave curious cheerful gentle happy quiet friendly".split()
OLDER = {
    "child": [
        ("Grandma", "she"),
        ("Grandpa", "he"),
        ("Mum", "she"),
        ("Dad", "he"),
        ("Mother", "she"),
        ("Father", "he"),
        ("Aunt May", "she"),
    ],
    "animal": [
        ("the old owl", "she"),
        ("the old owl", "he"),
        ("the wise turtle", "he"),
        ("Mother", "she"),
        ("Father", "he"),
        ("Grandmother", "she"),
        ("the old badger", "he"),
        ("the grey goose", "she"),
    ],
}
WEATHER = {
    "sun": [
        "The sun was [warm|bright|shining] and the sky was [blue|clear].",
        "The birds were singing in the trees.",
        "It was a [warm|lovely|bright|sunny] day.",
        "A soft wind moved the leaves.",
        "The air smelled of [flowers|grass|summer].",
    ],
    "rain": [
        "Grey clouds filled the sky.",
        "The rain fell [softly|hard] on the [roof|leaves].",
        "It was a wet and rainy day.",
        "Drops of rain ran down the leaves.",
    ],
    "snow": [
        "White snow lay on the ground.",
        "The air was cold and the snow was soft.",
        "Snow was falling [softly|slowly] from the sky.",
    ],
    "wind": [
        "The wind was blowing [hard|all day].",
        "The wind made the trees dance.",
        "It was a windy day.",
    ],
    "night": [
        "The stars were bright above the trees.",
        "The moon was round and white.",
        "Everything was quiet and still.",
    ],
}
WHEN = {
    "sun": "One [sunny |bright |warm |fine ||||]morning|One [sunny |warm |lovely |fine |||]day|One [summer|spring|warm|quiet] afternoon|Early one morning",
    "rain": "One rainy [day|morning|afternoon]|One wet morning",
    "snow": "One [snowy|cold|winter] [morning|day]|One winter day",
    "wind": "One windy [day|morning|afternoon]",
    "night": "One [quiet|clear|starry] [night|evening]|One night",
}

DEEDS = [  # openings that have nothing to do with the plot, so that any opening line can be taken up
    "[saw|met|drew|dreamed of|heard|followed|watched] a [big|tiny|strange|grey|blue|friendly|sleepy] [cat|bird|whale|snake|cow|spider|bee|horse|ship|train|cloud|ghost|king|queen|sailor|tiger]",
    "[opened|closed|washed|painted|mended|carried|hid|bought|sold|dropped] a [big|small|old|new|red|green|silver|heavy|wooden] [box|door|chair|table|window|car|bottle|cake|ladder|clock|tree|egg|letter|guitar|sword|shoe]",
    "[walked|ran|climbed|went|travelled|jumped|looked] [up the mountain|into the city|to the moon|over the bridge|across the sea|down the road|through the snow|around the house|to the shop|into the dark cave]",
    "[ate|cooked|found|wanted] a [big|small|tasty|cold|hot] [pizza|fish|cheese|banana|carrot|potato|cake|sandwich|melon|ice cream|bowl of rice]",
    "[was|felt|became] [sad|happy|angry|tired|hungry|thirsty|sleepy|bored|lonely|proud|cold|very old|sick|lost|late|afraid]",
    "[sang a song|danced in the rain|told a joke|played the piano|read a book|wrote a letter|swam in the lake|slept all day|lived alone|had a secret|had a dream|made a wish|had an idea|liked to swim|worked in the garden|could not find the way|did not know what to do]",
    "[had|got|lost|wanted|loved] a [dog|cat|horse|pet fish|sister|brother|red hat|big house|magic stone|small boat|new friend|golden ring]",
]

ENDINGS_F = [
    "From that day on, {H} and {F} were [the best of friends|good friends|always together].",
    "{H} and {F} stayed friends [forever|for a long, long time].",
    "After that, {H} and {F} met every day.",
    "{H} went to bed that night and thought of {F}.",
    "And {H} and {F} lived happily ever after.",
]
ENDINGS = [
    "{H} went home with a happy heart.",
    "That night {H} slept very well.",
    "{H} was [very happy|happy and proud].",
    "It was a [wonderful|very good] day for {H}.",
    "{H} never forgot that day.",
    "And {H} smiled all the way home.",
]
ENDINGS_O = ["{H} [often|still] thinks of that {O}.", "And the {O}? It was never lost again."]


def expand(rng, text):
    """Resolve every [a|b] choice, innermost first."""
    while "[" in text:
        text = re.sub(r"\[([^\[\]]*)\]", lambda m: rng.choice(m.group(1).split("|")), text)
    return text


def tidy(text):
    """Capitals at sentence starts and a/an. Speech followed by its speaker goes on in lower case."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])(?!one\b|use|uni)", r"\1n ", text)
    up = lambda m: m.group(1) + m.group(2).upper()
    text = re.sub(r"(^|[.!?] |[.!?] \"|^\")([a-z])", up, text)
    return re.sub(
        r"([.!?]\" )(?!(?:said|asked|cried|called|whispered|shouted|everyone shouted|it said|they asked"
        r"|(?:he|she) (?:said|asked|cried|called|whispered|told|shouted|thought|wondered))\b)([a-z])",
        up,
        text,
    )


def new_name(rng, sex, pool):
    if rng.random() < 0.08:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()
    return rng.choice(
        {("f", "child"): GIRLS, ("m", "child"): BOYS, ("f", "pet"): PETS_F, ("m", "pet"): PETS_M}[sex, pool]
    )


def character(rng, who, kind=None, avoid=()):
    """A dict: name (or None), kind, adj, home, place, and pronouns."""
    sex = rng.choice("fm")
    if who == "child":
        if kind in ("girl", "boy"):
            sex = "f" if kind == "girl" else "m"
        kind, home, place = (
            ("girl" if sex == "f" else "boy"),
            rng.choice(("house", "cottage", "house")),
            rng.choice(("garden", "park", "garden", "beach", "meadow", "river", "hill", "forest")),
        )
    else:
        table = ANIMALS if who == "animal" else MAGIC
        kind = kind or rng.choice([k for k in table if k not in avoid])
        home, place = table[kind]
        sex = {"princess": "f", "prince": "m", "hen": "f", "fairy": "f"}.get(kind, sex)
    named = who == "child" or rng.random() < 0.7
    name = (
        new_name(rng, sex, "child" if who == "child" or kind in ("princess", "prince") else "pet")
        if named
        else None
    )
    adj = rng.choice([a for a in ADJ if not (kind == "giant" and a in ("little", "small"))])
    return {
        "who": who,
        "kind": kind,
        "name": name,
        "adj": adj,
        "home": home,
        "place": place,
        "sex": sex,
        "he": "she" if sex == "f" else "he",
        "him": "her" if sex == "f" else "him",
        "his": "her" if sex == "f" else "his",
    }


def called(rng, c):
    """How the character is called after the first mention."""
    return c["name"] or rng.choice((f"the {c['kind']}", f"the {c['adj']} {c['kind']}"))


def first_mention(rng, c):
    if not c["name"]:
        return f"a {c['adj']} {c['kind']}"
    return rng.choice(
        (
            f"a {c['adj']} {c['kind']} named {c['name']}",
            f"a {c['kind']} named {c['name']}",
            f"a {c['adj']} {c['kind']} called {c['name']}",
        )
    )


def opening(rng, plot, hero, s):
    """The first sentences, up to and including the event of the plot."""
    weather, event = plot.weather, plot.event
    when = expand(rng, "[" + WHEN[weather] + "]")
    who, H = first_mention(rng, hero), s["H"]
    where = expand(rng, WIDER[hero["place"]])
    sky = rng.choice(WEATHER[weather]) if rng.random() < 0.4 else ""
    likes = (
        rng.choice(
            (
                "{he} loved to [sing|run and jump|play outside|look at the stars|hear stories|eat {food}|collect stones].",
                "{he} was always [kind|cheerful|ready to help|full of ideas].",
                "{he} lived in a [small|cosy|little] {home}[ with a round door| under a tall tree||].",
                "Everyone liked {H}.",
                "",
            )
        )
        if rng.random() < 0.6
        else ""
    )
    day = when[0].lower() + when[1:]
    style = rng.random()
    if style < 0.09:
        deed = expand(rng, rng.choice(DEEDS))
        start = rng.choice((who, when + ", " + who, who, f"once upon a time, {who}"))
        return f"{start} {deed}. {rng.choice(('', '', sky))} {rng.choice(('The next day', 'Later that day', 'The next morning', 'Then', 'Some days later', 'After that'))}, {H} {event}."
    if style < 0.38:
        lead = rng.choice(
            (
                f"Once upon a time, there was {who}",
                f"Once upon a time there was {who}",
                f"Once upon a time, there lived {who}",
                f"Once upon a time, {where}, there lived {who}",
                f"Once upon a time, {who} lived {where}",
                f"Once there was {who}",
                f"There was once {who}",
                f"Long ago, there lived {who}",
                f"A long time ago, {who} lived {where}",
                f"{where}, there lived {who}",
                f"{where} lived {who}",
                f"{where} there was {who}",
                f"Far away, {where}, lived {who}",
            )
        )
        return f"{lead}. {likes} {when}, {H} {event}. {sky}"
    if style < 0.64:
        return f"{when}, {who} {event}. {sky}"
    if style < 0.71:
        return f"It was {re.sub('^one', 'a' if 'one ' in day else '', day) if not day.startswith('early') else 'early in the morning'}. {sky} {who} {event}."
    if not hero["name"]:
        return rng.choice(
            (
                f"{who} {event}. {sky}",
                f"{when}, {who} {event}. {sky}",
                f"{who} lived {where}. {likes} {when}, {H} {event}. {sky}",
            )
        )
    rest = rng.random()
    if rest < 0.5:
        return f"{H} {event}. {sky}"
    if rest < 0.65 and "known" in s and "{F}" in event + plot.body:
        likes = likes.replace("{he}", "{H}", 1)
        return f"{H} and {s['F']} were friends. {likes} {when}, {H} {event}. {sky}"
    if rest < 0.85:
        return f"{H} was {'a ' + hero['adj'] + ' ' + hero['kind']}. {likes} {when}, {H} {event}. {sky}"
    return f"{sky or rng.choice(WEATHER[weather])} {who} {event}."


def cast(rng, plot, topic):
    who = (
        plot.who
        if plot.who != "any"
        else rng.choice(("child", "child", "animal", "animal", "animal", "magic"))
    )
    kind = None
    if topic:
        who = "child" if topic in ("girl", "boy") else "animal" if topic in ANIMALS else "magic"
        kind = topic
    hero = character(rng, who, kind)
    avoid = {hero["kind"]}
    for _ in range(50):
        friend = character(
            rng,
            (
                rng.choice(("child", "child", "animal"))
                if who == "child"
                else "animal" if who == "animal" or rng.random() < 0.6 else "child"
            ),
            avoid=avoid,
        )
        if friend["name"] and plot.body.find("{Fkind}") >= 0 and friend["who"] != "child":
            continue
        same = friend["sex"] == hero["sex"]
        if friend["name"] and friend["name"] != hero["name"] and (not same or rng.random() < 0.08):
            return hero, friend
    friend["name"] = "Sunny" if hero["name"] != "Sunny" else "Dot"
    return hero, friend


def slots(rng, plot, hero, friend):
    thing = rng.choice(THINGS)
    look = rng.choice(LOOKS)
    elder, _ = rng.choice(
        [
            g
            for g in OLDER["child" if hero["who"] == "child" else "animal"]
            if not any(k in g[0] for k in (hero["kind"], friend["kind"]))
        ]
    )
    H = called(rng, hero)
    new = first_mention(rng, friend)
    s = {
        "H": H,
        "he": hero["he"],
        "him": hero["him"],
        "his": hero["his"],
        "F": friend["name"],
        "Fs": friend["name"] + ("'" if friend["name"].endswith("s") else "'s"),
        "fhe": friend["he"],
        "fhim": friend["him"],
        "fhis": friend["his"],
        "aF": new,
        "Fkind": friend["kind"],
        "G": elder,
        "aO": f"a {look} {thing}",
        "O": f"{look} {thing}",
        "o": thing,
        "in": PLACES[hero["place"]],
        "home": hero["home"],
        "food": rng.choice(FOODS),
        "Hn": hero["name"] or f"little {hero['kind']}",
        "Hname": hero["name"] or hero["kind"].capitalize(),
    }
    if (
        "{aF}" not in plot.event + plot.body and "{Fkind}" not in plot.body
    ):  # an old friend: introduced at the first mention
        s["known"] = rng.choice(
            (
                f"{hero['his']} friend {friend['name']}",
                f"{hero['his']} friend {friend['name']}"
                + (f" the {friend['kind']}" if friend["who"] != "child" else ""),
                f"{hero['his']} best friend {friend['name']}",
            )
        )
    return s


def story(rng, topic=None):
    fit = [
        p
        for p in PLOTS
        if not topic
        or p.who
        in ("any", "child" if topic in ("girl", "boy") else "animal" if topic in ANIMALS else "magic")
    ]
    plot = rng.choice(fit)
    hero, friend = cast(rng, plot, topic)
    s = slots(rng, plot, hero, friend)
    first = opening(rng, plot, hero, s)
    text = expand(rng, first + " " + plot.body)
    uses_f, uses_o = "{F}" in plot.body, "{O}" in plot.event + plot.body or "{aO}" in plot.event + plot.body
    if rng.random() < 0.6:
        pool = (
            (ENDINGS_F * 2 if uses_f else [])
            + ENDINGS
            + (ENDINGS_O if uses_o and rng.random() < 0.3 else [])
        )
        text += " " + expand(rng, rng.choice(pool))
    if rng.random() < 0.35:
        text += " " + plot.moral
    if "known" in s and s["F"] not in text.split("{")[0] and "{F}" in text:
        if f"{s['F']} were friends" not in text:
            text = text.replace("{F}", s["known"], 1)
    for _ in range(2):
        text = re.sub(r"\{(\w+)\}", lambda m: s[m.group(1)], text)
    return tidy(text)
