#!/usr/bin/env python3
"""`headway serve` and llama-server in turns under the same load on one GGUF: tokens a second of all users together,
time to the first token, what HTTP adds to a token, memory. Medians and ranges of rounds, ratios round by round.

    tools/bench_server.py model.gguf --peer llama.cpp/build/bin --users 1,4,8,16 --rounds 3
    tools/bench_server.py model.gguf --users 8 --requests 2500 --rounds 1          memory over 20,000 requests

Each user asks, one request after the other, for a streamed answer of --tokens tokens to a prompt of its own, of
--prompt-words words of English prose, so that no cached beginning helps anybody. The first request of a user warms up
and counts for nothing. Both servers get the same --parallel (the number of users), threads and context; llama-server is
otherwise as it comes. What requests say about sampling stands in --body: '{}' is each server's default, which is the
same for both. Headway's drafts (--flags "--draft-tokens 0" for none) help where text repeats itself, as a small model's
greedy text does. Nothing of llama.cpp is in this repository.
"""
import argparse
import asyncio
import json
import pathlib
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORDS = [word for page in sorted((ROOT / "docs").glob("*.md")) for word in page.read_text().split() if word.strip(".,;:()").isalpha()]
LONGEST_START_S = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, name, command, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + LONGEST_START_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"{name}: expected a server that starts, found status {self.process.poll()}: {' '.join(map(str, command))}")
                time.sleep(0.05)

    def memory_mb(self):
        """Of its own, not of files that it maps."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def inside_seconds(answer):
    """What the scheduler says that the answer took, by the last timings: waiting, reading, writing."""
    found = {name: float(ms) for name, ms in re.findall(rb'"(queued|prompt|predicted)_ms":\s*([-+.e0-9]+)', answer)}
    return sum(found.values()) / 1000


async def ask(port, prompt, tokens, more):
    """Seconds to the first text and to the end, how many tokens came, seconds a token that are the client's alone."""
    body = json.dumps({"prompt": prompt, "max_tokens": tokens, "stream": True, "ignore_eos": True,
                       "stream_options": {"include_usage": True}, **more}).encode()
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
    first, answer = None, bytearray()
    while piece := await reader.read(1 << 16):
        answer += piece
        if first is None and b"data: " in answer:
            first = time.perf_counter() - start
    end = time.perf_counter()
    writer.close()
    count = re.search(rb'"completion_tokens":\s*(\d+)', answer)
    if not answer.startswith(b"HTTP/1.1 200") or count is None:
        sys.exit(f"port {port}: expected a streamed answer with its usage, found {bytes(answer[:300])!r}")
    seconds, tokens = end - start, int(count.group(1))
    return first, seconds, tokens, (seconds - inside_seconds(bytes(answer))) / tokens


async def load(server, args, users, seed):
    rng = random.Random(seed)
    starts = [[rng.randrange(len(WORDS) - args.prompt_words) for _ in range(args.requests + 1)] for _ in range(users)]
    prompts = [[" ".join(WORDS[start:start + args.prompt_words]) for start in own] for own in starts]
    await asyncio.gather(*(ask(server.port, one[0], 8, args.body) for one in prompts))
    memory = [server.memory_mb()]

    async def user(own):
        return [await ask(server.port, prompt, args.tokens, args.body) for prompt in own[1:]]

    start = time.perf_counter()
    answers = [answer for own in await asyncio.gather(*map(user, prompts)) for answer in own]
    seconds = time.perf_counter() - start
    memory.append(server.memory_mb())
    return {"tokens_per_second": sum(count for _, _, count, _ in answers) / seconds,
            "first_ms": 1000 * statistics.median(first for first, _, _, _ in answers),
            "added_ms": 1000 * statistics.median(added for _, _, _, added in answers), "memory_mb": memory}


def servers(args, users):
    context = 2 * (2 * args.prompt_words + args.tokens)
    port = free_port()
    yield "headway", port, [args.headway, "serve", args.package or args.model, "--port", port, "--parallel", users, "--threads", args.threads,
                            "--ctx-size", context, "--allow-ungated", *args.flags.split()]
    if args.peer_server:
        port = free_port()  # -c is of all slots together there
        yield "peer", port, [args.peer_server, "-m", args.model, "--port", port, "-np", users, "-t", args.threads, "-c", context * users,
                             *args.peer_flags.split()]


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="the GGUF that both serve")
    parser.add_argument("--package", help="the package made from it (otherwise Headway's cache)")
    parser.add_argument("--users", default="1,4,8,16")
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--requests", default=2, type=int, help="of each user, after one that warms up")
    parser.add_argument("--prompt-words", default=100, type=int)
    parser.add_argument("--tokens", default=128, type=int, help="of each answer")
    parser.add_argument("--body", default={"temperature": 0}, type=json.loads, help="more fields of every request")
    parser.add_argument("--flags", default="", help="more arguments of headway serve, with spaces")
    parser.add_argument("--headway", default=ROOT / "build/release/headway")
    parser.add_argument("--peer", help="the directory of llama-server")
    parser.add_argument("--peer-flags", default="", help="more arguments of llama-server, with spaces")
    args = parser.parse_args()
    args.peer_server = args.peer and shutil.which("llama-server", path=args.peer)
    if args.peer and not args.peer_server:
        sys.exit(f"llama-server: expected in {args.peer}, not found")
    print("| users | tokens/s, Headway | peer | ratio | first token, ms, Headway | peer | added by HTTP, ms a token, Headway | own memory, MB, Headway, before and after | peer |\n"
          "|---|---|---|---|---|---|---|---|---|")
    for users in map(int, args.users.split(",")):
        found = {"headway": [], "peer": []}
        for seed in range(args.rounds):
            for name, port, command in servers(args, users):
                server = Server(name, command, port)
                try:
                    found[name].append(asyncio.run(load(server, args, users, seed)))
                finally:
                    server.stop()
        ours, theirs = found["headway"], found["peer"]

        def column(rounds, field, digits=1):
            return spread([one[field] for one in rounds], digits) if rounds else ""

        def memory(rounds):
            return ", ".join(f"{statistics.median(one['memory_mb'][i] for one in rounds):.0f}" for i in (0, 1)) if rounds else ""

        ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(ours, theirs)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else ""
        print(f"| {users} | {column(ours, 'tokens_per_second')} | {column(theirs, 'tokens_per_second')} | {ratio} | {column(ours, 'first_ms')} | "
              f"{column(theirs, 'first_ms')} | {column(ours, 'added_ms', 3)} | {memory(ours)} | {memory(theirs)} |", flush=True)


if __name__ == "__main__":
    main()
