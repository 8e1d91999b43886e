"""Trains the model on tokenised documents; writes checkpoints and a loss log, and resumes from them.

The schedule runs on a budget of wall-clock hours or of tokens: a short warm-up, a constant rate, then a straight
line to zero, so that training ends well-annealed when the budget ends. A stopped process (SIGSTOP) may be continued.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import signal
import sys
import time

import numpy as np
import torch

import bpe
import corpus
import export_gguf
from model import Config, Model
from muon import Adam, make_groups

MATRIX_RATE, VECTOR_RATE = 0.01, 0.006
WARM_UP_STEPS = 60
# One row in eight of the shallow stage says a short passage over and over: heads that look back and copy form early.
ECHO_ROWS, ECHO_UNTIL, ECHO_TOKENS = 0.125, 0.6, (12, 80)
# (tokens a sequence, sequences a step, share of the steps); beyond 512 tokens the long rotary factors are in use.
LENGTHS = [(256, 8, 0.86), (512, 4, 0.05), (768, 3, 0.09)]
CHUNK_TOKENS = 512


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
        rows = sorted(((tokenizer.encode(d) + [tokenizer.end_of_text])[: num_tokens + 1] for d in documents), key=len)
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), tokenizer.end_of_text)
        targets = torch.full((len(rows), width), -1)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            targets[i, : len(row) - 1] = torch.tensor(row[1:])
        batches[part] = (ids, targets)
    return batches


@torch.no_grad()
def validate(model, batches, dtype, rows=8):
    """{part: mean loss in nats a token}."""
    losses = {}
    for part, (ids, targets) in batches.items():
        total, count = 0.0, 0
        for start in range(0, ids.shape[0], rows):
            t = targets[start : start + rows]
            n = int((t >= 0).sum())
            width = int((t >= 0).sum(dim=1).max())
            total += float(model.loss(ids[start : start + rows, :width], t[:, :width].contiguous(), dtype)) * n
            count += n
        losses[part] = total / count
    return losses


def rate_at(progress, step, flat_share):
    """The share of the full rate: a short warm-up, constant for flat_share of the budget, then a straight line to zero."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    fall = 1.0 if progress < flat_share else max(0.0, (1 - progress) / (1 - flat_share))
    return warm * fall


def echo(rows, rng):
    """Makes some rows repeat their own beginning. rows: token ids [count, tokens + 1], changed in place."""
    for row in rows:
        if rng.random() < ECHO_ROWS:
            length = rng.randint(*ECHO_TOKENS)
            row.copy_(row[:length].clone().repeat(len(row) // length + 1)[: len(row)])


class Trainer:
    """Data-parallel training in processes of one thread each, which share weights, moments and gradient slots.

    A step's rows are cut into chunks; whoever is free takes the next one, so that a busy machine delays a step as
    little as it can. After a barrier the gradients are summed and each process updates its share of the weights.
    """

    def __init__(self, args, config, tokenizer, documents):
        torch.manual_seed(args.seed)
        self.args, self.config = args, config
        self.dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
        self.model = Model(config).share_memory()
        self.muon = make_groups(self.model, self.dtype)
        held = {id(p) for group in self.muon for p, _, _ in group.pieces}
        self.adam = Adam([p for p in self.model.parameters() if id(p) not in held])
        self.packer = Packer(documents, tokenizer.end_of_text, args.seed)
        self.step, self.tokens, self.elapsed = 0, 0, 0.0
        self.slots = [[torch.zeros_like(p).share_memory_() for p in self.model.parameters()] for _ in range(args.processes)]
        self.place = {id(p): i for i, p in enumerate(self.model.parameters())}
        self.barrier = multiprocessing.Barrier(args.processes)
        self.next_chunk = multiprocessing.Value("i", 0)
        self.loss_sum = multiprocessing.Value("d", 0.0)
        self.clock = multiprocessing.Value("d", 0.0)  # elapsed seconds, as rank 0 sees them

    def progress(self):
        if self.args.tokens:
            return self.tokens / self.args.tokens
        return self.elapsed / (self.args.hours * 3600)

    def lengths(self):
        draw = random.Random(f"{self.args.seed}/length/{self.step}").random()
        for choice in LENGTHS:
            draw -= choice[2]
            if draw < 0:
                return choice[:2]
        return LENGTHS[0][:2]

    def take_chunk(self):
        with self.next_chunk.get_lock():
            self.next_chunk.value += 1
            return self.next_chunk.value - 1

    def gradient(self, parameter):
        return sum(slot[self.place[id(parameter)]] for slot in self.slots)

    def accumulate(self, rank):
        """Runs chunks until none is left; this rank's gradients end in its slot."""
        num_tokens, rows = self.lengths()
        batch = self.packer.rows(num_tokens, rows)
        if self.args.num_layers < Config.num_layers and self.progress() < ECHO_UNTIL:
            echo(batch, random.Random(f"{self.args.seed}/echo/{self.step}"))
        per_chunk = max(1, CHUNK_TOKENS // num_tokens)
        num_chunks = -(-rows // per_chunk)
        for parameter, slot in zip(self.model.parameters(), self.slots[rank]):
            parameter.grad = slot.zero_()
        while (chunk := self.take_chunk()) < num_chunks:
            part = batch[chunk * per_chunk : (chunk + 1) * per_chunk]
            loss = self.model.loss(part[:, :-1].contiguous(), part[:, 1:].contiguous(), self.dtype) * (len(part) / rows)
            loss.backward()
            with self.loss_sum.get_lock():
                self.loss_sum.value += float(loss)
        return num_tokens * rows

    def train_step(self, rank):
        """One step of one process. The loss of the whole step is in loss_sum afterwards, until the next step."""
        tokens = self.accumulate(rank)
        self.barrier.wait()
        self.elapsed = self.clock.value
        rate = self.args.rate * rate_at(self.progress(), self.step, self.args.flat_share)
        self.step += 1
        self.tokens += tokens
        for group in self.muon:
            group.momentum = 0.85 + 0.10 * min(1.0, self.step / 200)
            group.step(MATRIX_RATE * rate, self.gradient, rank, len(self.slots))
        self.adam.step(VECTOR_RATE * rate, self.gradient, self.step, rank, len(self.slots))
        self.barrier.wait()

    def save(self, path):
        state = {
            "config": self.config.to_dict(), "model": self.model.state_dict(), "muon": [g.state for g in self.muon],
            "adam": [self.adam.first, self.adam.second], "packer": self.packer.state(),
            "step": self.step, "tokens": self.tokens, "elapsed": self.elapsed,
        }
        torch.save(state, path + ".part")
        os.replace(path + ".part", path)

    def load(self, path):
        state = torch.load(path)
        self.model.load_state_dict(state["model"])
        for group, saved in zip(self.muon, state["muon"]):
            group.state.copy_(saved)
        for ours, saved in zip(self.adam.first + self.adam.second, state["adam"][0] + state["adam"][1]):
            ours.copy_(saved)
        self.packer.restore(state["packer"])
        self.step, self.tokens, self.elapsed = state["step"], state["tokens"], state["elapsed"]


@torch.no_grad()
def start_from(model, tokenizer, folder):
    """Takes the layers of another training folder's model, and its embedding rows through the spelling of each token.

    A shallower source is grown: each of its layers is followed by copies of itself whose outputs are zero, so that the
    function stays the same at first. ("Stacking Your Transformers", Du et al. 2024, compares ways to grow.)
    Returns where the source stopped reading its documents.
    """
    checkpoint = torch.load(os.path.join(folder, "checkpoint.pt"))
    state = checkpoint["model"]
    source = bpe.Tokenizer.load(os.path.join(folder, "tokenizer.json"))
    rows = source.bytes + [s.encode() for s in bpe.SPECIALS]
    ids = {spelling: i for i, spelling in enumerate(rows)}
    embedding = state.pop("embedding")
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    times = model.config.num_layers // layers
    assert layers * times == model.config.num_layers, f"{layers} layers cannot be grown to {model.config.num_layers}"
    grown = {name: value for name, value in state.items() if not name.startswith("blocks.")}
    for target in range(model.config.num_layers):
        prefix = f"blocks.{target // times}."
        for name in [n for n in state if n.startswith(prefix)]:
            is_output = name.endswith(("attn_out", "down"))
            grown[f"blocks.{target}." + name[len(prefix) :]] = state[name] * (0.0 if is_output and target % times else 1.0)
    model.load_state_dict(grown, strict=False)
    for i, spelling in enumerate(tokenizer.bytes + [s.encode() for s in bpe.SPECIALS]):
        known = [ids[spelling]] if spelling in ids else source.encode_bytes(spelling)
        model.embedding[i] = embedding[known].mean(dim=0)
    return checkpoint["packer"]


def load_documents(folder):
    """The tokenised training documents written by the recipe: one array of ids and one of offsets."""
    arrays = np.load(os.path.join(folder, "tokens.npz"))
    ids, offsets = arrays["ids"].astype(np.int64), arrays["offsets"]
    return [ids[a:b] for a, b in zip(offsets, offsets[1:])]


def follow(trainer, rank):
    """What every process but the first does. The first one's word in the clock ends it: a negative time."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    while True:
        trainer.train_step(rank)
        trainer.barrier.wait()
        if trainer.clock.value < 0:
            return


def lead(trainer, batches, checkpoint, log):
    """The first process: trains, keeps the time, validates, logs and saves; ctrl-c or SIGTERM saves and stops.

    Returns whether the budget was used up.
    """
    started = time.time() - trainer.elapsed
    last_save, recent = trainer.elapsed, []
    stops = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.append(True))
    last = False
    while not last:
        trainer.clock.value = time.time() - started
        trainer.train_step(0)
        recent.append(trainer.loss_sum.value)
        trainer.loss_sum.value, trainer.next_chunk.value = 0.0, 0
        trainer.elapsed = time.time() - started
        last = trainer.progress() >= 1.0
        if trainer.step % trainer.args.validate_every == 0 or last:
            losses = validate(trainer.model, batches, trainer.dtype)
            entry = {"step": trainer.step, "tokens": trainer.tokens, "elapsed_s": round(trainer.elapsed), "progress": round(trainer.progress(), 4),
                     "train": round(float(np.mean(recent)), 4), "validation": {k: round(v, 4) for k, v in losses.items()}}
            assert math.isfinite(entry["train"]), "training diverged"
            print(json.dumps(entry), flush=True)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            recent = []
        last = last or bool(stops)
        if trainer.elapsed - last_save > trainer.args.save_every_s or last:
            trainer.save(checkpoint)
            last_save = trainer.elapsed
        if last:
            trainer.clock.value = -1.0
        trainer.barrier.wait()
    return not stops


def run(args):
    torch.set_num_threads(1)  # before the first operation: processes are forked below
    torch.set_flush_denormal(True)
    tokenizer = bpe.Tokenizer.load(os.path.join(args.folder, "tokenizer.json"))
    config = Config(vocab_size=tokenizer.vocab_size, num_layers=args.num_layers)
    trainer = Trainer(args, config, tokenizer, load_documents(args.folder))
    batches = validation_batches(corpus.validation_documents(args.seed, count=24), tokenizer)
    checkpoint = os.path.join(args.folder, "checkpoint.pt")
    if os.path.exists(checkpoint):
        trainer.load(checkpoint)
        print(f"resumed at step {trainer.step}, {trainer.tokens} tokens", flush=True)
    elif args.start_from and args.start_from.endswith(".gguf"):
        trainer.model.load_state_dict(export_gguf.read_state(config, tokenizer, args.start_from))
        trainer.packer.restore({"at": 0, "epoch": args.sitting})  # each sitting reads in another order
    elif args.start_from:
        at = start_from(trainer.model, tokenizer, args.start_from)
        if args.continue_documents:
            trainer.packer.restore(at)
    followers = [multiprocessing.Process(target=follow, args=(trainer, rank), daemon=True) for rank in range(1, args.processes)]
    for process in followers:
        process.start()
    with open(os.path.join(args.folder, "log.jsonl"), "a", encoding="utf-8") as log:
        finished = lead(trainer, batches, checkpoint, log)
    for process in followers:
        process.join()
    if not finished:
        sys.exit("stopped and saved; the same command resumes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="where tokenizer.json and tokens.npz lie; checkpoints go there too")
    parser.add_argument("--hours", type=float, default=2.0, help="wall-clock budget (default 2)")
    parser.add_argument("--tokens", type=int, default=0, help="token budget instead of hours")
    parser.add_argument("--num-layers", type=int, default=Config.num_layers, help="fewer for the shallow stage")
    parser.add_argument("--flat-share", type=float, default=0.3, help="share of the budget at the full rate (1: never falls)")
    parser.add_argument("--rate", type=float, default=1.0, help="share of the usual rates (less for weights that are annealed already)")
    parser.add_argument("--start-from", help="a finished training folder whose layers are the starting point, or an exported .gguf")
    parser.add_argument("--sitting", type=int, default=2, help="with a .gguf: the how-manieth sitting this is (default 2)")
    parser.add_argument("--continue-documents", action="store_true", help="read on where the starting point stopped: its text is the same")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2, help="one thread each; the number of cores (default 2)")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--validate-every", type=int, default=200)
    parser.add_argument("--save-every-s", type=float, default=300)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
