"""The same request and seed give the same tokens: alone, or among others, first, or after cache hits, whole or streamed."""
import random
import threading
import unittest

from server_process import Arguments, Server, main

WORDS = "the fox a bear was old and house red ran to river day one then it said big happy tree".split()


def draw(source):
    """A request; beginnings are shared by many."""
    words = random.Random(source.randrange(3)).choices(WORDS, k=source.randrange(1, 60))
    own = source.choices(WORDS, k=source.randrange(1, 8))
    body = {"prompt": " ".join(words + own), "max_tokens": source.randrange(1, 30), "seed": source.randrange(5)}
    body["temperature"] = source.choice([0, 0.7, 1.2])
    if source.random() < 0.3:
        body["top_p"] = 0.8
    if source.random() < 0.2:
        body["repeat_penalty"] = 1.2
    if source.random() < 0.2:
        body["logprobs"] = 2
    if source.random() < 0.2:
        body["grammar"] = 'root ::= " " [a-z]{3,20} " " [a-z ]{5,30}'
    if source.random() < 0.2:
        body["stop"] = [source.choice(WORDS)]
    return body


class Determinism(unittest.TestCase):
    def answer(self, server, body, found, index):
        choice = server.post("/v1/completions", body)["choices"][0]
        found[index] = (choice["text"], choice["finish_reason"], choice["logprobs"])

    def check(self, *flags):
        source = random.Random(4)
        bodies = [draw(source) for _ in range(48)]
        alone = [None] * len(bodies)
        server = Server("--parallel", "1", "--draft-tokens", "0", *flags)
        for i, body in enumerate(bodies):
            self.answer(server, dict(body, cache_prompt=False), alone, i)
        server.stop()
        server = Server("--parallel", "16", "--prompt-budget", "7", "--kv-tokens", "1500", *flags)
        for _ in range(12):
            found = [None] * len(bodies)
            who = source.sample(range(len(bodies)), 16)
            threads = [threading.Thread(target=self.answer, args=(server, bodies[i], found, i)) for i in who]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for i in who:
                self.assertEqual(found[i], alone[i], bodies[i])
        self.assertGreater(server.metric("headway:cached_tokens_total"), 0)
        self.assertGreater(server.metric("llamacpp:n_busy_slots_per_decode"), 1)
        server.stop()

    def test_full_head(self):
        self.check()

    def test_certified_head(self):
        self.check("--head", "certified")


if __name__ == "__main__":
    main()
