#!/usr/bin/env python3
"""Checks the include rule of docs/ARCHITECTURE.md: a file may include its own folder and folders of a lower level. The
levels here and in that page's table are the same."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = [
    ["base"],
    ["tensor"],
    ["gguf", "graph", "kernels", "manifest", "tokenizer"],
    ["grammar", "jinja", "model", "sampling"],
    ["chat", "lmhead", "truth"],
    ["device"],
    ["engine"],
    ["pack", "gates", "server", "distributed"],
    ["lab", "c_api"],
]
DIVIDED = {"device", "truth"}  # folders whose parts do not see each other
DEVICE_LIST = "src/engine/devices.cc"  # the one file outside device/ that sees single devices, and their names
SEES_ONLY = {"truth/straightline": {"base", "tensor", "gguf"}}  # the wall: it shares no code with what it checks
RANK = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
RANK["cli"] = len(LAYERS)  # apps/
COMPARES_DEVICE = re.compile(r'[!=]= "(cpu|coreml)"')
TABLE_ROW = re.compile(r"^\| (\d+) \| `([^`]+)` \|", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def main() -> int:
    errors = []
    architecture = (ROOT / "docs/ARCHITECTURE.md").read_text()
    levels = {folder: level for level, folder in TABLE_ROW.findall(architecture)}
    for folder in sorted(p.name for p in (ROOT / "src").iterdir() if p.is_dir()):
        if folder not in RANK:
            errors.append(f"src/{folder}/: not in the list of layers in tools/layers.py")
        elif (level := levels.get(f"{folder}/")) != str(RANK[folder]):
            errors.append(f"docs/ARCHITECTURE.md: src/{folder}/: expected level {RANK[folder]} of tools/layers.py, found {level or 'no row'}")
    for path in sorted([*(ROOT / "src").rglob("*"), *(ROOT / "apps").rglob("*")]):
        if path.suffix not in (".h", ".cc", ".inc", ".cu", ".mm"):
            continue
        relative = path.relative_to(ROOT)
        parts = relative.parts[1:]
        mine = parts[0]
        outside = mine != "device" and str(relative) != DEVICE_LIST
        if path.stem.endswith(("_test", "_fixture")):  # a test may look further down and at its peers' public headers
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{relative}:{number}"
            if outside and COMPARES_DEVICE.search(line):
                errors.append(f"{where}: devices differ by their traits (device/traits.h), not by name")
            match = INCLUDE.match(line)
            if not match:
                continue
            other = match.group(1).split("/")
            if other[0] not in RANK or other[0] == mine and mine not in DIVIDED:
                continue
            part = f"{mine}/{parts[1]}"
            if outside and other[0] == "device" and len(other) > 2:
                errors.append(f"{where}: only {DEVICE_LIST} may include device/{other[1]}/")
            elif mine == other[0]:  # devices see device/*.h and themselves, not each other
                if len(other) > 2 and other[1] != parts[1]:
                    errors.append(f"{where}: {part}/ may not include {mine}/{other[1]}/")
            elif part in SEES_ONLY and other[0] not in SEES_ONLY[part]:
                errors.append(f"{where}: {part}/ may not include {other[0]}/")
            elif RANK[other[0]] >= RANK[mine]:
                errors.append(f"{where}: {mine}/ may not include {other[0]}/")
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
