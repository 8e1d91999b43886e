"""Threads, Ctrl-C, the server, the tool."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

import headway
from headway import _headway

LONG = "Once upon a time there was a little fox. " * 40


def test_other_threads_run_meanwhile(engine):
    """While a long prompt is read, Python goes on: the lock is released."""
    ticks = 0
    ended = threading.Event()

    def tick():
        nonlocal ticks
        while not ended.is_set():
            ticks += 1
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    try:
        engine.logits(engine.encode(LONG)[:200])
    finally:
        ended.set()
        other.join()
    assert ticks > 3


def test_progress_of_packing(model, tmp_path):
    """Told in the thread that opens, of each work to its end; nothing when there is nothing to pack."""
    told = {}

    def hear(work, done, total):
        assert threading.current_thread() is threading.main_thread()
        told.setdefault(work, []).append((done, total))

    def open_it():
        headway.Engine(model, head="certified", threads=1, cache_directory=tmp_path, progress=hear)

    open_it()
    assert {"packing", "certified head"} <= told.keys()
    for calls in told.values():
        assert calls == sorted(set(calls)) and len(calls) <= 101
        assert calls[-1][0] == calls[-1][1] and len({total for _, total in calls}) == 1
    told.clear()
    open_it()
    assert not told


def test_what_progress_raises_goes_on(model, tmp_path):
    """The exception itself, after one call, and nothing is left half packed."""
    class Enough(Exception):
        pass

    calls = []

    def stop(*told):
        calls.append(told)
        raise Enough("of it")

    with pytest.raises(Enough, match="of it") as raised:
        headway.Engine(model, head="full:2", threads=1, cache_directory=tmp_path, progress=stop)
    assert len(calls) == 1 and raised.traceback[-1].name == "stop"
    engine = headway.Engine(model, head="full:2", threads=1, cache_directory=tmp_path)
    sequence, ids = engine.sequence(), engine.encode(LONG)[:400]
    with pytest.raises(Enough):
        sequence.append(ids, progress=stop)
    assert len(calls) == 2 and calls[1][0] == "prefill" and calls[1][2] == len(ids)
    assert sequence.ids == ids and sequence.state["num_pending"] == len(ids) - calls[1][1]
    alone = engine.sequence()
    alone.append(ids)
    assert sequence.step() == alone.step()  # reads on
    with pytest.raises(TypeError, match="progress"):
        headway.Engine(model, head="full:2", threads=1, cache_directory=tmp_path, progress="no function")
    with pytest.raises(TypeError, match="progress"):
        sequence.append(ids, progress="no function")
    with pytest.raises(ValueError, match="progress"):
        sequence.append(ids, read=False, progress=stop)


def test_progress_of_a_prompt(engine):
    ids, told = engine.encode(LONG)[:400], []
    heard = engine.generate(ids, max_new_tokens=3, progress=lambda *call: told.append(call))
    most = engine.summary["max_rows"]
    assert told == [("prefill", min(done, len(ids)), len(ids)) for done in range(most, len(ids) + most, most)]
    assert heard.read().ids == engine.generate(ids, max_new_tokens=3).read().ids
    assert heard.counters["prefill_tokens"] == len(ids)


def test_waiting_for_the_engine_stops_nobody(engine):
    """Who asks for a sequence's ids while another thread computes waits, and the rest of Python goes on."""
    sequence = engine.sequence()
    sequence.append([1, 2, 3])
    ticks = ticks_meanwhile = 0
    long = engine.encode(LONG)[:400]
    computing = threading.Thread(target=lambda: engine.logits(long))

    def tick():
        nonlocal ticks
        while computing.is_alive():
            ticks += 1
            time.sleep(0.001)

    computing.start()
    ticking = threading.Thread(target=tick)
    ticking.start()
    while computing.is_alive():
        before = ticks
        assert sequence.ids == [1, 2, 3]
        ticks_meanwhile += ticks - before
    ticking.join()
    assert ticks_meanwhile > 3  # with the lock held, nobody could have counted while this waited


def test_threads_share_an_engine(engine):
    expected = engine.generate("The fox", max_new_tokens=12).read().ids
    found = [None] * 4

    def work(index):
        found[index] = engine.generate("The fox", max_new_tokens=12).read().ids

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_cancel_from_another_thread(engine):
    sequence = engine.sequence()
    sequence.append(engine.encode("The fox"))
    thread = threading.Thread(target=sequence.cancel)
    thread.start()
    thread.join()
    with pytest.raises(headway.Cancelled):
        sequence.step()
    sequence.resume()
    assert len(sequence.step()) == 1


INTERRUPTED = """
import os, signal, sys, threading, headway
engine = headway.Engine(sys.argv[1], head="full:2", threads=1)
ids = (engine.encode("Once upon a time there was a little fox. " * 400))[:engine.context_size - 1]
sequence = engine.sequence()
threading.Timer(0.03, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    while True:  # a prompt in one call, again and again
        sequence.truncate(0)
        sequence.append(ids)
except KeyboardInterrupt:
    sequence.truncate(0)
    sequence.append(ids[:4])
    print("interrupted", len(sequence.step()))
"""


def test_ctrl_c(model):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, model], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout == "interrupted 1\n", done.stderr


def test_ctrl_c_in_a_batch(engine, monkeypatch):
    """Prompts are read in pieces: Ctrl-C comes in between, long before all are read."""
    step, steps, sequences = _headway.Engine.step, [], []

    def interrupted(native, rows):
        steps.append(len(rows))
        sequences[:] = [row[0] for row in rows]
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(native, rows)

    monkeypatch.setattr(_headway.Engine, "step", interrupted)
    prompt = engine.encode(LONG)[:300]
    with pytest.raises(KeyboardInterrupt):
        engine.generate_batch([prompt, prompt, prompt], max_new_tokens=4)
    assert len(steps) == 2 and all(s.describe()["num_pending"] > 1 for s in sequences)
    sequence = engine.sequence()
    sequence.append(prompt, read=False)
    steps.clear()
    with pytest.raises(KeyboardInterrupt):
        sequence.step()
    assert 1 < sequence.state["num_pending"] < len(prompt)
    monkeypatch.undo()
    read = engine.sequence()
    read.append(prompt)
    assert sequence.step() == read.step()  # it reads on


def test_serve(engine, model):
    with headway.serve(model, port=0, parallel=2, head="full:2") as server:
        body = json.dumps({"prompt": "Once upon a time", "max_tokens": 12, "temperature": 0}).encode()
        request = urllib.request.Request(server.base_url + "/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            text = json.load(reply)["choices"][0]["text"]
        assert text == engine.generate("Once upon a time", max_new_tokens=12).read().text
    assert server.wait() == 0
    with pytest.raises(RuntimeError, match="status 2"):
        headway.serve("/no/such/model.gguf")


def test_tool(model):
    version = subprocess.run([sys.executable, "-m", "headway", "--version"], check=True, capture_output=True, text=True)
    assert version.stdout == f"headway {headway.__version__}\n"


def test_wheel_is_self_contained():
    """Of the libraries that the module and the tool load, only the C and C++ runtimes come from outside."""
    package = os.path.dirname(headway.__file__)
    files = [os.path.join(package, name) for name in os.listdir(package) if name.startswith("_headway.") and
             name.endswith(".so")] + [os.path.join(package, "bin", "headway")]
    assert len(files) == 2
    allowed = ("libc.", "libm.", "libdl.", "librt.", "libpthread.", "libstdc++.", "libgcc_s.", "ld-linux", "linux-vdso")
    for file in files:
        out = subprocess.run(["ldd", file], check=True, capture_output=True, text=True).stdout
        for line in out.splitlines():
            name = os.path.basename(line.split()[0])
            assert name.startswith(allowed) or package in line, f"{file}: {line.strip()}"


def test_licences_go_along():
    """Of each library that the wheel holds, and of what is compiled in."""
    package = os.path.dirname(headway.__file__)
    bundled = os.listdir(os.path.join(package, "lib"))
    assert len(bundled) >= 4
    for name in [*bundled, "nlohmann-json3-dev", "libcli11-dev", "libexpected-dev", "libxxhash-dev", "nanobind",
                 "robin_map"]:
        assert os.path.getsize(os.path.join(package, "licenses", name + ".txt")) > 500, name


def test_stubs_are_there():
    package = os.path.dirname(headway.__file__)
    stub = open(os.path.join(package, "_headway.pyi")).read()
    for name in ("class Engine", "class Sequence", "def append_with", "def tokenize_chat", "def render_chat", "def times"):
        assert name in stub
    assert os.path.exists(os.path.join(package, "py.typed"))


