"""A running `headway serve` for tests, and HTTP by hand: requests, streams, sockets."""
import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TIMEOUT = 240  # seconds for anything: machines that run many tests are slow


class Arguments:
    headway = ""
    model = ""


class Server:
    """Started on `port`, else a free one, with a cache of its own; stop() expects a clean end."""

    def __init__(self, *flags, environment=None, model=True, port=0):
        command = [Arguments.headway, "serve"] + ([Arguments.model] if model else [])
        command += ["--port", str(port), "--threads", "1", *flags]
        env = dict(os.environ, HEADWAY_CACHE=cache_directory(), **(environment or {}))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        line = self.process.stdout.readline()
        if " at http://" not in line:
            self.process.kill()
            raise RuntimeError(f"{command}: {line}{self.process.stderr.read()}")
        self.port = int(line.rsplit(":", 1)[1])
        self.errors = []
        self.reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def stop(self):
        self.signal()
        self.wait()

    def wait(self):
        """Until it has ended, well; a second signal would cut answers off."""
        status = self.process.wait(TIMEOUT)
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        assert status == 0, f"exit status {status}: {''.join(self.errors)}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON or text, headers)"""
        connection = self.connect()
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.status, json.loads(text) if is_json and text else text.decode(), response.headers

    def post(self, path, body, **more):
        status, answer, _ = self.ask("POST", path, body, **more)
        assert status == 200, (status, answer)
        return answer

    def get(self, path, **more):
        status, answer, _ = self.ask("GET", path, **more)
        assert status == 200, (status, answer)
        return answer

    def stream(self, path, body):
        """The events of a stream: (name or None, JSON or "[DONE]")."""
        connection = self.connect()
        connection.request("POST", path, json.dumps(dict(body, stream=True)), {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"] == "text/event-stream"
        events = list(parse_events(response))
        connection.close()
        return events

    def metric(self, name):
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)

    def wait_for_metric(self, name, value):
        end = time.monotonic() + TIMEOUT
        while self.metric(name) != value:
            assert time.monotonic() < end, f"{name}: {self.metric(name)}, expected {value}"
            time.sleep(0.05)


def parse_events(response):
    name = None
    for line in response:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            data = text[6:]
            yield name, data if data == "[DONE]" else json.loads(data)
            name = None


def raw_request(path, body, **headers):
    text = json.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(text)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()


def raw_connection(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)


_cache = []


def cache_directory():
    if not _cache:
        _cache.append(tempfile.mkdtemp(prefix="headway-server-"))
    return _cache[0]


class ServerTest(unittest.TestCase):
    """One server for all tests of a class."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def refused(self, path, body, status=400, param=None, part="", method="POST", **more):
        found, answer, headers = self.server.ask(method, path, body, **more)
        self.assertEqual(found, status, answer)
        error = answer["error"]
        self.assertEqual(set(error) - {"n_prompt_tokens", "n_ctx"}, {"message", "type", "param", "code"})
        self.assertEqual(error["param"], param)
        self.assertIn(part, error["message"])
        return headers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--headway", required=True)
    parser.add_argument("--model", required=True)
    arguments, rest = parser.parse_known_args()
    Arguments.headway, Arguments.model = arguments.headway, arguments.model
    try:
        program = unittest.main(argv=[sys.argv[0], *rest], exit=False)
    finally:
        for directory in _cache:
            shutil.rmtree(directory, ignore_errors=True)
    sys.exit(not program.result.wasSuccessful())
