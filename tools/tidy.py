#!/usr/bin/env python3
"""clang-tidy on files of a build, one a core; what passed is not looked at again until it, or anything it includes, or
the rules change: tidy.py --build DIR [--units] [FILE...]

--units: everything that the build compiles of the product, in its batches. A file that passed leaves an empty file
below build/tidy/, named by the digest of all that clang-tidy read of it (by the build's record of what it includes; what it has not compiled is always looked at)."""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-14"
PASSED = pathlib.Path("build/tidy")
# Not the product: tests, generated code; nor Objective-C++, whose rules these are not.
OTHERS = (".mm", "/tests/", "_test.dir/", "test_paths", "/bench/", "/examples/", "_proto.dir/", ".pb.cc", "rules_text.cc")


@functools.lru_cache(maxsize=None)
def digest_of_file(path: str) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def included(build: pathlib.Path) -> dict[str, list[str]]:
    """What each object was made of, when it was last compiled; objects that are out of date are left out."""
    found: dict[str, list[str]] = {}
    output = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=False).stdout
    name = None
    for line in output.splitlines():
        if line.startswith("    "):
            if name is not None:
                found[name].append(str((build / line.strip()).resolve()))
        elif ": #deps" in line:
            name = line.split(":")[0] if line.endswith("(VALID)") else None
            if name is not None:
                found[name] = []
    return found


def object_of(entry: dict) -> str:
    """Where the compiler writes to, as the build names it."""
    words = shlex.split(entry["command"])
    return words[words.index("-o") + 1] if "-o" in words[:-1] else ""


def digest(entry: dict, files: list[str] | None, checks: str) -> str | None:
    """Of all that decides what clang-tidy says; None: not known."""
    if not files:
        return None
    parts = [TIDY, checks, pathlib.Path(".clang-tidy").read_text(), entry["command"], digest_of_file(entry["file"])]
    try:
        parts += [f"{path} {digest_of_file(path)}" for path in sorted(files)]
    except OSError:
        return None
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--units", action="store_true")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    entries = {}
    for entry in json.loads((arguments.build / "compile_commands.json").read_text()):
        entries.setdefault(entry["file"], entry)
    if arguments.units:
        files = sorted(file for file in entries if not any(other in file for other in OTHERS))
    else:
        files = [str(pathlib.Path(file).resolve()) for file in arguments.files]
    if not files:
        print("tidy: no files", file=sys.stderr)
        return 1
    checks = "-bugprone-suspicious-include" if arguments.units else ""  # a batch includes .cc files, on purpose
    made_of = included(arguments.build)
    PASSED.mkdir(parents=True, exist_ok=True)

    def look_at(file: str) -> str | None:
        """None: known to be good; else what clang-tidy says, which is empty when it is good."""
        entry = entries.get(file)
        key = entry and digest(entry, made_of.get(object_of(entry)), checks)
        if key and (PASSED / key).exists():
            return None
        result = subprocess.run([TIDY, "--quiet", f"--checks={checks}", "-p", arguments.build, file],
                                capture_output=True, text=True, check=False)
        if result.returncode == 0:
            if key:
                (PASSED / key).touch()
            return ""
        return result.stdout or result.stderr or f"{file}: clang-tidy failed"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(look_at, files))
    findings = [text for text in results if text]
    print("".join(findings), end="")
    known = sum(text is None for text in results)
    print(f"clang-tidy: {len(files)} files, {known} unchanged since they passed, {len(findings)} with findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
