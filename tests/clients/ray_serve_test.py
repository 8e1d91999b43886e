"""examples/serving/ray_serve.py: two replicas behind Ray Serve; one is killed under load and replaced.

    PYTHON tests/clients/ray_serve_test.py MODEL        (PYTHON has this package and ray[serve])
"""
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
EXAMPLES = str(pathlib.Path(__file__).parents[2] / "examples" / "serving")
sys.path.insert(0, EXAMPLES)

import ray  # noqa: E402
import ray_serve  # noqa: E402
from headway.serving import tool_path  # noqa: E402
from ray import serve  # noqa: E402

ADDRESS = "http://127.0.0.1:8000"
BODY = {"prompt": "Once upon a time", "max_tokens": 32, "seed": 3, "temperature": 0.8}


def post(path, body):
    request = urllib.request.Request(ADDRESS + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def text_of(_=0):
    status, _, answer = post("/v1/completions", BODY)
    return json.loads(answer)["choices"][0]["text"] if status == 200 else f"status {status}: {answer}"


def servers():
    """The replicas' server processes: those of the tool that belongs to this Python."""
    found = subprocess.run(["pgrep", "-f", f"^{tool_path()} serve "], capture_output=True, text=True).stdout
    return [int(line) for line in found.split()]


def check(holds, what):
    print(f"{'ok' if holds else 'WRONG'}: {what}")
    if not holds:
        sys.exit(1)


def main():
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": EXAMPLES}})
    serve.run(ray_serve.app({"model": sys.argv[1], "replicas": "2", "threads": "1"}), name="headway", route_prefix="/")
    check(len(servers()) == 2, "two replicas, a server each")
    expected = text_of()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(text_of, range(40)))
    check(set(answers) == {expected}, "40 answers of both replicas are equal")

    status, headers, stream = post("/v1/completions", BODY | {"stream": True})
    events = [json.loads(line[6:]) for line in stream.split("\n") if line.startswith("data: {")]
    streamed = "".join(event["choices"][0]["text"] for event in events if event["choices"])
    check(status == 200 and headers["Content-Type"].startswith("text/event-stream"), "a stream is a stream")
    check(streamed == expected and stream.rstrip().endswith("data: [DONE]"), "a stream has the same text, to its end")
    status, _, answer = post("/v1/completions", {"prompt": 3.5})
    check(status == 400 and "error" in json.loads(answer), "an error comes back as it is")

    gone = servers()[0]
    os.kill(gone, signal.SIGKILL)
    end = time.monotonic() + 90
    while (gone in servers() or len(servers()) < 2) and time.monotonic() < end:
        time.sleep(0.5)
    check(len(servers()) == 2 and gone not in servers(), "a replica whose server was killed is replaced")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(text_of, range(40)))
    check(set(answers) == {expected}, "40 answers after that are equal")

    serve.shutdown()
    ray.shutdown()
    end = time.monotonic() + 60
    while servers() and time.monotonic() < end:
        time.sleep(0.5)
    check(not servers(), "no server stays behind")


if __name__ == "__main__":
    main()
