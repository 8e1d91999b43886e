"""Clients that go away, in every phase, that are slow, that send halves: the others do not notice, and nothing is left."""
import resource
import socket
import struct
import threading
import time

from server_process import ServerTest, main, raw_connection, raw_request

LONG = {"prompt": "Once upon a time", "max_tokens": 400, "ignore_eos": True, "temperature": 0.9, "seed": 1}


def reset(connection):
    """Closes with RST, as a killed process's kernel may."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class ClientsGone(ServerTest):
    flags = ("--parallel", "2", "--queue", "100")

    def expect_well(self):
        self.server.wait_for_metric("llamacpp:requests_processing", 0)
        self.server.wait_for_metric("llamacpp:requests_deferred", 0)
        body = {"prompt": "A fox", "max_tokens": 5, "temperature": 0}
        self.assertEqual(self.server.post("/v1/completions", body)["usage"]["completion_tokens"], 5)

    def test_during_a_stream(self):
        cancelled = self.server.metric("headway:requests_cancelled_total")
        for close in (reset, socket.socket.close):
            connection = raw_connection(self.server)
            connection.sendall(raw_request("/v1/completions", dict(LONG, max_tokens=100000, stream=True)))
            self.assertIn(b"200", connection.recv(200))
            close(connection)
        self.expect_well()
        # Streams may have come to the context's end before.
        self.assertGreaterEqual(self.server.metric("headway:requests_cancelled_total"), cancelled)

    def test_while_waiting_for_an_answer(self):
        for _ in range(3):
            connection = raw_connection(self.server)
            connection.sendall(raw_request("/v1/completions", LONG))
            time.sleep(0.05)
            reset(connection)
        self.expect_well()

    def test_while_queued(self):
        connections = [raw_connection(self.server) for _ in range(20)]
        for connection in connections:
            connection.sendall(raw_request("/v1/completions", LONG))
        for connection in connections:
            connection.close()
        self.expect_well()

    def test_half_requests(self):
        whole = raw_request("/v1/completions", LONG)
        for cut in (1, 10, 60, len(whole) - 3):
            connection = raw_connection(self.server)
            connection.sendall(whole[:cut])
            connection.close()
        self.expect_well()

    def test_no_http_at_all(self):
        for text in (b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"A" * 100000,
                     b"GET /health HTTP/1.1\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
                     b"POST /tokenize HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                     b"POST /tokenize HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                     b"POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"):
            connection = raw_connection(self.server)
            try:
                connection.sendall(text)
                connection.settimeout(0.5)
                connection.recv(1000)
            except OSError:
                pass
            connection.close()
        self.expect_well()

    def test_a_slow_reader_stops_nobody(self):
        slow = raw_connection(self.server)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.sendall(raw_request("/v1/completions", dict(LONG, stream=True, n=2)))
        body = {"prompt": "A fox", "max_tokens": 5, "temperature": 0}
        self.server.post("/v1/completions", body)
        slow.close()
        self.expect_well()

    def test_many_connections(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))
        idle = [raw_connection(self.server) for _ in range(1100 if hard < 0 or hard > 2000 else 500)]
        self.assertEqual(self.server.get("/health"), {"status": "ok"})
        for connection in idle[::50]:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200 OK", connection.recv(500))
        for connection in idle:
            connection.close()
        self.expect_well()

    def test_keeps_connections_for_further_requests(self):
        connection = self.server.connect()
        for _ in range(20):
            connection.request("GET", "/health")
            self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
        connection.close()

    def test_refuses_beyond_the_queue(self):
        connections = [raw_connection(self.server) for _ in range(110)]
        for connection in connections:
            connection.sendall(raw_request("/v1/completions", dict(LONG, max_tokens=490, stream=True)))
        statuses = []
        for connection in reversed(connections):  # the refused ones answer at once
            head = connection.recv(400)
            statuses.append(head.split(b" ")[1])
            if b"429" in head[:20]:
                self.assertIn(b"Retry-After: 1", head)
                break
        for connection in connections:
            connection.close()
        self.assertIn(b"429", statuses)
        self.expect_well()


if __name__ == "__main__":
    main()
