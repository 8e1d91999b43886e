"""Memory, descriptors and threads of the server over thousands of requests of all kinds.

What a request leaves behind shows as growth of the heap in use (headway:heap_bytes of /metrics) after a
warm-up. Before each look the stores that have a bound are filled with the same: 64 kept conversations, 64
compiled schemas. The process's own memory (RssAnon) is looked at, too, which holds what the allocator has
not given back. --requests N: how many; `./dev nightly` asks 20,000."""
import argparse
import json
import os
import random
import sys
import threading
import time
import unittest

from server_process import TIMEOUT, Server, main

CLIENTS = 8
CONTEXT = 512
KEPT = 64  # conversations, and compiled schemas, at most
WORDS = "the fox a bear was old and house red ran to river day one then it said big happy tree".split()

# What the heap may grow by after the warm-up: a request's smallest trace, a block of the heap, takes 32
# bytes. Besides, the pool of keys and values stays as large as it ever was: pages of 128 tokens, 768 KiB with
# the story model. reach_the_peak() takes as many as there can be but for those that a conversation and what is
# kept of it have both for a moment, one each of 8 that end at once.
BYTES_A_REQUEST = 32
POOL = 8 * (768 << 10)
# What resident memory may grow by besides. Of each of its arenas, up to 8 a processor, the allocator gives
# back the end alone; what is free between blocks in use depends on the order of requests (measured: 5 to 13
# MiB in all, up and down).
FRAGMENTS = 16 << 20


class Plan:
    requests = 600
    checks_memory = True  # sanitizers have a heap of their own


def text(source, least, most):
    return " ".join(source.choices(WORDS, k=source.randrange(least, most)))


def schema(number):
    return {"type": "object", "properties": {f"name{number}": {"type": "string", "maxLength": 4}, "is": {"type": "boolean"}},
            "required": [f"name{number}", "is"], "additionalProperties": False}


def plain(source):
    body = {"prompt": text(source, 1, 40), "max_tokens": source.randrange(1, 10), "seed": source.randrange(9)}
    return "/v1/completions", dict(body, n=source.choice([1, 1, 3]), logprobs=source.choice([None, 2]))


def chat(source):
    messages = [{"role": "user", "content": text(source, 1, 40)}]
    return "/v1/chat/completions", {"messages": messages, "max_tokens": source.randrange(1, 8),
                                    "headway": {"per_token": source.random() < 0.5}}


def structured(source):
    return "/completion", {"prompt": text(source, 1, 9), "json_schema": schema(source.randrange(200)),
                           "n_predict": 40}


def probabilities(source):
    return "/completion", {"prompt": text(source, 1, 9), "n_probs": 5, "n_predict": 4,
                           "post_sampling_probs": source.random() < 0.5}


def embedding(source):
    return source.choice([("/v1/embeddings", {"input": [text(source, 1, 30), "A dog."]}),
                          ("/embedding", {"content": text(source, 1, 12), "pooling": "none"})])


def other_form(source):
    words = text(source, 1, 20)
    tool = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"enum": ["sky", "sea"]}}}}
    return source.choice([
        ("/v1/messages", {"messages": [{"role": "user", "content": words}], "max_tokens": 5}),
        ("/v1/messages", {"messages": [{"role": "user", "content": words}], "max_tokens": 60, "tools": [tool],
                          "tool_choice": {"type": "any"}}),
        ("/v1/responses", {"input": words, "max_output_tokens": 5})])


def without_model(source):
    return source.choice([("/tokenize", {"content": text(source, 1, 90)}), ("/apply-template", chat(source)[1]),
                          "/metrics", "/slots", "/props", "/v1/models", "/"])


def mistake(source):
    return source.choice([("/v1/completions", b'{"prompt": '), ("/v1/completions", {"prompt": 3}), "/nothing",
                          ("/v1/completions", {"prompt": "word " * 3000}), ("/v1/embeddings", {"input": []}),
                          ("/completion", {"prompt": "a", "grammar": f"root ::= missing{source.randrange(999)}"}),
                          ("/v1/chat/completions", b"\xff\xfe" + source.randbytes(50))])


KINDS = [(plain, 6), (chat, 4), (structured, 2), (probabilities, 1), (embedding, 2), (other_form, 2), (without_model, 2),
         (mistake, 2)]
STREAMED = {plain, chat, structured, probabilities, other_form}


class Client(threading.Thread):
    """Asks `count` requests; what comes back unlike it should is in `wrong`."""

    def __init__(self, server, count, seed):
        super().__init__()
        self.server, self.count, self.source, self.wrong = server, count, random.Random(seed), []
        self.connection = server.connect()

    def run(self):
        try:
            for _ in range(self.count):
                self.ask()
        except Exception as error:  # noqa: BLE001: any failure is the test's subject
            self.wrong.append(repr(error))
        self.connection.close()

    def ask(self):
        source = self.source
        kind = source.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
        request = kind(source)
        path, body = (request, None) if isinstance(request, str) else request
        streamed = kind in STREAMED and source.random() < 0.4
        gone = streamed and source.random() < 0.2
        if streamed:
            body = dict(body, stream=True)
            if gone:
                body.update(max_tokens=200, n_predict=200, max_output_tokens=200)
        if source.random() < 0.1:
            self.connection.close()  # the next request opens another one
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        self.connection.request("GET" if body is None else "POST", path, data, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        if gone:
            response.readline()
            response.close()
            self.connection.close()
            return
        answer = response.read()
        good = response.status in (400, 404, 413) if kind is mistake else response.status == 200
        if not good or not answer or b'"error":{' in answer[-400:] and kind is not mistake:
            self.wrong.append((path, body, response.status, answer[-400:]))


class Sample:
    """What the process has while no request runs."""

    def __init__(self, server, requests, heap):
        self.requests, self.heap = requests, heap
        pid = server.process.pid
        with open(f"/proc/{pid}/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        self.anonymous = int(lines["RssAnon"].split()[0]) * 1024
        self.resident = int(lines["VmRSS"].split()[0]) * 1024
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = len(os.listdir(f"/proc/{pid}/task"))

    def __str__(self):
        return (f"{self.requests:6} requests: heap {self.heap / 2**20:.3f} MiB, own memory {self.anonymous / 2**20:.1f} MiB, "
                f"resident {self.resident / 2**20:.1f} MiB, {self.descriptors} descriptors, {self.threads} threads")


def reach_the_peak(server):
    """As many pages of keys and values as can be taken: kept conversations of few tokens and of a page and a bit, and
    then as many at once as run, with room for the whole context."""
    for number in range(KEPT):
        words = random.Random(-1 - number).choices(WORDS, k=10 if number % 2 else 115)
        server.post("/completion", {"prompt": " ".join(words), "n_predict": 1})
    body = {"prompt": text(random.Random(0), 9, 10), "n_predict": CONTEXT, "ignore_eos": True}
    threads = [threading.Thread(target=server.post, args=("/completion", body)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def settle(server):
    """Fills the stores that have a bound, kept conversations and compiled schemas, with the same each time."""
    for number in range(KEPT + 8):
        words = " ".join(random.Random(number).choices(WORDS, k=16))
        server.post("/completion", {"prompt": words, "json_schema": schema(number), "n_predict": 2, "seed": 1})


def sample_idle(server, requests):
    """Once requests are over and their connections closed, which takes the server a moment."""
    if Plan.checks_memory:
        settle(server)
    for name in ("llamacpp:requests_processing", "llamacpp:requests_deferred"):
        server.wait_for_metric(name, 0)
    heap = int(server.metric("headway:heap_bytes"))
    end = time.monotonic() + TIMEOUT
    found, since = Sample(server, requests, heap), time.monotonic()
    while time.monotonic() < since + 0.5 and time.monotonic() < end:
        time.sleep(0.05)
        now = Sample(server, requests, heap)
        if (now.descriptors, now.threads) != (found.descriptors, found.threads):
            since = time.monotonic()
        found = now
    return found


class Memory(unittest.TestCase):
    def test_is_flat(self):
        server = Server("--parallel", str(CLIENTS), "--ctx-size", str(CONTEXT), "--kv-tokens", "4096")
        if Plan.checks_memory:
            reach_the_peak(server)
        rounds = 10
        samples = []
        for number in range(rounds):
            count = Plan.requests // rounds // CLIENTS
            clients = [Client(server, count, number * CLIENTS + i) for i in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            self.assertEqual([wrong for client in clients for wrong in client.wrong], [])
            samples.append(sample_idle(server, (number + 1) * count * CLIENTS))
            print(samples[-1], flush=True)
        warm, last = samples[rounds // 5 - 1], samples[-1]
        self.assertGreater(server.metric("headway:kept_conversations"), 1)
        self.assertGreater(server.metric("headway:requests_cancelled_total"), 0)
        server.stop()
        for sample in samples[1:]:
            self.assertEqual((sample.descriptors, sample.threads), (samples[0].descriptors, samples[0].threads))
        if Plan.checks_memory:
            bound = POOL + BYTES_A_REQUEST * (last.requests - warm.requests)
            self.assertLess(last.heap - warm.heap, bound)
            self.assertLess(last.anonymous - warm.anonymous, bound + FRAGMENTS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=Plan.requests)
    parser.add_argument("--without-memory", action="store_true", help="descriptors and threads alone")
    arguments, sys.argv[1:] = parser.parse_known_args()
    Plan.requests, Plan.checks_memory = arguments.requests, not arguments.without_memory
    main()
