"""Trains the model on tokenised documents; writes checkpoints and a loss log, and resumes from them.

The schedule runs on a budget of wall-clock hours or of tokens: a short warm-up, a constant rate, then a straight
line to zero, so that training ends well-annealed when the budget ends. A stopped process (SIGSTOP) may be continued.
"""

import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch

import bpe
import corpus
from model import Config, Model
from muon import make_groups

MATRIX_RATE, VECTOR_RATE = 0.02, 0.004
WARM_UP_STEPS, FLAT_SHARE = 40, 0.3
# (tokens a sequence, sequences a step, share of the steps); beyond 512 tokens the long rotary factors are in use.
LENGTHS = [(256, 16, 0.86), (512, 8, 0.05), (768, 5, 0.09)]


class Packer:
    """Documents in random order, each closed by the end-of-text token, packed whole into rows; a row's last one is cut."""

    def __init__(self, documents, end_of_text, seed):
        self.documents, self.end, self.seed = documents, end_of_text, seed
        self.order, self.at, self.epoch = [], 0, 0

    def next_document(self):
        if self.at == len(self.order):
            self.order = list(range(len(self.documents)))
            random.Random(f"{self.seed}/order/{self.epoch}").shuffle(self.order)
            self.at, self.epoch = 0, self.epoch + 1
        self.at += 1
        return self.documents[self.order[self.at - 1]]

    def rows(self, num_tokens, count):
        """Token ids [count, num_tokens + 1]."""
        out = np.empty((count, num_tokens + 1), dtype=np.int64)
        for row in out:
            filled = 0
            while filled <= num_tokens:
                document = self.next_document()
                taken = min(len(document), num_tokens + 1 - filled)
                row[filled : filled + taken] = document[:taken]
                filled += taken
                if filled <= num_tokens:
                    row[filled] = self.end
                    filled += 1
        return torch.from_numpy(out)

    def state(self):
        return {"at": self.at, "epoch": self.epoch}

    def restore(self, state):
        self.order, self.at, self.epoch = [], 0, state["epoch"] - 1
        self.next_document()
        self.at = state["at"]


def validation_batches(documents_by_part, tokenizer, num_tokens=512):
    """{part: (ids, targets)}; one document a row, padded with targets of -1."""
    batches = {}
    for part, documents in documents_by_part.items():
        rows = [(tokenizer.encode(d) + [tokenizer.end_of_text])[: num_tokens + 1] for d in documents]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), tokenizer.end_of_text)
        targets = torch.full((len(rows), width), -1)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            targets[i, : len(row) - 1] = torch.tensor(row[1:])
        batches[part] = (ids, targets)
    return batches


@torch.no_grad()
def validate(model, batches, dtype, rows=20):
    """{part: mean loss in nats a token}."""
    losses = {}
    for part, (ids, targets) in batches.items():
        total, count = 0.0, 0
        for start in range(0, ids.shape[0], rows):
            t = targets[start : start + rows]
            n = int((t >= 0).sum())
            total += float(model.loss(ids[start : start + rows], t, dtype)) * n
            count += n
        losses[part] = total / count
    return losses


def rate_at(progress, step):
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    fall = 1.0 if progress < FLAT_SHARE else max(0.0, (1 - progress) / (1 - FLAT_SHARE))
    return warm * fall


class Trainer:
    def __init__(self, args, config, tokenizer, documents):
        torch.manual_seed(args.seed)
        self.args, self.config = args, config
        self.dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
        self.model = Model(config)
        self.muon = make_groups(self.model, self.dtype)
        held = {id(p) for group in self.muon for p, _, _ in group.pieces}
        others = [p for p in self.model.parameters() if id(p) not in held]
        self.adam = torch.optim.AdamW(others, lr=VECTOR_RATE, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)
        self.packer = Packer(documents, tokenizer.end_of_text, args.seed)
        self.step, self.tokens, self.elapsed = 0, 0, 0.0

    def progress(self):
        if self.args.tokens:
            return self.tokens / self.args.tokens
        return self.elapsed / (self.args.hours * 3600)

    def lengths(self):
        draw = random.Random(f"{self.args.seed}/length/{self.step}").random()
        for num_tokens, rows, share in LENGTHS:
            draw -= share
            if draw < 0:
                return num_tokens, rows
        return LENGTHS[0][:2]

    def train_step(self):
        num_tokens, rows = self.lengths()
        batch = self.packer.rows(num_tokens, rows)
        loss = self.model.loss(batch[:, :-1].contiguous(), batch[:, 1:].contiguous(), self.dtype)
        loss.backward()
        rate = rate_at(self.progress(), self.step)
        for group in self.muon:
            group.momentum = 0.85 + 0.10 * min(1.0, self.step / 200)
            group.step(MATRIX_RATE * rate)
        for group in self.adam.param_groups:
            group["lr"] = VECTOR_RATE * rate
        self.adam.step()
        self.model.zero_grad()
        self.step += 1
        self.tokens += num_tokens * rows
        return float(loss)

    def save(self, path):
        state = {
            "config": self.config.to_dict(), "model": self.model.state_dict(), "muon": [g.state for g in self.muon], "adam": self.adam.state_dict(),
            "packer": self.packer.state(), "step": self.step, "tokens": self.tokens, "elapsed": self.elapsed,
        }
        torch.save(state, path + ".part")
        os.replace(path + ".part", path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        for group, saved in zip(self.muon, state["muon"]):
            group.state.copy_(saved)
        self.adam.load_state_dict(state["adam"])
        self.packer.restore(state["packer"])
        self.step, self.tokens, self.elapsed = state["step"], state["tokens"], state["elapsed"]


def load_documents(folder):
    """The tokenised training documents written by the recipe: one array of ids and one of offsets."""
    arrays = np.load(os.path.join(folder, "tokens.npz"))
    ids, offsets = arrays["ids"].astype(np.int64), arrays["offsets"]
    return [ids[a:b] for a, b in zip(offsets, offsets[1:])]


def run(args):
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    tokenizer = bpe.Tokenizer.load(os.path.join(args.folder, "tokenizer.json"))
    config = Config(vocab_size=tokenizer.vocab_size)
    trainer = Trainer(args, config, tokenizer, load_documents(args.folder))
    batches = validation_batches(corpus.validation_documents(args.seed), tokenizer)
    checkpoint = os.path.join(args.folder, "checkpoint.pt")
    if os.path.exists(checkpoint):
        trainer.load(checkpoint)
        print(f"resumed at step {trainer.step}, {trainer.tokens} tokens")
    started = time.time() - trainer.elapsed
    last_save, recent, log = trainer.elapsed, [], open(os.path.join(args.folder, "log.jsonl"), "a")
    while trainer.progress() < 1.0:
        recent.append(trainer.train_step())
        trainer.elapsed = time.time() - started
        last = trainer.progress() >= 1.0
        if trainer.step % args.validate_every == 0 or last:
            losses = validate(trainer.model, batches, trainer.dtype)
            entry = {"step": trainer.step, "tokens": trainer.tokens, "elapsed_s": round(trainer.elapsed), "progress": round(trainer.progress(), 4),
                     "train": round(float(np.mean(recent)), 4), "validation": {k: round(v, 4) for k, v in losses.items()}}
            assert math.isfinite(entry["train"]), "training diverged"
            print(json.dumps(entry), flush=True)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            recent = []
        if trainer.elapsed - last_save > args.save_every_s or last:
            trainer.save(checkpoint)
            last_save = trainer.elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="where tokenizer.json and tokens.npz lie; checkpoints go there too")
    parser.add_argument("--hours", type=float, default=2.0, help="wall-clock budget (default 2)")
    parser.add_argument("--tokens", type=int, default=0, help="token budget instead of hours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--validate-every", type=int, default=200)
    parser.add_argument("--save-every-s", type=float, default=300)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
