#!/usr/bin/env python3
"""Counts the instructions of a fixed decode step and compares them with tests/instructions/figures.json, within 2 %.

    tools/count_instructions.py            # compare; status 1 when a figure moved
    tools/count_instructions.py --update   # write the counts of this build as the new figures

Wall time lies on shared machines; instructions do not. valgrind counts what Session::DecodeWithDrafts executes for a few tokens of a tiny synthetic model,
one thread, AVX2 forced (valgrind knows no AVX-512). The figures belong to the release preset and the compiler named in the file: with another
one the test says so and is skipped (status 77). A change that costs instructions for a reason updates the figures in the same commit and says why.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = ROOT / "tests/instructions/figures.json"
CASES = (("tiny-phi", "q8_0"), ("tiny-phi", "q4_k_m"), ("tiny-llama", "q4_0"))
TOKENS = 8
LIMIT = 0.02


def run(*command, **environment):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed with status {done.returncode}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def count(headway, folder, shape, weights):
    """Instructions a token inside Session::DecodeWithDrafts."""
    gguf, package, profile = (folder / f"{shape}-{weights}.{end}" for end in ("gguf", "pkg", "callgrind"))
    run(headway, "synth", shape, "-o", gguf, "--type", weights)
    run(headway, "pack", gguf, "-o", package, "--no-goldens")
    run("valgrind", "--tool=callgrind", "--toggle-collect=headway::Session::DecodeWithDrafts*", f"--callgrind-out-file={profile}", headway, "run", package,
        "--ids", "5,6,7,8,9", "-n", TOKENS, "--ignore-end", "--threads", 1, "--json", HEADWAY_CPU="avx2")
    total = int(re.search(r"^(?:totals|summary): (\d+)", profile.read_text(), re.MULTILINE).group(1))
    if total == 0:
        sys.exit("valgrind counted nothing inside headway::Session::DecodeWithDrafts*: was it renamed?")
    return total // TOKENS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--headway", default=ROOT / "build/release/headway", type=pathlib.Path)
    parser.add_argument("--compiler", default="GNU 12", help="what built it")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if not args.update and known["compiler"] != args.compiler:
        print(f"skipped: the figures are for {known['compiler']}, this build is by {args.compiler}")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        counts = {f"{shape} {weights}": count(args.headway, pathlib.Path(folder), shape, weights) for shape, weights in CASES}
    moved = False
    for case, instructions in counts.items():
        before = known.get("instructions_per_token", {}).get(case)
        change = instructions / before - 1 if before else float("nan")
        moved = moved or not abs(change) <= LIMIT
        print(f"{case}: {instructions} instructions a token, figure {before}, change {100 * change:+.2f} %")
    if args.update:
        FIGURES.write_text(json.dumps({"compiler": args.compiler, "instructions_per_token": counts}, indent=1) + "\n")
    elif moved:
        sys.exit(f"more than {100 * LIMIT:.0f} % from {FIGURES.relative_to(ROOT)}; when that is meant: tools/count_instructions.py --update")


if __name__ == "__main__":
    main()
