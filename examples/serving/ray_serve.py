"""Headway behind Ray Serve: a replica is a server of its own (docs/serving.md), Ray spreads the requests.

    pip install . "ray[serve]"                                             # in a clone of Headway
    serve run examples.serving.ray_serve:app model=models/story-12m.gguf replicas=2
    curl http://127.0.0.1:8000/v1/completions -d '{"prompt": "Once upon a time", "max_tokens": 20}'

The same seed gives the same tokens whichever replica answers. Arguments: model, replicas, parallel (requests that a
replica decodes at once), threads, head, ctx_size.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import aiohttp
from ray import serve
from starlette.requests import Request
from starlette.responses import StreamingResponse

import headway

# Of one connection alone (RFC 9110, 7.6.1), or told anew by who sends them.
HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


class Replica:
    def __init__(self, model: str, **flags: str) -> None:
        self.server = headway.serve(model, port=0, **flags)
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False)

    async def __call__(self, request: Request) -> StreamingResponse:
        """Hands a request on and its answer back as it comes. A client that goes away ends it in the server, too."""
        headers = {name: value for name, value in request.headers.items() if name not in HOP_HEADERS}
        target = self.server.url + request.url.path + ("?" + request.url.query if request.url.query else "")
        answer = await self.session.request(request.method, target, headers=headers, data=await request.body())

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in answer.content.iter_any():
                    yield piece
            finally:
                answer.close()

        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_HEADERS}
        return StreamingResponse(pieces(), answer.status, kept)

    async def check_health(self) -> None:
        """Ray asks now and then, and replaces a replica that raises."""
        async with self.session.get(self.server.url + "/health") as answer:
            answer.raise_for_status()

    def __del__(self) -> None:  # Ray waits for requests that run before it deletes a replica
        if server := getattr(self, "server", None):
            server.close()


def app(arguments: dict[str, str]) -> serve.Application:
    """What `serve run` builds from its NAME=VALUE arguments."""
    arguments = dict(arguments)
    model = os.path.abspath(arguments.pop("model"))
    replicas = int(arguments.pop("replicas", 1))
    parallel = int(arguments.pop("parallel", 8))
    deployment = serve.deployment(
        Replica,
        name="headway",
        num_replicas=replicas,
        max_ongoing_requests=2 * parallel,  # what waits in the server is known to its prefix cache
        ray_actor_options={"num_cpus": float(arguments.get("threads", 1))},
        health_check_period_s=5,
        graceful_shutdown_timeout_s=60,
    )
    return deployment.bind(model, parallel=str(parallel), **arguments)
