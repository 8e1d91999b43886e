"""Vocabulary-only GGUF files: what they hold, and writing them."""
import struct

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


def read(path):
    """The metadata of a GGUF file; strings as bytes."""
    with open(path, "rb") as file:
        take = lambda form: struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))
        string = lambda: file.read(take("Q")[0])

        def value(kind):
            if kind == STRING:
                return string()
            if kind == ARRAY:
                kind, count = take("IQ")
                return list(take(f"{count}{SCALARS[kind]}")) if kind in SCALARS else [value(kind) for _ in range(count)]
            return take(SCALARS[kind])[0]

        file.read(4)
        _, _, num_keys = take("IQQ")
        return {string().decode(): value(take("I")[0]) for _ in range(num_keys)}


def write(path, metadata):
    """Strings (str or bytes), bools, ints (as uint32), and lists of strings, floats or ints (as int32)."""
    def string(text):
        data = text if isinstance(text, bytes) else text.encode()
        return struct.pack("<Q", len(data)) + data

    def typed(value):
        if isinstance(value, bool):
            return struct.pack("<I?", 7, value)
        if isinstance(value, int):
            return struct.pack("<II", 4, value)
        if isinstance(value, (str, bytes)):
            return struct.pack("<I", STRING) + string(value)
        if isinstance(value[0], (str, bytes)):
            return struct.pack("<IIQ", ARRAY, STRING, len(value)) + b"".join(map(string, value))
        kind = 6 if isinstance(value[0], float) else 5
        return struct.pack(f"<IIQ{len(value)}{SCALARS[kind]}", ARRAY, kind, len(value), *value)

    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata)))
        file.write(b"".join(string(key) + typed(value) for key, value in metadata.items()))


def byte_level(path, pre, tokens, types, merges):
    """`tokens` in the byte alphabet, `merges` "left right"."""
    write(path, {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens,
                 "tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": merges, "tokenizer.ggml.add_bos_token": False})


def sentence_piece(path, tokens, types, scores, add_space_prefix):
    write(path, {"general.architecture": "llama", "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types,
                 "tokenizer.ggml.scores": scores, "tokenizer.ggml.add_space_prefix": add_space_prefix, "tokenizer.ggml.add_bos_token": False})


def byte_alphabet():
    """GPT-2's: printable characters for all bytes."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(moved)}


def merges_of(ranks):
    """The merge that makes each token of `ranks` (bytes to rank): the two parts that are left when its bytes are joined by
    the ranks below its own. Yields pairs of bytes."""
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [bytes([b]) for b in token]
        while len(parts) > 2:
            joined = [ranks.get(a + b, rank) for a, b in zip(parts, parts[1:])]
            best = min(joined)
            if best >= rank:
                break
            at = joined.index(best)
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            yield parts[0], parts[1]
