#!/usr/bin/env python3
"""Compares what a build of headway computes with what it computed before, bit by bit: tokens and logits of many ways
through the model, and every file of many packages. The record is the same on every processor.

    record_bits.py --headway build/release/headway             compares with tests/bits/expected.json
    record_bits.py --headway build/release/headway --update    writes it, after a change of bits that is meant
    record_bits.py ... --through "qemu-aarch64 -L /usr/aarch64-linux-gnu" --only "tiny|greedy"    a cross build, some of it
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPECTED = ROOT / "tests/bits/expected.json"
STORY = ROOT / "models/story-12m.gguf"
TYPES = "f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_m q5_k_m q6_k".split()
PROMPT = ["-p", "Once upon a time, the fox said: one, two, three. The fox said: one,", "-n", "24"]
SCHEMA = '{"properties": {"animal": {"enum": ["fox", "bear"]}, "age": {"type": "integer"}}, "required": ["animal"]}'
# name -> arguments of `run` on the model in models/
RUNS = {
    "greedy": [],
    "one thread": ["--threads", "1"],
    "chat": ["--chat", "--system", "Be brief."],
    "whole head": ["--head", "full:1"],
    "eight shards": ["--head", "full:8"],
    "certified": ["--head", "certified"],
    "certified, sampled": ["--head", "certified", "--temp", "0.8", "--seed", "7"],
    "certified, deterministic": ["--head", "certified", "--certificate", "deterministic"],
    "reduced": ["--head", "reduced:1000"],
    "one layer a shard": ["--topology", "1"],
    "cover": ["--topology", "0:2,2:3,3:12"],
    "cache in Q8_0": ["--kv", "q8_0"],
    "sampled": ["--temp", "0.9", "--seed", "3"],
    "top-p": ["--temp", "0.8", "--top-p", "0.9", "--seed", "5"],
    "top-k, min-p": ["--temp", "1.1", "--top-k", "40", "--min-p", "0.05", "--seed", "11"],
    "penalty and bias": ["--repeat-penalty", "1.3", "--logit-bias", "300:4,301:-inf"],
    "lookup": ["--speculate", "lookup"],
    "lookup, sampled": ["--speculate", "lookup", "--temp", "0.7", "--seed", "2"],
    "schema": ["--json-schema", "{schema}", "--no-finish-within-budget"],
    "schema, certified": ["--json-schema", "{schema}", "--no-finish-within-budget", "--head", "certified"],
    "schema, lookup": ["--json-schema", "{schema}", "--no-finish-within-budget", "--speculate", "lookup"],
}
# The same where scores and logits are soft-capped.
CAPPED_RUNS = {
    "greedy": [],
    "cache in Q8_0": ["--kv", "q8_0"],
    "certified": ["--head", "certified"],
    "certified, sampled": ["--head", "certified", "--temp", "0.8", "--seed", "7"],
    "top-p": ["--temp", "0.8", "--top-p", "0.9", "--seed", "5"],
}
# name -> arguments of `pack`; --rotation-seed makes a certified head the same each time
PACKS = {
    "heads": ["--head", "full:4,full:1,top1:2,blockmax:3,certified,reduced:500", "--rotation-seed", "1"],
    "cover": ["--topology", "0:1,1:12", "--head", "certified,full:2", "--rotation-seed", "9", "--directions", "2"],
    "coreml": ["--device", "coreml", "--head", "full:4,top1-fp16:2", "--max-seq", "128"],
    "coreml fp16": ["--device", "coreml", "--weights", "fp16", "--batch-tokens", "1,4", "--max-seq", "64"],
    "coreml lut4": ["--device", "coreml", "--weights", "lut4", "--attention", "batched", "--max-seq", "64"],
    "coreml unified": ["--device", "coreml", "--states", "unified", "--batch-tokens", "1..4", "--max-seq", "64"],
    "coreml certified": ["--device", "coreml", "--head", "certified,full:2", "--rotation-seed", "4", "--max-seq", "64"],
    "coreml top1, blockmax": ["--device", "coreml", "--head", "full:2,top1:2,blockmax:2", "--max-seq", "64"],
}


def without_blocks(entry):
    """Digests of a file's blocks say nothing that the file does not."""
    return {key: value for key, value in entry.items() if key != "blocks"}


class Recorder:
    def __init__(self, command, folder):
        self.command, self.folder = command, folder
        self.synthesising = threading.Lock()
        self.schema = folder / "schema.json"
        self.schema.write_text(SCHEMA)

    def call(self, *arguments, **environment):
        """stdout; raises with the tool's own words."""
        env = {**os.environ, "HEADWAY_CACHE": str(self.folder / "cache"), **environment}
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True, env=env, check=False)
        if done.returncode not in (0, 1, 4):  # 1: a gate failed, 4: a schema's text is cut
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def run(self, model, arguments, **environment):
        arguments = [str(self.schema) if a == "{schema}" else a for a in arguments]
        said = json.loads(self.call("run", model, *PROMPT, *arguments, "--json", "--allow-ungated", **environment))
        tokens = ",".join(map(str, said["generated_ids"]))
        return f"{said['counters']['logits_hash']} {hashlib.sha256(tokens.encode()).hexdigest()[:16]}"

    def synth(self, shape, kind):
        path = self.folder / f"{shape}-{kind}.gguf"
        with self.synthesising:
            if not path.exists():
                self.call("synth", shape, "-o", path, "--type", kind)
        return path

    @staticmethod
    def without_origin(text):
        """A manifest without who made it of what: the bits do not depend on these."""
        manifest = json.loads(text, object_hook=without_blocks)
        for key in ("digest", "producer", "source"):
            manifest.pop(key, None)
        return json.dumps(manifest, sort_keys=True).encode()

    def pack(self, name, model, arguments):
        package = self.folder / f"package {name}"
        self.call("pack", model, "-o", package, *arguments)
        whole = hashlib.sha256()
        for path in sorted(p for p in package.rglob("*") if p.is_file()):
            contents = self.without_origin(path.read_bytes()) if path.name == "manifest.json" else path.read_bytes()
            whole.update(str(path.relative_to(package)).encode() + b"\0" + hashlib.sha256(contents).digest())
        digest = whole.hexdigest()[:16]
        ran = self.run(package, ["--threads", "1"])
        return f"{digest} {ran}"


def settings(recorder):
    """name -> a call that gives its record."""
    calls = {}
    for shape in ("tiny-phi", "tiny-llama", "test-phi"):
        for kind in TYPES:
            calls[f"{shape} {kind}"] = lambda s=shape, k=kind: recorder.run(recorder.synth(s, k), [])
    # Of this machine's processor: what runs the tool plays another one.
    is_x86 = platform.machine() == "x86_64" and len(recorder.command) == 1
    sets = ("reference", "avx2") if is_x86 else ("reference",)
    for shape, kind in (("tiny-llama", "q8_0"), ("tiny-llama", "q4_k_m"), ("tiny-gemma2", "q8_0")):
        for cpu in sets:
            calls[f"{shape} {kind} on {cpu}"] = lambda s=shape, k=kind, c=cpu: recorder.run(
                recorder.synth(s, k), ["--kv", "q8_0"], HEADWAY_CPU=c)
    for name, arguments in CAPPED_RUNS.items():
        calls[f"tiny-gemma2 {name}"] = lambda a=arguments: recorder.run(recorder.synth("tiny-gemma2", "q4_k_m"), a)
    for name, arguments in RUNS.items():
        calls[f"run: {name}"] = lambda a=arguments: recorder.run(STORY, a)
    for name, arguments in PACKS.items():
        calls[f"pack: {name}"] = lambda n=name, a=arguments: recorder.pack(n, STORY, a)
    return calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--headway", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--through", default="", help="what runs the tool")
    parser.add_argument("--only", default="", help="an expression that the names of records match")
    options = parser.parse_args()
    if options.update and options.only:
        parser.error("--update writes all records")
    wanted = re.compile(options.only)
    with tempfile.TemporaryDirectory() as folder:
        command = [*shlex.split(options.through), os.path.abspath(options.headway)]
        calls = {name: call for name, call in settings(Recorder(command, pathlib.Path(folder))).items() if wanted.search(name)}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            futures = {name: pool.submit(call) for name, call in calls.items()}
            found = {name: future.result() for name, future in futures.items()}
    if options.update:
        EXPECTED.parent.mkdir(exist_ok=True)
        EXPECTED.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} records written to {EXPECTED}")
        return 0
    expected = {name: record for name, record in json.loads(EXPECTED.read_text()).items()
                if wanted.search(name) and (name in calls or not name.endswith("on avx2"))}
    if not expected:
        sys.exit(f"no record's name matches '{options.only}'")
    wrong = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    for name in wrong:
        print(f"{name}: expected {expected.get(name)}, found {found.get(name)}")
    print(f"{len(found) - len(wrong)} of {len(found)} records are bit-equal to tests/bits/expected.json"
          + ("; if the change is meant: tools/record_bits.py --headway HEADWAY --update" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
