"""The server (docs/serving.md) as a process of its own: OpenAI's API over HTTP."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
from typing import Any


def tool_path() -> str:
    """The command line tool that comes with this package."""
    return str(pathlib.Path(__file__).parent / "bin" / "headway")


class Server:
    """A server that runs until :meth:`close`, or until the ``with`` block ends."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url  # "http://127.0.0.1:8080"
        self._process = process

    @property
    def base_url(self) -> str:
        """What OpenAI's clients call ``base_url``."""
        return self.url + "/v1"

    def wait(self) -> int:
        """Until it ends; returns its exit status. Ctrl-C reaches it, too, and lets what runs finish."""
        return self._process.wait()

    def close(self, timeout: float = 60.0) -> int:
        """Lets what runs finish and ends it; returns its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def serve(model: str | os.PathLike[str], *, host: str = "127.0.0.1", port: int = 8080, **options: Any) -> Server:
    """Starts a server and returns when it listens.

    :param port: 0: any free one.
    :param options: the flags of ``headway serve``, with underscores: ``parallel=16``, ``ctx_size=4096``,
        ``head="certified"``, ``verify=True``.
    """
    command = [tool_path(), "serve", os.fspath(model), "--host", host, "--port", str(port)]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            command.append(flag)
        elif value is not False and value is not None:
            command += [flag, str(value)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        where = re.search(r" at (http://\S+)$", line.strip())
        if where:
            return Server(process, where.group(1))
    status = process.wait()
    raise RuntimeError(f"headway serve ended with status {status}; what it said stands on stderr")
