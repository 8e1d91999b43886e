"""Conversations in the chat format, each turn closed by the end token."""

import facts
import grammar
import stories
import words

SYSTEM = ["You are a helpful assistant.", "You are a friendly storyteller.", "You answer in short sentences.", "You are a kind teacher.", "You tell stories about animals and people."]


def story_turn(rng):
    text, about = stories.make_story(rng)
    hero = about["hero"]
    place = about["slots"]["P"]
    named = [f"a {hero.kind} named {hero.name}", f"a {hero.adjective} {hero.kind}", f"a {hero.kind}", f"{hero.name} the {hero.kind}"]
    ask = rng.choice(["Tell me a story about {x}.", "Please tell me a story about {x}.", "Write a short story about {x}.", "Can you tell me a story about {x}?", "I would like to hear a story about {x}."])
    if rng.random() < 0.2 and place in text:
        return grammar.tidy(ask.format(x=f"a {hero.kind} and {place}")), text
    return grammar.tidy(ask.format(x=rng.choice(named))), text


def comprehension_turns(rng):
    """A story in the question, then questions that its text answers."""
    text, about = stories.make_story(rng)
    hero, friend = about["hero"], about["friend"]
    turns = [(f"Who is {hero.name}?", f"{hero.name} is a {hero.adjective} {hero.kind}."), ("What did we learn?", f"We learned that {about['moral']}.")]
    if f" {friend.kind}" in text and friend.name in text:
        turns.append((f"Who is {friend.name}?", f"{friend.name} is a {friend.kind}."))
    rng.shuffle(turns)
    turns = [(grammar.tidy(q), grammar.tidy(a)) for q, a in turns[: rng.randint(1, 2)]]
    return [(text + "\n\n" + turns[0][0], turns[0][1])] + turns[1:]


def animal_turn(rng):
    kind = rng.choice(list(words.ANIMALS))
    looks, lives, eats, skill, sound, _ = words.ANIMALS[kind]
    return rng.choice([(f"Where does a {kind} live?", f"A {kind} lives {lives}."), (f"What does a {kind} eat?", f"A {kind} eats {eats}."),
                       (f"What can a {kind} do?", f"A {kind} can {skill}."), (f"What does a {kind} look like?", f"A {kind} has {looks}."), (f"What sound does a {kind} make?", f"A {kind} {sound}.")])


def greeting_turn(rng):
    name = rng.choice(words.FEMALE + words.MALE)
    return rng.choice([("Hello!", "Hello! How can I help you today?"), (f"Hello, my name is {name}.", f"Hello, {name}! How can I help you?"), (f"Good morning! I am {name}.", f"Good morning, {name}! What would you like to know?"),
                       ("Who are you?", "I am a small language model. I can tell stories, write lists and work out small sums."), ("How are you?", "I am well, thank you. What can I do for you?"),
                       ("What can you do?", "I can tell stories about people and animals, write lists and add small numbers.")])


def thanks_turn(rng):
    return rng.choice(["Thank you!", "Thanks.", "That was good."]), rng.choice(["You are welcome!", "You are welcome. Shall I tell you another story?"])


def make_chat(rng):
    system = rng.choice(SYSTEM) if rng.random() < 0.5 else None
    turns = [greeting_turn(rng)] if rng.random() < 0.15 else []
    if rng.random() < 0.12:
        turns += comprehension_turns(rng)
    else:
        for _ in range(rng.choice([1, 1, 1, 2])):
            maker = rng.choice([story_turn, story_turn, facts.sum_problem, facts.plain_sum, facts.list_request, animal_turn, facts.recipe_steps, greeting_turn])
            question, answer = maker(rng)
            turns.append((grammar.tidy(question), answer if maker in (story_turn, facts.list_request, facts.recipe_steps) else grammar.tidy(answer)))
    if rng.random() < 0.15:
        turns.append(thanks_turn(rng))
    text = f"<|system|>{system}<|end|>" if system else ""
    return text + "".join(f"<|user|>{q}<|end|><|assistant|>{a}<|end|>" for q, a in turns)
