"""Byte-level byte-pair encoding with the GPT-4o pre-tokenizer: training, encoding, decoding.

Ids: 0..255 are the bytes, then one id a merge in the order learned, then the special tokens at the end.
Pattern source: o200k_base in openai/tiktoken (tiktoken_ext/openai_public.py).
"""

import heapq
import json
from collections import Counter, defaultdict

import regex

UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = regex.compile("|".join([
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{SUFFIX}",
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{SUFFIX}",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
]))
SPECIALS = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
SPECIAL_PATTERN = regex.compile("(" + "|".join(regex.escape(s) for s in SPECIALS) + ")")


def count_pieces(documents):
    """How often each pre-token occurs, special tokens left out."""
    counts = Counter()
    for document in documents:
        for span in SPECIAL_PATTERN.split(document):
            if span not in SPECIALS:
                counts.update(PATTERN.findall(span))
    return counts


def learn_merges(counts, num_merges):
    """The most frequent pair first; ties go to the smaller pair of ids. Returns [(left, right)]."""
    pieces = [(list(piece.encode()), count) for piece, count in sorted(counts.items())]
    totals, places = Counter(), defaultdict(set)
    for index, (ids, count) in enumerate(pieces):
        for pair in zip(ids, ids[1:]):
            totals[pair] += count
            places[pair].add(index)
    heap = [(-n, pair) for pair, n in totals.items()]
    heapq.heapify(heap)
    merges = []
    while len(merges) < num_merges and heap:
        negative, pair = heapq.heappop(heap)
        if totals[pair] != -negative:
            if totals[pair] > 0:
                heapq.heappush(heap, (-totals[pair], pair))
            continue
        new_id = 256 + len(merges)
        merges.append(pair)
        changed = set()
        for index in places.pop(pair):
            ids, count = pieces[index]
            for old in zip(ids, ids[1:]):
                totals[old] -= count
            ids[:] = merge_pair(ids, pair, new_id)
            for new in zip(ids, ids[1:]):
                totals[new] += count
                places[new].add(index)
                changed.add(new)
        for new in changed:
            if totals[new] > 0:
                heapq.heappush(heap, (-totals[new], new))
    return merges


def merge_pair(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def byte_alphabet():
    """GPT-2's one printable character for each byte, as GGUF files spell their tokens."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    alphabet, shift = {}, 0
    for byte in range(256):
        if byte in printable:
            alphabet[byte] = chr(byte)
        else:
            alphabet[byte] = chr(256 + shift)
            shift += 1
    return alphabet


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(m) for m in merges]
        self.ranks = {pair: 256 + i for i, pair in enumerate(self.merges)}
        self.bytes = [bytes([b]) for b in range(256)]
        for left, right in self.merges:
            self.bytes.append(self.bytes[left] + self.bytes[right])
        self.special_ids = {s: len(self.bytes) + i for i, s in enumerate(SPECIALS)}
        self.vocab_size = len(self.bytes) + len(SPECIALS)
        self.end_of_text = self.special_ids["<|endoftext|>"]
        self.cache = {}

    def encode_piece(self, piece):
        if piece in self.cache:
            return self.cache[piece]
        self.cache[piece] = self.encode_bytes(piece.encode())
        return self.cache[piece]

    def encode_bytes(self, data):
        """Merges the bytes of one pre-token, the earliest learned pair first."""
        ids = list(data)
        while len(ids) > 1:
            best = min(zip(ids, ids[1:]), key=lambda pair: self.ranks.get(pair, 1 << 30))
            if best not in self.ranks:
                break
            ids = merge_pair(ids, best, self.ranks[best])
        return ids

    def encode(self, text):
        ids = []
        for span in SPECIAL_PATTERN.split(text):
            if span in self.special_ids:
                ids.append(self.special_ids[span])
            else:
                for piece in PATTERN.findall(span):
                    ids.extend(self.encode_piece(piece))
        return ids

    def decode(self, ids):
        names = {i: s.encode() for s, i in self.special_ids.items()}
        return b"".join(names[i] if i in names else self.bytes[i] for i in ids).decode("utf-8", "replace")

    def token_strings(self):
        """Tokens and merges as GGUF spells them."""
        alphabet = byte_alphabet()
        spell = ["".join(alphabet[b] for b in token) for token in self.bytes]
        return spell + SPECIALS, [f"{spell[left]} {spell[right]}" for left, right in self.merges]

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"merges": self.merges}, file)

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls(json.load(file)["merges"])


def train(documents, vocab_size):
    merges = learn_merges(count_pieces(documents), vocab_size - 256 - len(SPECIALS))
    return Tokenizer(merges)
