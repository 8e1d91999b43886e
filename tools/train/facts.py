"""Short texts about the same world: portraits, sums, lists, steps, letters, diaries and talks."""

import grammar
import words
from grammar import expand, join_list, number


def portrait(rng):
    """What one kind of animal looks like, eats and can do."""
    kind = rng.choice(list(words.ANIMALS))
    looks, lives, eats, skill, sound, gathers = words.ANIMALS[kind]
    slots = {"k": kind, "looks": looks, "lives": lives, "eats": eats, "skill": skill, "sound": sound, "gathers": gathers,
             "P": rng.choice(list(words.PLACES)), "season": rng.choice(words.SEASONS)}
    first = rng.choice(["The {k} has {looks}.", "A {k} is an animal with {looks}.", "You can know a {k} by {looks}."])
    rest = ["It lives {lives}.", "It [likes to eat|eats|feeds on] {eats}.", "It can {skill}.", "In {season} it gathers {gathers}.",
            "When it is [happy|afraid|angry], it {sound}.", "You may meet a {k} near {P}[, if you are quiet|].", "The {k} and its young stay together until {season}."]
    rng.shuffle(rest)
    return expand(rng, " ".join([first] + rest[: rng.randint(3, 6)]), slots)


def worker(rng):
    """What somebody of one job does all day."""
    job = rng.choice([j for j in words.PEOPLE if j not in ("girl", "boy")])
    works, tool, makes, act = words.PEOPLE[job]
    who = grammar.Character(rng, job, [])
    slots = dict(who.slots("H", rng), works=works, tool=tool, makes=makes, act=act, food=rng.choice(words.FOODS),
                 day=rng.choice(words.DAYS), P=rng.choice(list(words.PLACES)))
    rest = ["{Hhis} most important tool is a {tool}.", "{Hhe} {act}.", "People come to {Hhim} for {makes}.", "At noon {Hhe} eats {food}.",
            "On {day} {Hhe} goes to {P}.", "{HN} is {Hadj}, and everybody likes {Hhim}.", "{HN} says that no work is better than {Hhis}."]
    rng.shuffle(rest)
    return expand(rng, " ".join(["{HN} is a {Hk} and works {works}."] + rest[: rng.randint(3, 6)]), slots)


def sum_problem(rng):
    """Returns (question, answer): a small sum told as a story, answered in a full sentence."""
    who = grammar.make_cast(rng, 2)
    slots = dict(who[0].slots("H", rng), **who[1].slots("F", rng))
    slots["things"] = rng.choice(words.PLURALS)
    a, b = rng.randint(2, 12), rng.randint(2, 9)
    kind = rng.randrange(4)
    if kind == 0:
        question = "{HN} has {a} {things}. {FN} [gives|brings] {Hhim} {b} more. How many {things} does {HN} have now?"
        answer, result = "{a} plus {b} is {c}, so {HN} has {c} {things}.", a + b
    elif kind == 1:
        a = a + b
        question = "{HN} has {a} {things}. {Hhe} gives {b} of them to {FN}. How many {things} does {HN} have left?"
        answer, result = "{a} minus {b} is {c}, so {HN} has {c} {things} left.", a - b
    elif kind == 2:
        a, b = min(a, 9), rng.randint(2, 5)
        question = "There are {b} baskets {atP}. In each basket there are {a} {things}. How many {things} are there in all?"
        answer, result = "{b} times {a} is {c}, so there are {c} {things}.", a * b
    else:
        question = "{HN} found {a} {things}, and {FN} found {b} {things}. How many {things} did they find together?"
        answer, result = "{a} plus {b} is {c}, so they found {c} {things} together.", a + b
    place = rng.choice(list(words.PLACES))
    slots.update(a=str(a), b=str(b), c=str(result), atP=f"{words.PLACES[place][0]} {place}")
    return expand(rng, question, slots), expand(rng, answer, slots)


def plain_sum(rng):
    a, b = rng.randint(1, 20), rng.randint(1, 20)
    if rng.random() < 0.6:
        return f"What is {a} plus {b}?", f"{a} plus {b} is {a + b}."
    a, b = max(a, b), min(a, b)
    return f"What is {a} minus {b}?", f"{a} minus {b} is {a - b}."


LISTS = {
    "animals": list(words.ANIMALS), "foods": words.FOODS, "colours": words.COLOURS, "things": words.THINGS, "jobs": list(words.PEOPLE)[:-2],
    "crops": words.CROPS, "places": list(words.PLACES), "girls' names": words.FEMALE, "boys' names": words.MALE,
}


def list_request(rng):
    """Returns (question, answer): a numbered list or one sentence."""
    kind = rng.choice(list(LISTS))
    count = rng.randint(3, 6)
    items = rng.sample(LISTS[kind], count)
    many = words.NUMBERS[count]
    if rng.random() < 0.5:
        question = rng.choice([f"Write a list of {many} {kind}.", f"List {many} {kind}.", f"Give me a list of {many} {kind}."])
        return question, "\n".join(f"{i + 1}. {item}" for i, item in enumerate(items))
    question = rng.choice([f"Name {many} {kind}.", f"Can you name {many} {kind}?", f"Tell me {many} {kind}."])
    return question, f"{many.capitalize()} {kind} are {join_list(items)}."


def packing(rng):
    who = grammar.make_cast(rng, 2)
    slots = dict(grammar.base_slots(rng, who))
    items = [("an " if t[0] in "aeiou" else "a ") + t for t in (grammar.make_thing(rng)[0] for _ in range(rng.randint(3, 5)))]
    head = expand(rng, rng.choice(["{HN} packed {Hhis} bag for the [journey|walk] to {P}.", "Before {HN} went to {P} with {FN}, {Hhe} made a list.",
                                   "On {day} {HN} wanted to go to {P}, and {Hhe} packed {Hhis} bag."]), slots)
    if rng.random() < 0.5:
        body = head + " " + expand(rng, rng.choice(["{Hhe} took ", "In it {Hhe} put "]), slots) + " " + join_list(items) + "."
    else:
        body = head + "\n" + "\n".join(f"{i + 1}. {t}" for i, t in enumerate(items))
    tail = ["Then {Hhe} closed the bag and set out.", "\"Have you forgotten anything?\" asked {F}. \"No, I have {words} things,\" said {HN}.",
            "\"The bag is heavy,\" said {H}, \"but it is all I need.\""]
    slots["words"] = words.NUMBERS[len(items)]
    return body + ("\n" if "\n" in body else " ") + expand(rng, rng.choice(tail), slots)


def recipe_steps(rng):
    dish, extra = rng.choice(words.DISHES), rng.sample(words.FOODS, 2)
    steps = [f"Take a {rng.choice(words.SIZES[:4])} {rng.choice(['bowl', 'pot', 'pan'])}.", f"Put in the {extra[0]} and {rng.choice(['a little salt', 'some butter', 'a cup of water'])}.",
             f"Stir it for {rng.choice(words.NUMBERS[3:16])} minutes.", f"Add the {extra[1]}.", rng.choice(["Put it in the oven.", "Set it on the fire.", "Let it stand in a warm place."]),
             f"Wait for {rng.choice(['half an hour', 'an hour', 'two hours', 'twenty minutes'])}.", rng.choice(["Serve it warm.", "Share it with your friends.", "Let it cool before you eat it."])]
    drop = rng.randrange(1, 5)
    steps = steps[:drop] + steps[drop + 1 :]
    return f"How do you make {dish}?", f"This is how to make {dish}.\n" + "\n".join(f"{i + 1}. {s}" for i, s in enumerate(steps))


def letter(rng):
    who = grammar.make_cast(rng, 3)
    slots = grammar.base_slots(rng, who)
    lines = ["I am [writing to you|sending you this letter] from {P}, {detail}.", "{weather} today.", "Yesterday I met {EN} the {Ek}, and we talked about you.",
             "I have a new {thing}, and I am very {good}.", "Please bring your {thing2} when you come.", "I have learned to {skill}.",
             "There is {adj} news: {EN} wants to learn to {skill}.", "We eat {food} and {food2} every day."]
    slots["detail"] = words.PLACES[slots["P"]][1]
    slots["adj"] = rng.choice(["good", "great", "strange"])
    rng.shuffle(lines)
    text = ["Dear {FN},", " ".join(lines[: rng.randint(3, 5)]), "[Will you visit me in {season}|Can you come on {day}|When shall I see you again]?", "Your friend,\n{HN}"]
    return "\n\n".join(expand(rng, t, slots) for t in text)


def diary(rng):
    slots = grammar.base_slots(rng, grammar.make_cast(rng, 2))
    lines = ["{weather} this morning.", "I got up early and ate {food}.", "I walked to {P} and met {HN} the {Hk}.", "{HN} showed me {Hhis} {thing}.",
             "{HN} and I talked about {FN}, who wants to {skill}.", "At noon we ate {food2} and {food3}.", "In the afternoon we [worked|played|rested] {atP2}.",
             "{HN} told me that {FN} had lost a {thing2}.", "In the evening I was tired but {good}."]
    keep = sorted(rng.sample(range(len(lines)), rng.randint(4, 7)))
    if 2 not in keep and any(i in keep for i in (3, 4, 7)):
        keep = sorted(keep + [2])
    return expand(rng, "{day}. " + " ".join(lines[i] for i in keep), slots)


def talk(rng):
    """A conversation of two, line by line."""
    slots = grammar.base_slots(rng, grammar.make_cast(rng, 2))
    pairs = [("Where are you going?", "I am going to {P}."), ("What do you have in your bag?", "I have a {thing} and some {food}."),
             ("Have you seen {thing_a}?", "Yes, I saw it {atP2}."), ("Can you {skill}?", "[Yes, I learned it last {season}|No, but I would like to learn it]."),
             ("What do you like to eat?", "I like {food2} and {food3}."), ("How many [eggs|apples|coins] do you have?", "I have {n}, and {n_more} are at home."),
             ("What will you do on {day}?", "I will help my neighbour {atP3}."), ("Is it far to {P3}?", "[No, it is very near|Yes, it is {n} miles away]."),
             ("How are you today?", "I am {good}, thank you.")]
    slots["thing_a"] = "my " + slots["thing"]
    rng.shuffle(pairs)
    lines = []
    for question, answer in pairs[: rng.randint(3, 5)]:
        lines.append(expand(rng, "{HN}: " + question, slots))
        lines.append(expand(rng, "{FN}: " + answer, slots))
    lines.append(expand(rng, "{HN}: [Then goodbye|Thank you|I see you tomorrow], {FN}.", slots))
    return "\n".join(lines)


def question_and_answer(rng):
    question, answer = rng.choice([sum_problem, sum_problem, plain_sum, list_request, recipe_steps])(rng)
    return f"Question: {question}\nAnswer: {answer}"


MAKERS = [(portrait, 3), (worker, 2), (packing, 2), (letter, 2), (diary, 2), (talk, 2), (question_and_answer, 5)]


def make_fact(rng):
    maker = rng.choices([m for m, _ in MAKERS], [w for _, w in MAKERS])[0]
    return maker(rng)
