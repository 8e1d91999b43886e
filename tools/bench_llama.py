#!/usr/bin/env python3
"""Headway and llama.cpp in turns on one GGUF: decoding, prefill, narrow batches, texts; prints medians and ratios.

    tools/bench_llama.py model.gguf --threads 2 --rounds 3
    tools/bench_llama.py model.gguf --package model.pkg --threads 1,2 --tests decode,batch --record runs.jsonl

    tools/bench_llama.py model.gguf --peer ik/build/bin --peer-name ik_llama.cpp --peer-flags "-rtr 1" --tests decode,prefill
    HEADWAY_CPU=avx2 tools/bench_llama.py model.gguf --peer build-avx2/bin --peer-name "llama.cpp (AVX2)" --tests prefill

The test "text" lets Headway write on from prompts in three languages, with the full and the certified head, greedy and
sampled, against what llama-bench decodes a second. Beside each round stands what the memory gave in it.

llama-bench (and for batches llama-batched-bench) must be on PATH or in --peer DIR; nothing of llama.cpp is in this repository. One round runs every
test once with Headway and once with the peer; ratios are taken round by round. With --record the rounds are kept in a file, and the table is
made of all rounds in it, so that a long comparison can be cut into short ones. Results of the day they were measured: docs/benchmarks.md.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTHS = (1, 2, 4, 8)
ENGLISH = ("The history of the steam engine begins long before the first railways. In the eighteenth century, engineers in Britain "
           "looked for a way to pump water out of deep mines, and")
FRENCH = ("L'histoire de la machine à vapeur commence bien avant les premiers chemins de fer. Au dix-huitième siècle, les "
          "ingénieurs cherchaient un moyen de")
JAPANESE = "蒸気機関の歴史は、最初の鉄道よりもずっと前に始まります。十八世紀、イギリスの技術者たちは"
TEXTS = {
    "text, full head": ("full:4", ENGLISH),
    "text, certified": ("certified", ENGLISH),
    "text, certified, T = 1": ("certified", ENGLISH, "--temp", 1),
    "text, certified, French": ("certified", FRENCH),
    "text, certified, Japanese": ("certified", JAPANESE),
    "text, certified, T = 1, top-k 40": ("certified", ENGLISH, "--temp", 1, "--top-k", 40),
    "text, certified, T = 0.8, top-p 0.95": ("certified", ENGLISH, "--temp", 0.8, "--top-p", 0.95),
}


def output(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed with status {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def write(args, threads, seed, head, prompt, *sampling):
    """Tokens a second of steps after the prompt."""
    counters = json.loads(output(args.headway, "run", args.package or args.model, "-p", prompt, "-n", args.tokens, "--ignore-end", "--threads",
                                 threads, "--head", head, "--seed", seed, "--json", *sampling))["counters"]
    return 1e9 * counters["step_tokens"] / counters["step_ns"]


def memory(args, threads):
    rows = json.loads(output(args.headway, "bench", "memory", "--threads", threads, "--rounds", 1, "--json"))["rows"]
    return rows[-1]["gbps"]


def headway(args, test, threads, seed):
    def rows(what, *more):
        report = json.loads(output(args.headway, "bench", what, args.package or args.model, "--threads", threads, "--json", *more))
        return {row["row"]: row for row in report["rows"]}
    if test == "decode":
        return {"decode": rows("chain", "--tokens", args.tokens, "--rounds", 1)["step"]["tokens_per_second"]}
    if test == "prefill":
        return {f"prefill {name}": row["tokens_per_second"] for name, row in rows("prefill", "--rounds", 1).items()}
    if test == "text":
        return {name: write(args, threads, seed, *how) for name, how in TEXTS.items()}
    steps = rows("batch", "--rounds", 2)
    return {f"step of {name}": 1000 / row["ms"] for name, row in steps.items()}


def llama(args, test, threads):
    def bench(*more):
        return json.loads(output(args.bench, "-m", args.model, "-t", threads, "-r", 1, "-o", "json", *args.peer_flags.split(), *more))
    if test in ("decode", "text"):
        speed = bench("-p", 0, "-n", args.tokens)[0]["avg_ts"]
        return {name: speed for name in (TEXTS if test == "text" else ["decode"])}
    if test == "prefill":
        return {f"prefill {row['n_prompt']} tokens": row["avg_ts"] for row in bench("-p", "128,512", "-n", 0, *args.prefill_flags.split())}
    lines = output(args.batched, "-m", args.model, "-t", threads, "-c", 1024, "-npp", 16, "-ntg", 4, "-npl", ",".join(map(str, WIDTHS)),
                   "--output-format", "jsonl")
    steps = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return {f"step of {row['pl']} tokens": row["tg"] / row["t_tg"] for row in steps}


def measure(args):
    rounds = []
    for seed in range(1, args.rounds + 1):
        for threads in args.threads.split(","):
            for test in args.tests.split(","):
                rounds.append({"model": pathlib.Path(args.model).name, "against": args.peer_name, "threads": int(threads),
                               "memory_gbps": memory(args, threads), "headway": headway(args, test, threads, seed), "peer": llama(args, test, threads)})
    return rounds


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def table(rounds):
    lines = {}
    for one in rounds:
        for test, ours in one["headway"].items():
            if test in one["peer"]:
                key = (one["against"], one["model"], one["threads"], test)
                lines.setdefault(key, []).append((ours, one["peer"][test], one.get("memory_gbps", 0)))
    print("| against | model | threads | test | rounds | Headway a second | peer a second | ratio | memory, GB/s |\n|---|---|---|---|---|---|---|---|---|")
    for (peer, model, threads, test), pairs in sorted(lines.items()):
        ours, theirs, speeds = zip(*pairs)
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(f"| {peer} | {model} | {threads} | {test} | {len(pairs)} | {spread(ours)} | {spread(theirs)} | {spread(ratios)} | {spread(speeds)} |")
    for (peer, model, threads, test), pairs in sorted(lines.items()):
        if test.startswith("step of") and test != "step of 1 tokens" and (peer, model, threads, "step of 1 tokens") in lines:
            ones = lines[(peer, model, threads, "step of 1 tokens")]
            ours = [one[0] / wide[0] for one, wide in zip(ones, pairs)]
            theirs = [one[1] / wide[1] for one, wide in zip(ones, pairs)]
            print(f"{model}, {threads} threads, {test} against its own step of 1: Headway {spread(ours)}, {peer} {spread(theirs)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the GGUF that both run")
    parser.add_argument("--package", help="the package made from it (otherwise Headway's cache)")
    parser.add_argument("--threads", default="2", help="thread counts, with commas")
    parser.add_argument("--tests", default="decode,prefill,batch")
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--tokens", default=16, type=int, help="decoded tokens a round")
    parser.add_argument("--record", type=pathlib.Path, help="append the rounds to this file and make the table of all in it")
    parser.add_argument("--headway", default=ROOT / "build/release/headway")
    parser.add_argument("--peer", help="the directory of llama-bench and llama-batched-bench")
    parser.add_argument("--peer-name", default="llama.cpp", help="what the table calls it")
    parser.add_argument("--prefill-flags", default="--no-warmup", help="the same, of prefill alone; ik_llama.cpp says '-w 0'")
    parser.add_argument("--peer-flags", default="", help="more arguments of llama-bench, with spaces")
    args = parser.parse_args()
    for field, name in (("bench", "llama-bench"), ("batched", "llama-batched-bench")):
        path = shutil.which(name, path=args.peer)
        if path is None and (field == "bench" or "batch" in args.tests.split(",")):
            sys.exit(f"{name}: expected on PATH or in --peer, not found")
        setattr(args, field, path)
    rounds = measure(args)
    if args.record:
        with args.record.open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in rounds)
        rounds = [json.loads(line) for line in args.record.read_text().splitlines()]
    table(rounds)


if __name__ == "__main__":
    main()
