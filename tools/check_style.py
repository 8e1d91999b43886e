#!/usr/bin/env python3
"""Checks what clang-format and clang-tidy cannot: file length, where third-party headers may be included, folder names,
what writes to terminals, width of prose, words and paths that must not be in the repository. Reads tracked files only."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINES, MAX_TEST_LINES = 500, 700
BANNED_FOLDERS = {"utils", "util", "common", "helpers", "misc"}
# header pattern -> the only places that may include it
HOMES = {
    r"nlohmann/": ["src/manifest/json_io.cc", "src/grammar/schema_keywords.h", "apps/cli/json_report.cc", "apps/cli/json_gates.cc", "src/device/coreml/", "src/lab/", "src/gates/", "src/server/json.h", "tests/"],
    r"httplib\.h": ["src/server/http_library.h"],
    r"CLI/": ["apps/cli/arguments.cc", "apps/cli/options.h", "apps/cli/parse_mistake"],
    r"pcre2\.h": ["src/tokenizer/pretokenizer.cc"],
    r"google/protobuf|\.pb\.h": ["src/device/coreml/"],
    r"xxhash\.h": ["src/base/digest.cc"],
    r"^mpi\.h$": ["src/distributed/mpi/"],
    r"immintrin\.h": ["src/kernels/avx2/", "src/kernels/avx512/"],
    r"arm_neon\.h": ["src/kernels/neon/"],
    r"gtest/": ["_test.cc", "_fixture.", "tests/"],
    r"benchmark/benchmark\.h": ["bench/"],
}
# What may write to a terminal by itself -> the only files of the product that may call it. Everything else goes through
# Notice() and WriteOut(), which print foreign text such that it cannot steer a terminal.
OUTPUT_HOMES = {
    r"\b(v?f?printf|fputs|fputc|putc|puts|putchar|perror)\(|\bfmt::print\b|\bstd::(cout|cerr|clog)\b": ["src/base/notice.cc", "src/base/progress.cc", "src/base/check.cc", "apps/cli/main.cc", "src/pack/recorded_texts.cc"],
    r"\bfwrite\(": ["src/base/file_writer.cc", "src/device/coreml/package/weight_file.cc", "apps/cli/output.cc"],
    r"\bWriteModelText\(": ["apps/cli/output.", "apps/cli/command_run.cc"],
    r"\bWriteJson\((?!\w*(Json|Report)\()": ["apps/cli/output."],
}
# Calls that the product does not make -> why, and what it calls instead.
BANNED_CALLS = {
    r"\b(recursive_)?directory_iterator\b|\bfs::remove_all\(": "ends the process where memory ends: NamesIn(), RemoveTree() of base/directory.h",
}
BANNED_IN_HEADERS = ["<iostream>", "<regex>"]
# Paths of one machine and left-over marks.
BANNED_TEXT = [
    (re.compile(r"(?<![\w.])/(root|home/[a-z]+)/"), "a path of one machine"),
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))"), "a mark without an issue: TODO(#12)"),
]
CODE = {".h", ".cc", ".cu", ".mm", ".py", ".sh", ".cmake"}
MAX_PROSE = 100  # columns of Markdown
LINK = re.compile(r"!?\[[^\]]*\]\([^)]*\)")


def tracked():
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in out.splitlines() if (ROOT / line).is_file()]


def check_includes(path, number, line, errors):
    match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
    if not match:
        return
    relative = str(path.relative_to(ROOT))
    for pattern, homes in HOMES.items():
        if re.search(pattern, match.group(1)) and not any(home in relative for home in homes):
            errors.append(f"{relative}:{number}: <{match.group(1)}> belongs in {', '.join(homes)} only")
    if path.suffix == ".h" and any(header in line for header in BANNED_IN_HEADERS):
        errors.append(f"{relative}:{number}: {line.strip()} is too slow to compile for a header")


def check_calls(path, number, line, errors):
    relative = str(path.relative_to(ROOT))
    product = relative.startswith(("src/", "apps/")) and not re.search(r"_(test|fixture)\.", path.name)
    if not product or path.suffix not in {".h", ".cc", ".mm"}:
        return
    for pattern, homes in OUTPUT_HOMES.items():
        if re.search(pattern, line.split("//")[0]) and not any(home in relative for home in homes):
            errors.append(f"{relative}:{number}: '{line.strip()}' may print foreign text as it is: Notice(), WriteOut()")
    for pattern, reason in BANNED_CALLS.items():
        if re.search(pattern, line.split("//")[0]):
            errors.append(f"{relative}:{number}: '{line.strip()}' {reason}")


def check_prose(path, errors):
    """Lines of prose are short enough to be read side by side. Tables, code, and a link or word that alone is too long
    cannot be wrapped."""
    text = path.read_text()
    fenced = indented = False
    above = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        fence = words.startswith(("```", "~~~"))
        fenced ^= fence
        item = re.match(r"([-*+]|\d+[.)]) ", words)
        indented = line.startswith("    ") and not item and (indented or not above.strip())
        above = line
        if len(line) <= MAX_PROSE or fence or fenced or indented or words.startswith("|"):
            continue
        longest = max(LINK.sub(lambda link: link.group().replace(" ", "_"), words).split(), key=len)
        if len(longest) <= MAX_PROSE - (len(line) - len(line.lstrip())):
            errors.append(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns of prose, at most {MAX_PROSE}")


def main() -> int:
    errors = []
    for path in tracked():
        relative = path.relative_to(ROOT)
        if BANNED_FOLDERS & set(relative.parts[:-1]):
            errors.append(f"{relative}: a folder needs a name that says what is in it")
        if path.suffix == ".md":
            check_prose(path, errors)
        if path.suffix not in CODE and path.name != "dev":
            continue
        lines = path.read_text().splitlines()
        limit = MAX_TEST_LINES if "_test." in path.name else MAX_LINES
        if len(lines) > limit:
            errors.append(f"{relative}: {len(lines)} lines, at most {limit}")
        # the begin and end of an instruction set's region are included many times, on purpose
        if path.suffix == ".h" and "#pragma once" not in lines and not path.name.startswith("region_"):
            errors.append(f"{relative}: expected #pragma once")
        for number, line in enumerate(lines, 1):
            check_includes(path, number, line, errors)
            check_calls(path, number, line, errors)
            for pattern, what in BANNED_TEXT:
                if path.name != "check_style.py" and pattern.search(line):
                    errors.append(f"{relative}:{number}: {what}")
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
