"""Stories of the story world: one plot, one cast, one pass through the beats."""

import grammar
import plots_one
import plots_two
import words
from beats import SHARED

PLOTS = plots_one.PLOTS + plots_two.PLOTS


def make_story(rng):
    """Returns (text, facts): the story in paragraphs, and what questions about it may ask."""
    name, moral, beats = rng.choice(PLOTS)
    cast = grammar.make_cast(rng)
    slots = grammar.base_slots(rng, cast)
    slots["moral"] = rng.choice(words.MORALS[moral])
    paragraphs, current = [], []
    for beat in beats:
        if beat == "|":
            if rng.random() < 0.6:
                paragraphs.append(" ".join(current))
                current = []
            continue
        alternatives = SHARED[beat] if isinstance(beat, str) else beat
        text = grammar.expand(rng, rng.choice(alternatives), slots)
        if text:
            current.append(text)
    paragraphs.append(" ".join(current))
    text = "\n\n".join(p for p in paragraphs if p)
    facts = {"plot": name, "hero": cast[0], "friend": cast[1], "slots": slots, "moral": slots["moral"]}
    return text, facts
