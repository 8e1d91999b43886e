"""Greedy text from an exported GGUF file: an independent check of weights, rotary tables and tokenizer.

Uses NumPy only and shares no code with model.py: one token at a time, with a key/value cache.
"""

import argparse
import os

import numpy as np

import bpe
import gguf

HERE = os.path.dirname(os.path.abspath(__file__))
OPENINGS = os.path.join(HERE, "openings.txt")


def read_tokenizer(metadata):
    """Rebuilds the tokenizer from the file's token and merge strings alone."""
    ids = {token: i for i, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    merges = [tuple(ids[part] for part in merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = bpe.Tokenizer(merges)
    assert tokenizer.token_strings()[0] == metadata["tokenizer.ggml.tokens"], "token strings do not follow from the merges"
    return tokenizer


class Runner:
    """One sequence. context_tokens decides between the short and the long rotary factors."""

    def __init__(self, reader, context_tokens):
        m = {key[5:]: value for key, value in reader.metadata.items() if key.startswith("phi3.")}
        self.weights = reader.tensors
        self.heads, self.kv_heads = m["attention.head_count"], m["attention.head_count_kv"]
        self.layers, self.eps = m["block_count"], m["attention.layer_norm_rms_epsilon"]
        self.head_dim = m["embedding_length"] // self.heads
        self.rotary, self.scale = m["rope.dimension_count"], m["rope.scaling.attn_factor"]
        long = context_tokens > m["rope.scaling.original_context_length"]
        factors = self.weights["rope_factors_long.weight" if long else "rope_factors_short.weight"]
        self.frequencies = m["rope.freq_base"] ** (-np.arange(0, self.rotary, 2) / self.rotary) / factors
        self.keys = [[] for _ in range(self.layers)]
        self.values = [[] for _ in range(self.layers)]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean() + self.eps) * self.weights[name]

    def rotate(self, heads, position):
        """heads: [n, head_dim]; the first `rotary` channels turn as two halves."""
        n = self.rotary // 2
        cos, sin = np.cos(position * self.frequencies) * self.scale, np.sin(position * self.frequencies) * self.scale
        a, b = heads[:, :n], heads[:, n : 2 * n]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin, heads[:, 2 * n :]], axis=1).astype(np.float32)

    def attend(self, x, layer):
        H, Hk, d = self.heads, self.kv_heads, self.head_dim
        qkv = (self.weights[f"blk.{layer}.attn_qkv.weight"] @ x).reshape(H + 2 * Hk, d)
        position = len(self.keys[layer])
        q = self.rotate(qkv[:H], position)
        self.keys[layer].append(self.rotate(qkv[H : H + Hk], position))
        self.values[layer].append(qkv[H + Hk :])
        keys, values = np.stack(self.keys[layer]), np.stack(self.values[layer])
        out = np.empty((H, d), dtype=np.float32)
        for h in range(H):
            scores = keys[:, h * Hk // H] @ q[h] / np.sqrt(d)
            weights = np.exp(scores - scores.max())
            out[h] = weights @ values[:, h * Hk // H] / weights.sum()
        return self.weights[f"blk.{layer}.attn_output.weight"] @ out.reshape(-1)

    def feed(self, x, layer):
        gate, up = np.split(self.weights[f"blk.{layer}.ffn_up.weight"] @ x, 2)
        return self.weights[f"blk.{layer}.ffn_down.weight"] @ (gate / (1 + np.exp(-gate)) * up)

    def step(self, token):
        """Logits [V] after one more token."""
        x = self.weights["token_embd.weight"][token].copy()
        for layer in range(self.layers):
            x += self.attend(self.norm(x, f"blk.{layer}.attn_norm.weight"), layer)
            x += self.feed(self.norm(x, f"blk.{layer}.ffn_norm.weight"), layer)
        return self.weights["token_embd.weight"] @ self.norm(x, "output_norm.weight")


def greedy(reader, tokenizer, prompt, num_tokens):
    """Continuation ids: num_tokens of them, or fewer when the model ends its turn or text."""
    ids = tokenizer.encode(prompt)
    runner = Runner(reader, len(ids) + num_tokens)
    for token in ids:
        logits = runner.step(token)
    out = []
    while len(out) < num_tokens:
        token = int(np.argmax(logits))
        if token in (tokenizer.end_of_text, tokenizer.special_ids["<|end|>"]):
            break
        out.append(token)
        logits = runner.step(token)
    return out


def shortest_loop(ids, repeats=3):
    """The shortest period that repeats at least three times in a row and covers six tokens or more; 0 if none."""
    for period in range(1, len(ids) // repeats + 1):
        run = 0
        for i in range(period, len(ids)):
            run = run + 1 if ids[i] == ids[i - period] else 0
            if run >= max(period * (repeats - 1), 4):
                return period
    return 0


def read_openings(path=OPENINGS):
    """One opening a line; \\n stands for a line break."""
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").replace("\\n", "\n") for line in file if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("-p", "--prompt", action="append", help="instead of the held-out openings; may be given again")
    parser.add_argument("-n", type=int, default=100, help="tokens to add (default 100)")
    args = parser.parse_args()
    reader = gguf.Reader(args.model)
    tokenizer = read_tokenizer(reader.metadata)
    for number, prompt in enumerate(args.prompt or read_openings(), 1):
        ids = greedy(reader, tokenizer, prompt, args.n)
        print(f"{number}. **{prompt}**{tokenizer.decode(ids)}\n   [{len(ids)} tokens, shortest loop {shortest_loop(ids)}]\n", flush=True)


if __name__ == "__main__":
    main()
