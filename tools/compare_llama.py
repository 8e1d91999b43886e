#!/usr/bin/env python3
"""Compares Headway with llama.cpp on one GGUF: perplexity of a text, and greedy continuations up to near-ties.

    tools/compare_llama.py models/story-12m.gguf --text tests/agreement/held_out.txt --prompts tools/train/openings.txt

llama-perplexity, llama-completion and llama-tokenize must be on PATH; nothing of llama.cpp is in this repository. Results of
the day they were measured: docs/parity.md.
"""
import argparse
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def output(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout, done.stderr


def perplexity(args):
    ours = json.loads(output(args.headway, "eval", "perplexity", args.model, "-f", args.text, "--ctx", args.ctx, "--json")[0])
    log = "".join(output("llama-perplexity", "-m", args.model, "-f", args.text, "-c", args.ctx, "-t", 1))
    theirs = float(re.search(r"PPL = ([\d.]+)", log).group(1))
    difference = 100 * (ours["perplexity"] / theirs - 1)
    print(f"perplexity, {ours['windows']} windows of {args.ctx}: headway {ours['perplexity']:.4f}, "
          f"llama.cpp {theirs:.4f}, difference {difference:+.4f} %")


def ids_of(args, text):
    lines = output("llama-tokenize", "-m", args.model, "-p", text, "--ids", "--no-parse-special", "--log-disable")[0].strip()
    return json.loads(lines.splitlines()[-1])


def lead(args, ids, first, second):
    """By how much the logit of `first` exceeds that of `second` after `ids`, in nats."""
    def logprob(token):
        allowed = pathlib.Path(args.scratch)
        allowed.write_text(str(token))
        report = json.loads(output(args.headway, "run", args.model, "--ids", ",".join(map(str, ids)), "-n", 1, "--json",
                                   "--ignore-end", "--logprobs", "--allow-ids", allowed)[0])
        return report["logprobs"][0]
    return logprob(first) - logprob(second)


def greedy(args):
    prompts = [line.strip() for line in args.prompts.read_text().splitlines() if line.strip() and "<|" not in line]
    equal = 0
    for prompt in prompts:
        theirs = output("llama-completion", "-m", args.model, "-p", prompt, "-n", args.tokens, "--temp", 0, "-no-cnv", "-t", 1,
                        "-c", args.ctx, "--no-warmup")[0].rstrip("\n")
        report = json.loads(output(args.headway, "run", args.model, "-p", prompt, "-n", args.tokens, "--json")[0])
        start = ids_of(args, prompt)
        ours = start + report["generated_ids"]
        other = ids_of(args, theirs)
        same = 0
        while same < min(len(ours), len(other)) and ours[same] == other[same]:
            same += 1
        # llama.cpp prints no end token: whoever stops first has not parted from the other
        if same >= min(len(ours), len(other)) - 1:
            equal += 1
            print(f"equal for {same - len(start)} tokens: {prompt[:50]}")
        else:
            gap = lead(args, ours[:same], ours[same], other[same])
            print(f"part after {same - len(start)} tokens, where headway's choice leads by {gap:.4f}: {prompt[:50]}")
    print(f"equal: {equal} of {len(prompts)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--text", help="compare perplexity on this text")
    parser.add_argument("--prompts", type=pathlib.Path, help="compare greedy continuations of these lines")
    parser.add_argument("--headway", default=ROOT / "build/release/headway")
    parser.add_argument("--ctx", default=512, type=int)
    parser.add_argument("--tokens", default=100, type=int)
    parser.add_argument("--scratch", default="/tmp/headway_compare_ids.txt")
    args = parser.parse_args()
    if args.text:
        perplexity(args)
    if args.prompts:
        greedy(args)


if __name__ == "__main__":
    main()
