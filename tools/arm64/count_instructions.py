#!/usr/bin/env python3
"""Counts the instructions a multiply-add of the 64-bit Arm kernels, by qemu-user and a plugin of ours, and compares them
with tests/instructions/arm64.json, within 2 %.

    tools/arm64/count_instructions.py            # compare; status 1 when a figure moved
    tools/arm64/count_instructions.py --update   # write the counts of this build as the new figures

Every instruction counts one, whatever it costs. A kernel's are the difference of a program that calls it three times and
one that calls it once, divided by two: what surrounds the calls drops out, and emulation repeats itself exactly.
Needs the preset arm64 with its target kernel_calls, qemu-user, and a C compiler for this machine.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIGURES = ROOT / "tests/instructions/arm64.json"
KERNELS = ("Q8_0", "Q4_0", "Q4_K", "Q6_K", "Q5_K", "F16", "screen", "refine")
SETS = ("neon", "neon_dot", "neon_i8mm")
TOKENS = (1, 4, 8)
LIMIT = 0.02


def executed(plugin, program, *arguments):
    """Instructions of a run, and what it printed."""
    done = subprocess.run(["qemu-aarch64", "-cpu", "max", "-L", "/usr/aarch64-linux-gnu", "-plugin", plugin, program, *map(str, arguments)],
                          capture_output=True, text=True, check=False)
    found = re.search(r"instructions: (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{program} {' '.join(map(str, arguments))}: status {done.returncode}: {done.stderr.strip()}")
    return int(found.group(1)), done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=ROOT / "build/arm64/bench/kernel_calls", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    counts, moved = {}, False
    with tempfile.TemporaryDirectory() as folder:
        plugin = pathlib.Path(folder) / "count.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", plugin, ROOT / "tools/arm64/count_plugin.c"], check=True)
        for kernels in SETS:
            for kernel in KERNELS:
                for tokens in TOKENS if kernel != "refine" else (1,):
                    (once, said), (thrice, _) = (executed(plugin, args.program, kernels, kernel, tokens, calls) for calls in (1, 3))
                    name = f"{kernels} {kernel} {tokens}"
                    counts[name] = round((thrice - once) / 2 / int(said), 4)
                    change = counts[name] / known[name] - 1 if name in known else float("nan")
                    moved = moved or not abs(change) <= LIMIT
                    print(f"{name}: {counts[name]:.4f} instructions a multiply-add, change {100 * change:+.2f} %", flush=True)
    if args.update:
        FIGURES.write_text(json.dumps(counts, indent=1) + "\n")
    elif moved:
        sys.exit(f"more than {100 * LIMIT:.0f} % from {FIGURES.relative_to(ROOT)}; when that is meant: tools/arm64/count_instructions.py --update")


if __name__ == "__main__":
    main()
