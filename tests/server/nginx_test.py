"""examples/serving/nginx.conf: two servers behind nginx, restarted in turn under load."""
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest

import server_process
from server_process import Server, main

CONFIGURATION = pathlib.Path(__file__).parents[2] / "examples" / "serving" / "nginx.conf"


def free_port():
    with server_process.socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy(Server):
    """nginx with the example's configuration, but for its ports."""

    def __init__(self, directory, ports):
        self.port = free_port()
        text = CONFIGURATION.read_text()
        for name, port in zip(("8080", "8081", "8082"), (self.port, *ports)):
            text, count = re.subn(f"127.0.0.1:{name}\\b(?! &)", f"127.0.0.1:{port}", text)
            assert count == 1, (name, count)
        path = pathlib.Path(directory) / "nginx.conf"
        path.write_text(text)
        self.process = subprocess.Popen(["nginx", "-p", directory, "-c", str(path)], stderr=subprocess.DEVNULL)
        end = time.monotonic() + server_process.TIMEOUT
        while True:
            try:
                return self.get("/health") and None
            except (OSError, AssertionError):
                assert time.monotonic() < end and self.process.poll() is None
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(server_process.TIMEOUT) == 0


class Nginx(unittest.TestCase):
    def test_rolling_restart_loses_no_request(self):
        ports = [free_port(), free_port()]
        servers = [Server(port=port) for port in ports]
        body = {"prompt": "Once upon a time", "max_tokens": 48, "seed": 3}
        expected = servers[0].post("/v1/completions", body)["choices"][0]["text"]
        with tempfile.TemporaryDirectory() as directory:
            proxy = Proxy(directory, ports)
            over = threading.Event()
            answers, wrong = [], []

            def ask(streamed):
                while not over.is_set():
                    try:
                        if streamed:
                            events = proxy.stream("/v1/completions", body)
                            text = "".join(e["choices"][0]["text"] for _, e in events[:-1] if e["choices"])
                        else:
                            text = proxy.post("/v1/completions", body)["choices"][0]["text"]
                        (answers if text == expected else wrong).append(text)
                    except Exception as error:  # noqa: BLE001: any failure is the test's subject
                        wrong.append(repr(error))

            clients = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(8)]
            for client in clients:
                client.start()
            time.sleep(1)
            for _ in range(3):
                for i, port in enumerate(ports):
                    begun = len(answers)
                    servers[i].stop()  # SIGTERM: what was accepted is answered
                    servers[i] = Server(port=port)
                    end = time.monotonic() + server_process.TIMEOUT
                    while len(answers) < begun + 16 and not wrong and time.monotonic() < end:
                        time.sleep(0.1)
            over.set()
            for client in clients:
                client.join()
            proxy.stop()
        for server in servers:
            server.stop()
        self.assertEqual(wrong, [])
        self.assertGreater(len(answers), 64)


if __name__ == "__main__":
    main()
