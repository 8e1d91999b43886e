#!/usr/bin/env python3
"""Runs a build's tests by ctest and remembers what passed; --changed leaves out what passed with the same programs,
files and processor: run_tests.py --build DIR [--changed] [CTEST ARGUMENTS...]

A GoogleTest program reads itself and files of the tree that are no source code (models, testdata, documents). What
starts other programs (scripts; tests of a folder that asks for BinaryDirectory()) depends on the whole tree. What
passed is kept in DIR/passed_tests.json."""
import argparse
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as tree

SOURCE_CODE = (".cc", ".h", ".c", ".mm", ".cu")


@functools.lru_cache(maxsize=None)
def digest_of_file(path: str) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@functools.lru_cache(maxsize=None)
def digest_of_tree(with_source_code: bool) -> str:
    """Of the files that git does not ignore."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True,
                            text=True, check=True).stdout
    files = [f for f in sorted(set(listed.split("\0"))) if f and os.path.isfile(f)]
    kept = [f for f in files if with_source_code or not f.endswith(SOURCE_CODE)]
    return hashlib.sha256("\n".join(f"{f} {digest_of_file(f)}" for f in kept).encode()).hexdigest()


@functools.lru_cache(maxsize=None)
def starts_programs(folder: str) -> bool:
    sources = pathlib.Path(folder).rglob("*") if os.path.isdir(folder) else []
    return any(s.suffix in SOURCE_CODE and s.name != "test_paths.h" and "BinaryDirectory(" in s.read_text() for s in sources)


@functools.lru_cache(maxsize=None)
def surroundings() -> str:
    """What decides which instruction sets the tests take, and how much of them."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    processor = sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    return "\n".join(processor + sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("HEADWAY_")))


def digest_of_test(test: dict, build: pathlib.Path) -> str | None:
    """Of all that decides whether it passes; None: not known."""
    command = test.get("command", [])
    if not command or not os.path.isfile(command[0]):
        return None
    program = pathlib.Path(command[0]).resolve()
    is_unit = any(argument.startswith("--gtest_filter") for argument in command) and build in program.parents
    whole = not is_unit or starts_programs(str(program.parent.relative_to(build)))
    parts = [json.dumps(command), surroundings(), digest_of_tree(whole), digest_of_file(str(program))]
    parts += [f"{p['name']} {p['value']}" for p in test["properties"] if p["name"] in ("ENVIRONMENT", "WILL_FAIL")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def passed_in(report: pathlib.Path) -> set[str]:
    cases = tree.parse(report).getroot().iter("testcase")
    return {case.get("name", "") for case in cases if case.get("status") == "run" and case.find("failure") is None}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--changed", action="store_true")
    arguments, ctest_arguments = parser.parse_known_args()
    build = arguments.build.resolve()
    known_path = build / "passed_tests.json"
    known = json.loads(known_path.read_text()) if known_path.exists() else {}
    shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", *ctest_arguments], capture_output=True,
                           text=True, check=True).stdout
    digests = {test["name"]: digest_of_test(test, build) for test in json.loads(shown)["tests"]}
    unchanged = [n for n, key in digests.items() if arguments.changed and key is not None and known.get(n) == key]
    if unchanged:
        print(f"left out: {len(unchanged)} of {len(digests)} suites, which read nothing that changed since they passed",
              flush=True)
    if digests and len(unchanged) == len(digests):
        return 0
    left_out = ["-E", "^(" + "|".join(name.replace(".", "[.]") for name in unchanged) + ")$"] if unchanged else []
    report = build / "run_tests.xml"
    report.unlink(missing_ok=True)
    status = subprocess.run(["ctest", "--test-dir", build, *ctest_arguments, *left_out, "--output-junit", report],
                            check=False).returncode
    if report.exists():
        known.update({name: digests[name] for name in passed_in(report) if digests.get(name) is not None})
        new = known_path.with_suffix(".new")
        new.write_text(json.dumps(known, indent=1, sort_keys=True))
        new.rename(known_path)
    return status


if __name__ == "__main__":
    sys.exit(main())
