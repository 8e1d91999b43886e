#!/usr/bin/env python3
"""Compares the C API's binary interface with abi.txt: the symbols that libheadway.so exports, the sizes of the header's
structs and the offsets of their members, the smallest size of each that is taken (src/c_api/first_sizes.h), its
constants, what its functions take. `--record` writes the file anew: for additions (functions, constants, members at a
struct's end). It refuses what is gone or changed, which programs that were compiled before rest on, unless HEADWAY_ABI
grew."""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORD = HERE / "abi.txt"
HEADERS = [ROOT / "include/headway" / name for name in ("headway.h", "generation.h")]  # the first includes the other
STRUCT = re.compile(r"typedef struct (\w+) \{(.*?)\n\} \1;", re.DOTALL)
ENUM = re.compile(r"enum \{(.*?)\};", re.DOTALL)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def header_text():
    return "\n".join(header.read_text() for header in HEADERS)


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
    header = without_comments(header_text())
    source, program = work / "layout.c", work / "layout"
    source.write_text(layout_program(header))
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ROOT}/include",
                    str(source), "-o", str(program)], check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()


def first_sizes():
    """What the library takes at least of each struct; a recorded one never changes."""
    text = (ROOT / "src/c_api/first_sizes.h").read_text()
    return [f"first {name} {size}" for name, size in re.findall(r"^HEADWAY_FIRST_SIZE\((\w+), (\d+)\)$", text, re.MULTILINE)]


def no_first_size(lines):
    """Structs that no first size is known of, or one that ends inside a member."""
    ends, firsts = {}, {}
    for line in lines:
        kind, name, *numbers = line.split()
        if kind == "member":
            ends.setdefault(name.split(".")[0], []).append(int(numbers[0]) + int(numbers[1]))
        if kind == "first":
            firsts[name] = int(numbers[0])
    return [name for name, of_members in ends.items() if firsts.get(name) not in of_members]


def functions():
    """What each function takes and returns; a parameter's name binds nobody."""
    text = without_comments(header_text())
    found = re.findall(r"^HEADWAY_API ([^;]*?)\b(headway_\w+)\(([^;]*)\);", text, re.MULTILINE)
    types = lambda taken: ", ".join(re.sub(r"(?<=[\s*])\w+$", "", " ".join(one.split())).strip()  # noqa: E731
                                    for one in taken.split(","))
    return [f"function {name} {returned.strip()}({types(taken)})" for returned, name, taken in found]


def without_comment():
    """Functions that the header says nothing about, before them or behind them on their line."""
    lines = header_text().splitlines()
    return [re.search(r"\b(headway_\w+)\(", line).group(1) for above, line in zip(lines, lines[1:])
            if line.startswith("HEADWAY_API") and not above.startswith("//") and "//" not in line]


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


def abi_of(lines):
    return next((int(line.split()[1]) for line in lines if line.startswith("abi ")), 0)


def broken(recorded, found):
    """What was promised and is not there any more; nothing where HEADWAY_ABI grew and so promises anew."""
    if abi_of(found) > abi_of(recorded):
        return []
    there = set(found)
    return [line for line in recorded if line not in there and not may_grow(line, found)]


def may_grow(line, found):
    """A struct's size may, members come at its end; its first size stays."""
    kind, name, *numbers = line.split()
    return kind == "struct" and any(
        other.startswith(f"struct {name} ") and int(other.split()[2]) >= int(numbers[0]) for other in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    found = layout(arguments.compiler, arguments.work) + first_sizes() + functions() + symbols(arguments.library)
    errors = [f"{name}: expected no padding at its end; name it reserved" for name in padded(found)]
    errors += [f"{name}: expected its first size in src/c_api/first_sizes.h, at a member's end"
               for name in no_first_size(found)]
    declared = {line.split()[1] for line in found if line.startswith("function ")}
    exported = {line.split()[1] for line in found if line.startswith("symbol ")}
    errors += [f"{name}: declared, not exported" for name in sorted(declared - exported)]
    errors += [f"{name}: exported, not declared" for name in sorted(exported - declared)]
    errors += [f"{name}: expected a comment of its own" for name in without_comment()]
    recorded = RECORD.read_text().splitlines()
    errors += [f"gone or changed: {line}" for line in broken(recorded, found)]
    if arguments.record and not errors:
        RECORD.write_text("\n".join(found) + "\n")
    elif not arguments.record:
        errors += [f"new, not recorded: {line}" for line in found if line not in recorded]
    for error in errors:
        print(error)
    if errors:
        print("nothing recorded" if arguments.record else "additions: abi_test.py --record", end="; ")
        print("what is gone or changed needs a higher HEADWAY_ABI (docs/api.md)")
    print(f"{len(found)} facts compared")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
