"""Starting, stopping, keys, the environment, a machine's other users."""
import http.client
import os
import signal
import subprocess
import tempfile
import threading
import unittest

from server_process import TIMEOUT, Arguments, Server, cache_directory, main, parse_events, raw_connection, raw_request

SHORT = {"prompt": "A fox", "max_tokens": 3, "temperature": 0}
LONG = {"prompt": "A fox", "max_tokens": 450, "ignore_eos": True, "seed": 1}


class Life(unittest.TestCase):
    def test_keys(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("first\n\n# fourth\nsecond\r\n")
            file.flush()
            server = Server("--api-key", "third,fifth", "--api-key-file", file.name)
        for headers, expected in (({}, 401), ({"Authorization": "Bearer # fourth"}, 401), ({"Authorization": "Bearer "}, 401),
                                  ({"Authorization": "Bearer third,fifth"}, 401), ({"X-Api-Key": "fifth"}, 200),
                                  ({"Authorization": "Bearer second"}, 200), ({"X-Api-Key": "first"}, 200),
                                  ({"Authorization": "Bearer third"}, 200)):
            status, answer, _ = server.ask("POST", "/v1/completions", SHORT, headers=headers)
            self.assertEqual(status, expected, (headers, answer))
        self.assertEqual(server.ask("GET", "/metrics")[0], 401)
        self.assertEqual(server.ask("GET", "/health")[0], 200)
        self.assertEqual(server.ask("GET", "/v1/models")[0], 200)
        # Refused by its head: the body, of which there is a beginning, is not waited for.
        with raw_connection(server) as connection:
            connection.sendall(raw_request("/v1/completions", dict(SHORT, prompt="x" * 100000))[:500])
            self.assertIn(b"401", connection.recv(500))
        status, answer, _ = server.ask("POST", "/v1/messages", SHORT)
        self.assertEqual((status, answer["error"]["type"]), (401, "authentication_error"))
        server.stop()

    def test_environment(self):
        environment = {"LLAMA_ARG_MODEL": Arguments.model, "LLAMA_ARG_N_PARALLEL": "3", "LLAMA_ARG_ALIAS": "named",
                       "LLAMA_ARG_CTX_SIZE": "100", "LLAMA_API_KEY": "k"}
        server = Server(environment=environment, model=False)
        key = {"Authorization": "Bearer k"}
        props = server.get("/props", headers=key)
        self.assertEqual((props["total_slots"], props["model_alias"]), (3, "named"))
        self.assertEqual(props["default_generation_settings"]["n_ctx"], 100)
        status, answer, _ = server.ask("POST", "/v1/completions", {"prompt": "word " * 200}, headers=key)
        self.assertEqual((status, answer["error"]["code"]), (400, "context_length_exceeded"))
        cut = server.post("/v1/completions", dict(LONG, max_tokens=1000), headers=key)
        self.assertEqual(cut["choices"][0]["finish_reason"], "length")
        self.assertEqual(cut["usage"]["total_tokens"], 100)
        server.stop()

    def test_defaults_from_the_environment(self):
        environment = {"LLAMA_ARG_TEMPERATURE": "0.25", "LLAMA_ARG_TOP_K": "7", "LLAMA_ARG_TOP_P": "0.5",
                       "LLAMA_ARG_MIN_P": "0.125", "LLAMA_ARG_REPEAT_PENALTY": "1.5", "LLAMA_ARG_PRESENCE_PENALTY": "0.75",
                       "LLAMA_ARG_FREQUENCY_PENALTY": "-0.5", "LLAMA_ARG_N_PREDICT": "9", "LLAMA_ARG_FLASH_ATTN": "on",
                       "LLAMA_ARG_CORS_ORIGINS": "http://a.example", "LLAMA_ARG_API_KEY": "k,l"}
        server = Server("--top-k", "5", environment=environment)
        _, props, headers = server.ask("GET", "/props", headers={"Authorization": "Bearer l"})
        self.assertEqual(headers["Access-Control-Allow-Origin"], "http://a.example")
        params = props["default_generation_settings"]["params"]
        expected = {"temperature": 0.25, "top_k": 5, "top_p": 0.5, "min_p": 0.125, "repeat_penalty": 1.5,
                    "presence_penalty": 0.75, "frequency_penalty": -0.5, "n_predict": 9}
        self.assertEqual({name: params[name] for name in expected}, expected)
        server.stop()
        self.assertIn("headway: LLAMA_ARG_FLASH_ATTN: not known here, and ignored\n", server.errors)

    def test_origins(self):
        server = Server("--cors", "http://a.example")
        _, _, headers = server.ask("GET", "/health")
        self.assertEqual(headers["Access-Control-Allow-Origin"], "http://a.example")
        status, _, headers = server.ask("OPTIONS", "/v1/chat/completions")
        self.assertEqual(status, 200)
        self.assertIn("Authorization", headers["Access-Control-Allow-Headers"])
        server.stop()

    def test_sigterm_drains(self):
        server = Server("--parallel", "2")
        connection = server.connect()
        connection.request("POST", "/v1/completions", '{"prompt": "A fox", "max_tokens": 450, "ignore_eos": true, "stream": true}')
        response = connection.getresponse()
        events = parse_events(response)
        next(events)
        queued = []
        threads = [threading.Thread(target=lambda: queued.append(server.ask("POST", "/v1/completions", LONG)[0]))
                   for _ in range(3)]
        for thread in threads:
            thread.start()
        server.wait_for_metric("llamacpp:requests_deferred", 2)
        server.signal()
        rest = [event for _, event in events]
        self.assertEqual(rest[-1], "[DONE]")
        self.assertEqual(rest[-2]["choices"][0]["finish_reason"], "length")
        for thread in threads:
            thread.join()
        self.assertEqual(queued, [200, 200, 200])  # what was accepted is answered
        server.wait()
        with self.assertRaises(OSError):
            raw_connection(server)

    def test_draining_ends_in_time(self):
        server = Server("--drain", "0", "--parallel", "1")
        connections = [raw_connection(server) for _ in range(4)]
        for connection in connections:
            connection.sendall(raw_request("/v1/completions", dict(LONG, n=8)))
        server.wait_for_metric("llamacpp:requests_processing", 1)
        server.stop()
        for connection in connections:
            connection.close()

    def test_killed_and_started_again(self):
        server = Server()
        before = server.post("/v1/completions", SHORT)["choices"]
        connection = raw_connection(server)
        connection.sendall(raw_request("/v1/completions", dict(LONG, stream=True)))
        server.kill()
        connection.close()
        server = Server()
        self.assertEqual(server.post("/v1/completions", SHORT)["choices"], before)
        server.stop()

    def test_prompts_are_not_logged(self):
        server = Server()
        server.post("/v1/completions", dict(SHORT, prompt="A very secret word"))
        server.ask("POST", "/v1/completions", dict(SHORT, prompt="secret", temperature="secret"))
        server.stop()
        self.assertNotIn("secret", "".join(server.errors))

    def refused(self, *flags, environment=None):
        env = dict(os.environ, HEADWAY_CACHE=cache_directory(), **(environment or {}))
        outcome = subprocess.run([Arguments.headway, "serve", *flags], capture_output=True, text=True, env=env,
                                 timeout=TIMEOUT)
        self.assertEqual((outcome.returncode, outcome.stdout), (2, ""), outcome.stderr)
        self.assertEqual(outcome.stderr.count("\n"), 1, outcome.stderr)
        return outcome.stderr

    def test_mistakes(self):
        self.assertIn("LLAMA_ARG_MODEL", self.refused())
        self.assertIn("no such file", self.refused("nothing.gguf"))
        self.assertIn("--parallel", self.refused(Arguments.model, "--parallel", "0"))
        self.assertIn("--port", self.refused(Arguments.model, "--port", "70000"))
        self.assertIn("LLAMA_ARG_PORT", self.refused(Arguments.model, environment={"LLAMA_ARG_PORT": "x"}))
        self.assertIn("--api-key", self.refused(Arguments.model, "--api-key", ""))
        self.assertIn("--api-key", self.refused(Arguments.model, "--api-key", ","))
        self.assertIn("context", self.refused(Arguments.model, "--ctx-size", "1000000"))
        server = Server()
        self.assertIn(str(server.port), self.refused(Arguments.model, "--port", str(server.port)))
        server.stop()


if __name__ == "__main__":
    main()
