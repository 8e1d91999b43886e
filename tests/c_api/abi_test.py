#!/usr/bin/env python3
"""Compares the C API's binary interface with abi.txt: the symbols that libheadway.so exports, the sizes of the header's
structs and the offsets of their members, its constants. `--record` writes the file anew: for additions (symbols,
constants, members at a struct's end). Whatever else differs needs a higher HEADWAY_ABI, because programs that were
compiled before would break."""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORD = HERE / "abi.txt"
STRUCT = re.compile(r"typedef struct (\w+) \{(.*?)\n\} \1;", re.DOTALL)
ENUM = re.compile(r"enum \{(.*?)\};", re.DOTALL)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def members(body):
    for declaration in body.split(";"):
        declaration = " ".join(declaration.split())
        if not declaration:
            continue
        function = re.search(r"\(\*(\w+)\)", declaration)
        if function:
            yield function.group(1)
            continue
        for part in declaration.split(","):
            yield re.search(r"(\w+)$", part.strip()).group(1)


def layout_program(header):
    """A C program that prints what the compiler makes of the header."""
    lines = ["#include <headway/headway.h>", "#include <stdio.h>", "int main(void) {"]
    lines.append('  printf("abi %d\\n", HEADWAY_ABI);')
    for name, body in STRUCT.findall(header):
        lines.append(f'  printf("struct {name} %zu\\n", sizeof({name}));')
        for member in members(body):
            lines.append(f'  printf("member {name}.{member} %zu %zu\\n", offsetof({name}, {member}), '
                         f"sizeof((({name}*)0)->{member}));")
    for body in ENUM.findall(header):
        for constant in re.findall(r"\b(HEADWAY_\w+)\b", body):
            lines.append(f'  printf("constant {constant} %d\\n", {constant});')
    return "\n".join(lines + ["  return 0;", "}", ""])


def layout(compiler, work):
    header = without_comments((ROOT / "include/headway/headway.h").read_text())
    source, program = work / "layout.c", work / "layout"
    source.write_text(layout_program(header))
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ROOT}/include",
                    str(source), "-o", str(program)], check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()


def symbols(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = [line.split()[-1].split("@")[0] for line in out.splitlines() if line.split()[-2] != "A"]
    return sorted(f"symbol {name}" for name in names)


def padded(lines):
    """Structs with room behind their last member, which a later member would take without a larger size."""
    ends, sizes = {}, {}
    for line in lines:
        kind, name, *numbers = line.split()
        if kind == "struct":
            sizes[name] = int(numbers[0])
        if kind == "member":
            ends[name.split(".")[0]] = int(numbers[0]) + int(numbers[1])
    return [name for name, size in sizes.items() if ends[name] != size]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    found = layout(arguments.compiler, arguments.work) + symbols(arguments.library)
    errors = [f"{name}: expected no padding at its end; name it reserved" for name in padded(found)]
    declared = set(re.findall(r"\b(headway_\w+)\(", without_comments((ROOT / "include/headway/headway.h").read_text())))
    exported = {line.split()[1] for line in found if line.startswith("symbol ")}
    errors += [f"{name}: declared, not exported" for name in sorted(declared - exported)]
    errors += [f"{name}: exported, not declared" for name in sorted(exported - declared)]
    if arguments.record:
        RECORD.write_text("\n".join(found) + "\n")
    recorded = RECORD.read_text().splitlines()
    errors += [f"gone or changed: {line}" for line in recorded if line not in found]
    errors += [f"new, not recorded: {line}" for line in found if line not in recorded]
    for error in errors:
        print(error)
    if errors:
        print("additions: abi_test.py --record; anything else changes HEADWAY_ABI (docs/api.md)")
    print(f"{len(found)} facts compared")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
