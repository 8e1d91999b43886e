"""Writes the measured half of models/README.md: loss curve, perplexity per part, held-out continuations.

Everything is measured on the exported file (its Q8_0 weights, computed in f32). The text above the marker line of the
README is written by hand and kept.
"""

import argparse
import json
import math
import os

import torch

import bpe
import corpus
import gguf
import sample
import train
from model import Config, Model

MARKER = "<!-- measured: the rest of this file is written by tools/train/report.py -->"
COLOURS = {"stories": "#0b6e4f", "facts": "#b5651d", "chats": "#1f4e9c", "scripture": "#8b1e3f"}


def load_model(reader):
    """The torch model with the file's dequantised weights."""
    m = reader.metadata
    model = Model(Config(vocab_size=len(m["tokenizer.ggml.tokens"]), d_ff=m["phi3.feed_forward_length"], num_layers=m["phi3.block_count"]))
    names = {"embedding": "token_embd.weight", "output_norm.weight": "output_norm.weight"}
    for i in range(m["phi3.block_count"]):
        for ours, theirs in (("attn_norm.weight", "attn_norm"), ("qkv", "attn_qkv"), ("attn_out", "attn_output"),
                             ("ffn_norm.weight", "ffn_norm"), ("gate_up", "ffn_up"), ("down", "ffn_down")):
            names[f"blocks.{i}.{ours}"] = f"blk.{i}.{theirs}.weight"
    model.load_state_dict({ours: torch.tensor(reader.tensors[theirs]) for ours, theirs in names.items()})
    return model


@torch.no_grad()
def long_loss(model, documents, tokenizer, num_tokens):
    """Loss on rows of packed stories, so that the long rotary factors are measured too."""
    rows = train.Packer([tokenizer.encode(d) for d in documents], tokenizer.end_of_text, 1).rows(num_tokens, 4)
    return float(model.loss(rows[:, :-1].contiguous(), rows[:, 1:].contiguous()))


def perplexity_table(reader, tokenizer, seed):
    model = load_model(reader)
    documents = corpus.validation_documents(seed)
    losses = train.validate(model, train.validation_batches(documents, tokenizer), torch.float32)
    lines = ["| part | documents | loss (nats a token) | perplexity |", "|---|---|---|---|"]
    for part, loss in losses.items():
        lines.append(f"| {part} | {len(documents[part])} | {loss:.3f} | {math.exp(loss):.2f} |")
    for num_tokens in (512, 1024):
        loss = long_loss(model, documents["stories"], tokenizer, num_tokens)
        lines.append(f"| stories packed to {num_tokens} tokens ({'long' if num_tokens > 512 else 'short'} rotary factors) | 4 rows | {loss:.3f} | {math.exp(loss):.2f} |")
    return lines


def curve_svg(entries, path):
    """Validation loss over tokens seen, one line a part."""
    width, height, left, bottom = 640, 300, 50, 40
    most = max(e["tokens"] for e in entries)
    top = max(max(e["validation"].values()) for e in entries)

    def point(tokens, loss):
        return f"{left + tokens / most * (width - left - 110):.1f},{height - bottom - loss / top * (height - bottom - 15):.1f}"

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for loss in range(0, int(top) + 1):
        x, y = point(0, loss).split(",")
        out.append(f'<line x1="{x}" y1="{y}" x2="{width - 110}" y2="{y}" stroke="#ddd"/><text x="{left - 8}" y="{float(y) + 4}" text-anchor="end">{loss}</text>')
    out.append(f'<text x="{(width - 60) / 2}" y="{height - 8}" text-anchor="middle">tokens seen, 0 to {most / 1e6:.1f} million</text>')
    out.append(f'<text x="14" y="{height / 2}" text-anchor="middle" transform="rotate(-90 14 {height / 2})">validation loss (nats)</text>')
    for number, part in enumerate(entries[-1]["validation"]):
        line = " ".join(point(e["tokens"], e["validation"][part]) for e in entries)
        colour = COLOURS.get(part, "#555")
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line}"/><text x="{width - 100}" y="{30 + 18 * number}" fill="{colour}">{part}</text>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n</svg>\n")


def curve_table(entries, rows=12):
    parts = list(entries[-1]["validation"])
    chosen = sorted({round(i * (len(entries) - 1) / max(1, rows - 1)) for i in range(rows)})
    lines = ["| step | tokens | minutes | training loss | " + " | ".join(parts) + " |", "|---" * (4 + len(parts)) + "|"]
    for e in (entries[i] for i in chosen):
        cells = [str(e["step"]), str(e["tokens"]), f"{e['elapsed_s'] / 60:.0f}", f"{e['train']:.3f}"] + [f"{e['validation'][p]:.3f}" for p in parts]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def continuations(reader, tokenizer, num_tokens=100):
    lines = []
    for number, prompt in enumerate(sample.read_openings(), 1):
        ids = sample.greedy(reader, tokenizer, prompt, num_tokens)
        loop = sample.shortest_loop(ids)
        ended = "" if len(ids) == num_tokens else ", ended by the model"
        quoted = (f"**{prompt}**" + tokenizer.decode(ids)).replace("<|", "&lt;|").replace("\n", "\n> ")
        lines += [f"{number}. ({len(ids)} tokens{ended}; {'no loop' if not loop else f'a loop of {loop} tokens'})", "", "> " + quoted, ""]
    return lines


def read_log(folder):
    """The entries of log.jsonl, behind those of the shallow stage, if there was one: its tokens and seconds come first."""
    entries = []
    shallow = os.path.join(folder, "shallow")
    for stage in [shallow, folder] if os.path.isdir(shallow) else [folder]:
        step, tokens, seconds = (entries[-1][key] for key in ("step", "tokens", "elapsed_s")) if entries else (0, 0, 0)
        with open(os.path.join(stage, "log.jsonl"), encoding="utf-8") as file:
            read = [json.loads(line) for line in file]
        entries += [{**e, "step": e["step"] + step, "tokens": e["tokens"] + tokens, "elapsed_s": e["elapsed_s"] + seconds} for e in read]
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--readme", required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    reader = gguf.Reader(args.model)
    tokenizer = sample.read_tokenizer(reader.metadata)
    entries = read_log(args.folder)
    curve_svg(entries, os.path.join(os.path.dirname(args.readme), "loss.svg"))
    text = [MARKER, "", "## Validation loss while training", "", "![loss curve](loss.svg)", ""] + curve_table(entries)
    text += ["", "## Validation perplexity per part", "", "Of the exported file, one document at a time, up to 512 tokens each:", ""] + perplexity_table(reader, tokenizer, args.seed)
    text += ["", "## Greedy continuations of ten held-out openings", "", "The opening in bold, then up to 100 tokens:", ""] + continuations(reader, tokenizer)
    with open(args.readme, encoding="utf-8") as file:
        above = file.read().split(MARKER)[0]
    with open(args.readme, "w", encoding="utf-8") as file:
        file.write(above + "\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
