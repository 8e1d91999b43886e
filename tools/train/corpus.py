"""The corpus: story world and public-domain English, the same bytes for the same seed.

Parts: "stories", "facts" and "chats" are written by this folder's programs; "scripture" is the King James Bible of
the Debian package bible-kjv. "words" (alphabetical word lists, Debian package wamerican) is used by the wide sibling only.
"""

import hashlib
import random
import re
import subprocess

import chats
import facts
import stories

MAKERS = {
    "stories": lambda rng: stories.make_story(rng)[0],
    "facts": facts.make_fact,
    "chats": chats.make_chat,
}
SHARES = {"stories": 0.60, "facts": 0.14, "chats": 0.14, "scripture": 0.12}  # of the training text's characters
WIDE_SHARES = {"stories": 0.35, "facts": 0.10, "chats": 0.10, "scripture": 0.20, "words": 0.25}
HELD_OUT_BOOKS = ("Ruth", "Jonah", "Amos", "Jude")  # books kept for validation
LATER_SHARE = 0.3  # of the stories, which begin at a later sentence: a prompt is seldom a story's first one
WORD_LIST = "/usr/share/dict/american-english"


def made_documents(part, count, seed):
    rng = random.Random(f"{seed}/{part}")
    return [MAKERS[part](rng) for _ in range(count)]


def scripture_chapters():
    """[(book, verses)], one entry a chapter."""
    done = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True)
    chapters = []
    for line in done.stdout.splitlines():
        match = re.match(r"(\w+?)(\d+):(\d+) (.*)", line)
        if not match:
            continue
        book, chapter, _, verse = match.groups()
        if not chapters or chapters[-1][0] != (book, chapter):
            chapters.append(((book, chapter), []))
        chapters[-1][1].append(verse.strip())
    return [(book, verses) for (book, _), verses in chapters]


def scripture_documents(rng, held_out):
    """Passages of a few verses, joined to plain prose; together they are all chapters of the wanted books."""
    passages = []
    for book, verses in scripture_chapters():
        if (book in HELD_OUT_BOOKS) != held_out:
            continue
        start = 0
        while start < len(verses):
            end = start + rng.randint(3, 9)
            passages.append(" ".join(verses[start:end]))
            start = end
    return passages


def word_documents(seed, characters):
    """Alphabetical runs of the word list, so that a wide vocabulary meets every word."""
    with open(WORD_LIST, encoding="utf-8") as file:
        entries = [w for w in file.read().split() if w.isascii() and not w.endswith("'s")]
    rng = random.Random(f"{seed}/words")
    documents, total = [], 0
    while total < characters:
        start, step = rng.randrange(len(entries)), rng.choice([1, 2, 3, 5])
        run = entries[start : start + step * rng.randint(10, 40) : step]
        text = f"Words from {run[0]} to {run[-1]}: " + ", ".join(run) + "."
        documents.append(text)
        total += len(text)
    return documents


def training_documents(seed, characters, wide=False):
    """{part: [document]} of about the given size. Scripture is repeated or cut to its share."""
    shares = WIDE_SHARES if wide else SHARES
    result = {}
    for part, share in shares.items():
        target = int(characters * share)
        if part == "words":
            result[part] = word_documents(seed, target)
            continue
        rng = random.Random(f"{seed}/{part}")
        documents, total = [], 0
        while total < target:
            batch = [MAKERS[part](rng)] if part in MAKERS else scripture_documents(rng, held_out=False)
            if part == "scripture":
                rng.shuffle(batch)
            for text in batch:
                documents.append(text)
                total += len(text)
                if total >= target:
                    break
        result[part] = documents
    return result


def begin_later(documents, seed):
    """The stories, some of them without their first sentences: anything up to half, so that most of the plot is left.

    Without this a model takes any first sentence that no story begins with for scripture.
    """
    rng = random.Random(f"{seed}/later")
    result = []
    for text in documents:
        starts = [m.end() for m in re.finditer(r'[.!?]"?\s+(?=["A-Z])', text) if m.end() < len(text) // 2]
        result.append(text[rng.choice(starts) :] if starts and rng.random() < LATER_SHARE else text)
    return result


def validation_documents(seed, count=60):
    """{part: [document]} from a stream that training never sees."""
    result = {part: made_documents(part, count, f"{seed}/validation") for part in MAKERS}
    result["scripture"] = scripture_documents(random.Random(f"{seed}/validation/scripture"), held_out=True)[:count]
    return result


def digest(documents_by_part):
    state = hashlib.sha256()
    for part in sorted(documents_by_part):
        for document in documents_by_part[part]:
            state.update(document.encode() + b"\0")
    return state.hexdigest()
