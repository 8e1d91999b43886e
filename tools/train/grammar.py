"""The template language of the story world, and the cast that fills its slots.

A template is plain text with `[one|two|]` for a free choice (nested choices are allowed, an empty one leaves nothing)
and `{slot}` for a value. Expand() makes the choices, fills the slots, then repairs articles, spaces and capitals.
"""

import re

import words

CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")


def expand(rng, template, slots):
    while True:
        template, count = CHOICE.subn(lambda m: rng.choice(m.group(1).split("|")), template)
        if not count:
            break

    def fill(match):
        value = slots[match.group(1)]
        return value() if callable(value) else value

    return tidy(SLOT.sub(fill, template))


def tidy(text):
    """One space between words, an before vowels, a capital at the start of each sentence and quotation."""
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(r" ([.,!?;:])", r"\1", text)
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU]|honest)", r"\1n ", text)
    text = re.sub(r"(^|\n|[.!?] |\.\" |^\"|(?<!,)\s\")([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)
    return text


def join_list(items):
    """"a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


class Character:
    """Somebody with a name, a kind and a fixed set of pronouns."""

    def __init__(self, rng, kind, used_names):
        if kind in words.FEMALE_ONLY:
            self.female = True
        elif kind in words.MALE_ONLY:
            self.female = False
        else:
            self.female = rng.random() < 0.5
        self.name = rng.choice([n for n in (words.FEMALE if self.female else words.MALE) if n not in used_names])
        self.kind = kind
        self.adjective = rng.choice([a for a in words.ADJECTIVES if not (kind in ("girl", "boy") and a in ("old", "young"))])
        self.is_animal = kind in words.ANIMALS

    def slots(self, prefix, rng):
        she = self.female
        lives = words.ANIMALS[self.kind][1] if self.is_animal else words.PEOPLE[self.kind][0]
        calls = [self.name] * 3 + ["the " + self.kind]
        return {
            prefix: lambda: rng.choice(calls),
            prefix + "N": self.name,
            prefix + "k": self.kind,
            prefix + "d": f"{self.adjective} {self.kind}",
            prefix + "adj": self.adjective,
            prefix + "he": "she" if she else "he",
            prefix + "him": "her" if she else "him",
            prefix + "his": "her" if she else "his",
            prefix + "self": "herself" if she else "himself",
            prefix + "lives": ("lived " if self.is_animal else "worked " if self.kind not in ("girl", "boy") else "lived ") + lives,
            prefix + "home": lives,
        }


def make_cast(rng, count=3):
    """Characters with different names and kinds, so that no reference is ambiguous."""
    kinds = rng.sample(list(words.ANIMALS), count)
    if rng.random() < 0.4:
        kinds[:] = rng.sample(list(words.PEOPLE), count)
    elif rng.random() < 0.3:
        kinds[rng.randrange(count)] = rng.choice(list(words.PEOPLE))
    cast = []
    for kind in kinds:
        cast.append(Character(rng, kind, [c.name for c in cast]))
    return cast


def make_thing(rng):
    """A thing with one or two attributes that suit it: ("brass lantern", "lantern")."""
    noun = rng.choice(words.THINGS)
    looks = rng.choice(words.SIZES + words.COLOURS)
    if noun in words.OF_PAPER:
        return f"{looks} {noun}", noun
    made_of = rng.choice(words.CLOTHS if noun in words.OF_CLOTH else words.MATERIALS)
    return rng.choice([f"{looks} {noun}", f"{looks} {made_of} {noun}", f"{made_of} {noun}"]), noun


def number(rng, value):
    """Numbers up to twenty mostly as words."""
    return words.NUMBERS[value] if value <= 20 and rng.random() < 0.6 else str(value)


def base_slots(rng, cast):
    """Every slot that all plots may use."""
    slots = {}
    for prefix, who in zip(("H", "F", "E"), cast):
        slots.update(who.slots(prefix, rng))
    places = rng.sample(list(words.PLACES), 3)
    for i, place in enumerate(places):
        tag = "P" + ("" if i == 0 else str(i + 1))
        preposition, detail = words.PLACES[place]
        slots[tag] = place
        slots["at" + tag] = f"{preposition} {place}"
        slots["where" + tag] = f"{preposition} {place}, {detail}"
    slots["thing"], slots["noun"] = make_thing(rng)
    slots["thing2"], slots["noun2"] = make_thing(rng)
    while slots["noun2"] == slots["noun"]:
        slots["thing2"], slots["noun2"] = make_thing(rng)
    slots["food"], slots["food2"], slots["food3"] = rng.sample(words.FOODS, 3)
    slots["dish"] = rng.choice(words.DISHES)
    slots["crop"] = rng.choice(words.CROPS)
    slots["skill"] = rng.choice(words.SKILLS)
    slots["weather"] = rng.choice(list(words.WEATHER))
    slots["season"] = rng.choice(words.SEASONS)
    slots["day"] = rng.choice(words.DAYS)
    slots["colour"] = rng.choice(words.COLOURS)
    slots["good"] = lambda: rng.choice(words.FEELINGS_GOOD)
    slots["bad"] = lambda: rng.choice(words.FEELINGS_BAD)
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    slots["n"], slots["n_more"], slots["n_sum"] = number(rng, a), number(rng, b), number(rng, a + b)
    slots["few"] = rng.choice("two three four five six".split())
    return slots
