#!/usr/bin/env python3
"""One model on several hosts by MPI: ranks in network namespaces with delay and loss (network.py).

    hosts_test.py PART HEADWAY TAP_SWITCH MODEL.gguf

PART: tokens, traffic, weights, lost, server or mistakes. Exit status 77: cannot run here, and says why."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import network

PROMPT = "Once upon a time"
SCHEMA = {"type": "object", "required": ["name", "age"], "additionalProperties": False,
          "properties": {"name": {"type": "string", "maxLength": 12},
                         "age": {"type": "integer", "minimum": 0, "maximum": 120}}}
PARTS = {1: "layers:1,head:1", 2: "layers:2,head:2", 3: "layers:2,head:3", 4: "layers:2,head:4", 8: "layers:3,head:5"}


class Failure(Exception):
    pass


def check(good, what):
    if not good:
        raise Failure(what)


class Models:
    """Packages: the story model, and a tiny one whose 1,032 tokens are no whole number of blocks of rows."""

    def __init__(self, headway, story, directory):
        self.headway = headway
        odd = os.path.join(directory, "odd.gguf")
        subprocess.run([headway, "synth", "test-phi", "-o", odd, "--type", "q4_k_m", "--seed", "11"], check=True,
                       capture_output=True)
        self.odd, self.story = (self._pack(model, os.path.join(directory, name))
                                for model, name in ((odd, "odd"), (story, "story")))

    def _pack(self, model, directory):
        subprocess.run([self.headway, "pack", model, "-o", directory, "--topology", "1", "--head", "full:8,certified",
                        "--no-goldens"], check=True, capture_output=True)
        return directory


def run_command(headway, model, options):
    return [headway, "run", model, "--threads", "1", "--allow-ungated", "--json", *options]


def on_one_host(headway, model, options):
    done = subprocess.run(run_command(headway, model, options), capture_output=True, text=True)
    check(done.returncode == 0, f"one host: {done.stderr}")
    return json.loads(done.stdout)


def on_hosts(hosts, headway, model, options, ranks, parts):
    job = hosts.start([*run_command(headway, model, options), "--hosts", parts, "--hosts-timeout", "20"], ranks)
    out, errors = job.wait(120)
    statuses = [job.status(rank, 5) for rank in range(ranks)]
    check(statuses == [0] * ranks, f"{parts} on {ranks}: ended with {statuses}\n{errors}")
    return json.loads(out)


def cases(models, directory):
    schema = os.path.join(directory, "schema.json")
    pathlib.Path(schema).write_text(json.dumps(SCHEMA))
    story = ["-p", PROMPT, "-n", "40"]
    odd = ["--ids", "1,5,9,300,1031", "-n", "90", "--ignore-end"]
    for head in ("full:8", "certified"):
        yield models.story, [*story, "--head", head, "--temp", "0"]
        yield models.story, [*story, "--head", head, "--temp", "0.9", "--seed", "3"]
        yield models.story, [*story, "--head", head, "--temp", "0.9", "--seed", "3", "--top-p", "0.9",
                             "--repeat-penalty", "1.1"]
        yield models.story, [*story, "--head", head, "--temp", "0.7", "--seed", "5", "--json-schema", schema]
        yield models.story, [*story, "--head", head, "--temp", "0", "--speculate", "lookup"]
        yield models.odd, [*odd, "--head", head, "--temp", "0"]
        yield models.odd, [*odd, "--head", head, "--temp", "0.8", "--seed", "9", "--speculate", "lookup"]


def test_tokens(context):
    """Equal tokens and equal last logits on 1, 2, 3, 4 and 8 ranks, with delay and with loss."""
    headway, models = context.headway, context.models
    expected = [(model, options, on_one_host(headway, model, options))
                for model, options in cases(models, context.directory)]
    with network.Network(8, context.switch, delay_us=100) as hosts:
        for host in range(1, 8):
            hosts.lose(host, 0.2)
        for ranks, parts in PARTS.items():
            # The long list where it is cheap, and of the rest every kind at least once.
            chosen = expected if ranks in (2, 4) else expected[ranks % 2::3]
            for model, options, one in chosen:
                several = on_hosts(hosts, headway, model, options, ranks, parts)
                for what in ("generated_ids", "text", "stop_reason"):
                    check(one[what] == several[what], f"{parts} on {ranks}, {options}: another {what}")
                check(one["counters"]["logits_hash"] == several["counters"]["logits_hash"],
                      f"{parts} on {ranks}, {options}: other logits")
            print(f"{parts} on {ranks} ranks: {len(chosen)} runs equal one host's", flush=True)


def test_traffic(context):
    """Messages and bytes of a greedy step as predicted; of a certified head up to the rows found."""
    with network.Network(4, context.switch) as hosts:
        for head in ("full:8", "certified"):
            for ranks, parts in ((2, "layers:2,head:1"), (2, "layers:1,head:2"), (4, "layers:2,head:4"),
                                 (4, "layers:3,head:1")):
                options = ["-p", PROMPT, "-n", "30", "--temp", "0", "--head", head]
                counted = on_hosts(hosts, context.headway, context.models.story, options, ranks, parts)["hosts"]
                steps = counted["steps"]
                check(steps == 29, f"{steps} steps")
                for what in ("messages", "reductions"):
                    check(counted[what] == steps * counted[f"predicted_{what}_per_step"], f"{parts}: {counted}")
                beyond = counted["bytes"] - steps * counted["predicted_bytes_per_step"]
                check(beyond == 0 if head == "full:8" else 0 <= beyond <= 8 * 64 * steps, f"{parts}: {counted}")
                print(f"{head} {parts} on {ranks} ranks: {counted['messages'] / steps:.2f} messages, "
                      f"{counted['bytes'] / steps:.1f} bytes a step", flush=True)


def resident(pid):
    """Bytes in memory of each shard that a process has mapped, and the shard's size."""
    found, name = {}, None
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                name = words[-1] if words[-1].endswith(".shard") else None
            elif words[0] == "Rss:" and name is not None:
                found[name] = found.get(name, 0) + 1024 * int(words[1])
    return {os.path.basename(name): (rss, os.path.getsize(name)) for name, rss in found.items()}


def test_weights(context):
    """Weights come into the memory of the rank that runs them, and of no other."""
    with open(os.path.join(context.models.story, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    layers = [shard["path"] for shard in manifest["layers"]]
    head = [shard["path"] for shard in manifest["heads"][0]["shards"]]
    own = [set(layers[:6]), {*layers[6:], *head[:4]}, set(head[4:])]
    with network.Network(3, context.switch, delay_us=4000) as hosts:
        job = hosts.start([context.headway, "run", context.models.story, "--threads", "1", "--allow-ungated", "-p", PROMPT,
                           "-n", "100000", "--ignore-end", "--temp", "0", "--head", "full:8", "--load", "map", "--hosts",
                           "layers:2,head:2"], 3)
        job.pid(2)
        time.sleep(3)
        for rank in range(3):
            mapped = resident(job.pid(rank))
            for name in own[rank]:
                rss, size = mapped.get(name, (0, 1))
                check(rss > 0.9 * size, f"rank {rank} has {rss} of {size} bytes of its own {name} in memory")
            for name, (rss, size) in mapped.items():
                # Rank 0 opens all files for what they are like, and reads rows of the tied head as embeddings.
                if name not in own[rank] and not (rank == 0 and name in head):
                    check(rank == 0 and rss < 0.3 * size, f"rank {rank} has {rss} of {size} bytes of {name} in memory")
            print(f"rank {rank}: {sum(rss for rss, _ in mapped.values()):,} bytes of shards in memory", flush=True)
        job.kill()


def end_with_loss(hosts, job, lost, seconds, context):
    """All ranks but the lost one end with status 2, in time, and say who is lost. Returns what was said."""
    start = time.monotonic()
    statuses = {rank: job.status(rank, seconds) for rank in range(job.ranks) if rank != lost}
    took = time.monotonic() - start
    check(all(status == 2 for status in statuses.values()), f"ended with {statuses} after {took:.1f} s")
    _, errors = job.wait(2)
    for rank in statuses:
        said = [line for line in errors.splitlines() if f"rank {rank} (" in line and "lost rank" in line and
                line.startswith("headway: ") and line.index(f"rank {rank} (") < line.index("lost rank")]
        check(len(said) == 1, f"rank {rank} said {said} of rank {lost}\n{errors}")
        check(f"lost rank {lost} (" in said[0] and " during " in said[0], said[0])
    return took


def test_lost(context):
    """A rank killed, stopped, or cut off from the network: every other one says so and ends."""
    model = context.models.story
    expected = on_one_host(context.headway, model, ["-p", PROMPT, "-n", "400", "--temp", "0", "--ignore-end"])
    expected = PROMPT + expected["text"]
    command = [context.headway, "run", model, "--threads", "1", "--allow-ungated", "-p", PROMPT, "-n", "100000",
               "--ignore-end", "--temp", "0", "--head", "certified", "--hosts", "layers:2,head:2", "--hosts-timeout",
               "2"]
    # Slow enough that no run ends by itself.
    with network.Network(3, context.switch, delay_us=4000) as hosts:
        for how in ("kill", "stop", "cut"):
            for lost in (0, 1, 2):
                job = hosts.start(command, 3)
                job.pid(2)
                time.sleep(2.5)
                if how == "cut":
                    hosts.lose(lost, 100)
                else:
                    os.kill(job.pid(lost), 9 if how == "kill" else 19)
                took = end_with_loss(hosts, job, lost, 15, context)
                if how == "cut":
                    # Alone, it cannot go on either.
                    check(job.status(lost, 15) == 2 or lost == 0, f"rank {lost}, cut off: {job.status(lost, 0.1)}")
                    hosts.lose(lost, 0)
                job.kill()
                written = "".join(job.stdout)
                check(expected.startswith(written[:len(expected)]) or written.startswith(expected), "a wrong token")
                print(f"rank {lost} {how}: the others ended within {took:.1f} s", flush=True)


def get(hosts, path, body=None):
    """From inside rank 0's host, where the server listens."""
    script = ("import sys,urllib.request;r=urllib.request.Request(sys.argv[1],data=sys.argv[2].encode() or None,"
              "headers={'Content-Type':'application/json'});print(urllib.request.urlopen(r,timeout=60).read().decode())")
    done = subprocess.run(["ip", "netns", "exec", hosts.names[0], sys.executable, "-c", script,
                           f"http://127.0.0.1:8099{path}", json.dumps(body) if body else ""],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def test_server(context):
    """Rank 0 serves; conversations that begin alike, at once and one after the other, equal one host's."""
    prompts = [PROMPT, PROMPT + " there was a little", "The dog", PROMPT + " there was a"]

    def body(prompt, temperature):
        return {"prompt": prompt, "max_tokens": 30, "temperature": temperature, "seed": 4}

    expected = {}
    for prompt in prompts:
        for temperature in (0, 0.8):
            options = ["-p", prompt, "-n", "30", "--temp", str(temperature), "--seed", "4", "--head", "full:8"]
            one = on_one_host(context.headway, context.models.story, options)
            expected[prompt, temperature] = one["text"]
    with network.Network(3, context.switch, delay_us=100) as hosts:
        job = hosts.start([context.headway, "serve", context.models.story, "--threads", "1", "--allow-ungated", "--head",
                           "full:8", "--port", "8099", "--hosts", "layers:2,head:2", "--hosts-timeout", "2"], 3)
        if not job.wait_for_text("serving", 60):
            raise Failure("no server: " + job.wait(1)[1])
        from concurrent.futures import ThreadPoolExecutor
        asked = list(expected) * 2
        with ThreadPoolExecutor(4) as pool:
            try:
                answers = list(pool.map(lambda ask: get(hosts, "/v1/completions", body(*ask)), asked))
            except Failure as failure:
                statuses = [job.status(rank, 1) for rank in range(3)]
                raise Failure(f"{failure}\nended with {statuses}\n{job.wait(1)[1]}") from None
        for ask, answer in zip(asked, answers):
            check(answer["choices"][0]["text"] == expected[ask],
                  f"{ask}: {answer['choices'][0]['text']!r}, expected {expected[ask]!r}")
        print(f"{len(answers)} answers equal one host's", flush=True)
        # While nobody asks anything, a lost rank ends the server.
        os.kill(job.pid(2), 9)
        end_with_loss(hosts, job, 2, 15, context)
        print("a lost rank ends an idle server", flush=True)
        job.kill()
        job = hosts.start([context.headway, "serve", context.models.story, "--threads", "1", "--allow-ungated",
                           "--port", "8099", "--hosts", "layers:2,head:2"], 3)
        check(job.wait_for_text("serving", 60), "no server")
        os.kill(job.pid(0), 15)
        statuses = [job.status(rank, 20) for rank in range(3)]
        check(statuses == [0, 0, 0], f"after SIGTERM: {statuses}")
        job.wait(20)
        print("SIGTERM to rank 0 ends all ranks in order", flush=True)


def test_mistakes(context):
    """What is asked for cannot be: rank 0 says why, all ranks end with status 2."""
    story, odd = context.models.story, context.models.odd
    four = os.path.join(context.directory, "four")
    subprocess.run([context.headway, "pack", context.story, "-o", four, "--head", "full:2", "--no-goldens"], check=True,
                   capture_output=True)
    def command(model, parts):
        return [context.headway, "run", model, "--threads", "1", "--allow-ungated", "-p", PROMPT, "-n", "4", "--hosts",
                parts]

    def on_rank_1(does):
        """A command whose rank 1 does something else first, or runs with another model."""
        path = os.path.join(context.directory, f"rank1_{len(os.listdir(context.directory))}.sh")
        pathlib.Path(path).write_text(f'#!/bin/sh\nif [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then {does}; fi\nexec "$@"\n')
        os.chmod(path, 0o755)
        return path

    damaged = os.path.join(context.directory, "damaged")
    shutil.copytree(story, damaged)
    file = next(pathlib.Path(damaged).glob("layers_*11*"), None) or sorted(pathlib.Path(damaged).glob("layers*"))[-1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    mistakes = [
        (2, command(story, "layers=2"), "--hosts 'layers=2': expected layers:L,head:H"),
        (2, command(story, "layers:2,head:99"), "found 'head:99'"),
        (2, command(story, "layers:3,head:1"), "expected 3 to 4 ranks, found 2"),
        (3, command(story, "layers:1,head:1"), "expected 1 to 2 ranks, found 3"),
        (3, command(four, "layers:1,head:3"), "expected a package of at least 3 shards"),
        (2, command(os.path.join(context.directory, "nowhere"), "layers:2,head:1"), "no such file"),
        (2, [on_rank_1(f"set -- \"$1\" \"$2\" {story}.gone --hosts layers:2,head:1 --threads 1"),
             *command(story, "layers:2,head:1")], "rank 1 (layers 2 of 2, head 1 of 1): "),
        (2, [on_rank_1(f"set -- \"$1\" \"$2\" {odd} --hosts layers:2,head:1 --threads 1"),
             *command(story, "layers:2,head:1")], "another model than rank 0 has"),
        (2, command(damaged, "layers:2,head:1"), "rank 1 (layers 2 of 2, head 1 of 1): "),
    ]
    with network.Network(3, context.switch) as hosts:
        for number, (ranks, words, expected) in enumerate(mistakes):
            job = hosts.start(words, ranks)
            statuses = [job.status(rank, 30) for rank in range(ranks)]
            _, errors = job.wait(20)
            said = [line for line in errors.splitlines() if line.startswith("headway:")]
            check(statuses == [2] * ranks, f"{number} {words}: ended with {statuses}\n{errors}")
            check(len(said) == 1 and expected in said[0], f"{number} {words}: {said}, expected {expected}\n{errors}")
            print(said[0], flush=True)


class Context:
    def __init__(self, headway, switch, story, directory):
        self.headway, self.switch, self.story, self.directory = headway, switch, story, directory
        self.models = Models(headway, story, directory)


def main():
    part, headway, switch, story = sys.argv[1:]
    why_not = network.why_not()
    if why_not is not None:
        print(f"hosts_test: skipped: {why_not}")
        return 77
    if shutil.which("mpirun") is None:
        print("hosts_test: skipped: no mpirun (openmpi-bin)")
        return 77
    with tempfile.TemporaryDirectory(prefix="headway_hosts.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as \
            directory:
        context = Context(os.path.abspath(headway), os.path.abspath(switch), os.path.abspath(story), directory)
        try:
            {"tokens": test_tokens, "traffic": test_traffic, "weights": test_weights, "lost": test_lost, "server": test_server,
             "mistakes": test_mistakes}[part](context)
        except Failure as failure:
            print(f"hosts_test: {part}: {failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
