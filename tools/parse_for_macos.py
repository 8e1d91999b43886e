#!/usr/bin/env python3
"""Parses the product's files and the examples as for a Mac: clang's macOS target, LLVM's C++ library (which Apple's is made from),
musl's C headers with what macOS lacks taken away and what it has besides put in (tests/macos/headers). Finds what
would stop a Mac's compiler: functions of Linux, of libstdc++, of GNU. The runner of Core ML is parsed for Apple's own
Objective-C runtime, with headers written from Apple's documentation (Foundation.h there, CoreML.h of
tests/apple/standin). Not Apple's own headers: the last word is a Mac's. Needs clang-14, libc++-14-dev, musl-dev.

    tools/parse_for_macos.py [--every N] [--libraries FOLDER] [FILE...]     all product files, every Nth of them, or these

With --libraries, fmt, cpp-httplib, CLI11, tl-expected and nlohmann-json are those of the folder where it has them, and
this machine's where not: newer ones, which Homebrew has (tools/newer_libraries.sh fetches Debian sid's).
"""
import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = ["fmt", "tl", "nlohmann", "CLI", "google", "xxhash.h", "httplib.h", "pcre2.h"]
CPP_LIBRARY = pathlib.Path("/usr/lib/llvm-14/include/c++/v1")
C_LIBRARY = pathlib.Path("/usr/include/x86_64-linux-musl")
MPI = sorted(pathlib.Path("/usr/lib").glob("*/openmpi/include"))[:1]


def sources():
    patterns = ["src/*.cc", "src/*.mm", "apps/*.cc", "examples/*.cc", "examples/*.c"]
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    skipped = ("_test.cc", "_fixture.cc", "platform_linux.cc", "elsewhere/native.cc")
    return [name for name in listed.stdout.split() if not name.endswith(skipped)]


def flags(third_party, generated):
    compiler = subprocess.run(["clang++-14", "-print-resource-dir"], capture_output=True, text=True, check=True).stdout.strip()
    search = [ROOT / "tests/macos/headers", CPP_LIBRARY, pathlib.Path(compiler) / "include", C_LIBRARY, third_party, *generated, *MPI]
    includes = [word for path in search for word in ("-isystem", str(path))]
    return ["clang++-14", "-target", "arm64-apple-macos15", "-fsyntax-only", "-nostdinc", "-nostdinc++",
            "-D_BSD_SOURCE", "-D_POSIX_C_SOURCE=200809L", "-D_XOPEN_SOURCE=700", "-D_DARWIN_C_SOURCE", "-Wall", "-Wextra",
            "-Wno-unused-command-line-argument", *includes, f"-I{ROOT}/src", f"-I{ROOT}/include", f"-I{ROOT}/apps/cli"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--libraries", type=pathlib.Path)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    folders = [pathlib.Path("/usr/include")]
    if arguments.libraries:
        folders.insert(0, arguments.libraries.resolve())
        found = [name for name in LIBRARIES if (folders[0] / name).exists()]
        if not found:
            parser.error(f"{arguments.libraries}: expected a folder with one of {', '.join(LIBRARIES)}, found none")
        print(f"of {arguments.libraries}: {', '.join(found)}")
    missing = [str(path) for path in (CPP_LIBRARY, C_LIBRARY) if not path.is_dir()]
    if missing:
        print(f"not parsed for macOS: expected {', '.join(missing)} (apt-get install clang-14 libc++-14-dev musl-dev)")
        return 2
    generated = sorted({path.parent for path in ROOT.glob("build/*/src/device/coreml/package/proto/*.pb.h")})[:1]
    with tempfile.TemporaryDirectory() as third_party:
        for name in LIBRARIES:
            for source in [folder / name for folder in folders if (folder / name).exists()][:1]:
                (pathlib.Path(third_party) / name).symlink_to(source)
        command = flags(pathlib.Path(third_party), generated)
        files = arguments.files or sources()[:: arguments.every]
        without = [("package/proto", "no build with its generated headers")] * (not generated) + [("distributed/mpi/", "no libopenmpi-dev")] * (not MPI)
        for part, why in without:
            print(f"not parsed: {part} ({why})")
            files = [name for name in files if part not in name]

        languages = {".cc": ["-std=c++20"], ".c": ["-x", "c", "-std=c11"],
                     ".mm": ["-std=c++20", "-fno-objc-arc", "-fblocks", "-fobjc-exceptions", f"-I{ROOT}/tests/apple/standin"]}

        def parse(name):
            return name, subprocess.run([*command, *languages[pathlib.Path(name).suffix], name], cwd=ROOT, capture_output=True, text=True)

        failed = 0
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, outcome in pool.map(parse, files):
                if outcome.returncode == 0:
                    continue
                failed += 1
                print(f"{name}:\n{outcome.stderr}")
    print(f"{len(files) - failed} of {len(files)} files parse for macOS")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
