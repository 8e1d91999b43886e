"""One command from nothing to the model: corpus, tokenizer, training, export, sample.

    /usr/bin/python3 tools/train/recipe.py --hours 2
    /usr/bin/python3 tools/train/recipe.py --continue-from models/story-12m.gguf --hours 1   # another sitting
    /usr/bin/python3 tools/train/recipe.py --wide --hours 0.3      # the wide-head sibling, 32,768 tokens
"""

import argparse
import os
import subprocess
import sys

import numpy as np

import bpe
import corpus

HERE = os.path.dirname(os.path.abspath(__file__))
SHALLOW_SHARE = 0.35  # of the hours, for the stage of four layers
ANNEALED_RATE = 0.4  # of the usual rates, for a model that has been trained to the end of a schedule
ROOT = os.path.dirname(os.path.dirname(HERE))


def build_corpus(folder, seed, characters, vocab_size, wide):
    """Writes tokenizer.json and tokens.npz unless they are there; returns {part: [documents, characters, tokens]}."""
    documents = corpus.training_documents(seed, characters, wide)
    print("corpus digest", corpus.digest(documents))
    everything = [d for part in sorted(documents) for d in documents[part]]
    tokenizer = bpe.train(everything, vocab_size)
    assert tokenizer.vocab_size == vocab_size, f"the text yields only {tokenizer.vocab_size} tokens"
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    documents["stories"] = corpus.begin_later(documents["stories"], seed)  # the tokenizer has seen them whole
    ids, offsets = [], [0]
    for part in sorted(documents):
        before = offsets[-1]
        for document in documents[part]:
            encoded = tokenizer.encode(document)
            ids.append(np.array(encoded, dtype=np.uint16))
            offsets.append(offsets[-1] + len(encoded))
        print(f"{part}: {len(documents[part])} documents, {sum(map(len, documents[part]))} characters, {offsets[-1] - before} tokens")
    np.savez(os.path.join(folder, "tokens.part.npz"), ids=np.concatenate(ids), offsets=np.array(offsets))
    os.replace(os.path.join(folder, "tokens.part.npz"), os.path.join(folder, "tokens.npz"))


def train(folder, seed, hours, options):
    """Runs train.py to the end of its budget; it resumes, and ends at once when the budget is used up already."""
    command = [sys.executable, os.path.join(HERE, "train.py"), "--folder", folder, "--hours", str(hours), "--seed", str(seed)]
    subprocess.run(command + options, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wide", action="store_true", help="build the wide-head sibling instead")
    parser.add_argument("--hours", type=float, default=2.0, help="wall-clock budget of the training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--characters", type=int, default=0, help="size of the corpus (default 48 million, wide 16 million)")
    parser.add_argument("--output", default=None, help="the file to write (default models/story-12m.gguf, wide: in the build folder)")
    parser.add_argument("--continue-from", metavar="GGUF", help="train an exported model of this recipe further instead of from nothing")
    parser.add_argument("--sitting", type=int, default=2, help="with --continue-from: the how-manieth sitting this is (default 2)")
    parser.add_argument("--corpus-only", action="store_true")
    args = parser.parse_args()
    folder = os.path.join(ROOT, "build", "train", "wide" if args.wide else "story")
    os.makedirs(folder, exist_ok=True)
    output = args.output or (os.path.join(folder, "story-wide.gguf") if args.wide else os.path.join(ROOT, "models", "story-12m.gguf"))
    if not os.path.exists(os.path.join(folder, "tokens.npz")):
        characters = args.characters or (16_000_000 if args.wide else 48_000_000)
        build_corpus(folder, args.seed, characters, 32768 if args.wide else 8192, args.wide)
    if args.corpus_only:
        return
    story = os.path.join(ROOT, "build", "train", "story")
    if args.wide and os.path.exists(os.path.join(story, "checkpoint.pt")):
        train(folder, args.seed, args.hours, ["--start-from", story])
    elif args.continue_from:
        train(folder, args.seed, args.hours, ["--start-from", args.continue_from, "--rate", str(ANNEALED_RATE), "--flat-share", "0.4", "--sitting", str(args.sitting)])
    else:
        # Four layers see three times as many tokens an hour as twelve, and learn most of what the text needs.
        shallow = os.path.join(folder, "shallow")
        os.makedirs(shallow, exist_ok=True)
        for name in ("tokenizer.json", "tokens.npz"):
            if not os.path.exists(os.path.join(shallow, name)):
                os.symlink(os.path.join("..", name), os.path.join(shallow, name))
        train(shallow, args.seed, SHALLOW_SHARE * args.hours, ["--num-layers", "4", "--flat-share", "1"])
        train(folder, args.seed, (1 - SHALLOW_SHARE) * args.hours, ["--start-from", shallow, "--continue-documents"])
    name = "Headway Story Wide" if args.wide else "Headway Story 12M"
    subprocess.run([sys.executable, os.path.join(HERE, "export_gguf.py"), "--folder", folder, "--name", name, "-o", output], check=True)
    subprocess.run([sys.executable, os.path.join(HERE, "sample.py"), output], check=True)


if __name__ == "__main__":
    main()
