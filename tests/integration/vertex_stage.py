"""A stage on which the fake Vertex AI acts, for the contract of all kinds."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from orchestration.agents.connector import Connector
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
from orchestration.testing import fake_vertex
from orchestration.testing.agent_stage import (
    Act,
    Breaks,
    Distrusts,
    Echoes,
    Fails,
    Limits,
    Received,
    Refuses,
    Says,
    Stage,
)
from orchestration.testing.fake_vertex import Failure, FakeVertex, Nonsense, Reply

GOOGLES_WARNINGS: Final = [
    # of Google's libraries, while they are loaded, about what they are installed with
    pytest.mark.filterwarnings("ignore:.*Post-Quantum Cryptography:FutureWarning"),
    pytest.mark.filterwarnings(
        "ignore:Using `@model_validator` with mode='after':DeprecationWarning"
    ),
    # of ChatVertexAI, the only one of LangChain's models that speaks gRPC
    pytest.mark.filterwarnings("ignore:Use .`ChatGoogleGenerativeAI`:DeprecationWarning"),
]
RESOURCES: Final = {
    "vertex_chat": "endpoints/99",
    "vertex_predict": "endpoints/99",
    "vertex_agent_engine": "reasoningEngines/9",
}
STREAMING: Final = frozenset({"streamGenerateContent", "streamQuery"})


class VertexStage(Stage):
    """The agent is behind a socket."""

    def __init__(self, vertex: FakeVertex, kind: str, transport: str) -> None:
        super().__init__()
        self._vertex = vertex
        self._kind = kind
        self._transport = transport
        vertex.script.act = self._acted

    def connector(self) -> Connector:
        return self._connector_to(
            self._vertex.address(RESOURCES[self._kind], transport=self._transport)
        )

    def connector_to_nobody(self) -> Connector:
        scheme = "grpc" if self._transport == "grpc" else "http"
        address = self._vertex.address(RESOURCES[self._kind], transport=self._transport)
        return self._connector_to(
            re.sub(r".*?://[^/]+", f"{scheme}://127.0.0.1:{free_port()}", address)
        )

    def release(self) -> None:
        self._vertex.script.release()

    async def given_up(self) -> None:
        script = self._vertex.script
        assert await asyncio.to_thread(script.wait_until, lambda script: script.left_early > 0)

    def _connector_to(self, address: str) -> Connector:
        endpoint = Endpoint(kind=self._kind, address=address)
        module = module_of(self._kind)
        assert list(module.problems(endpoint)) == []
        return module.connect(endpoint)

    def _acted(self, received: fake_vertex.Received) -> fake_vertex.Act:
        texts = received.texts
        prompt = texts[-1]
        text = prompt.rpartition("\nHuman: ")[2] if received.method == "predict" else prompt
        given: Any = received.body.get("input") or {}
        given = given.get("input", {})
        act = self.enter(
            Received(
                text=text,
                key=given.get("idempotency_key"),
                remaining_seconds=received.remaining_seconds,
                upstream=given.get("upstream") or upstream_in(texts),
                streamed=received.method in STREAMING,
            )
        )
        return played(act, text, blocks=self._kind == "vertex_chat")


def played(act: Act, text: str, *, blocks: bool) -> fake_vertex.Act:
    """What the fake does to play an act."""
    failed = failure(act, blocks=blocks)
    if failed is not None:
        return failed
    match act:
        case Says(pieces, usage, held_after):
            return Reply(pieces=pieces, usage=usage, held_after=held_after)
        case Echoes(held):
            return Reply(pieces=(text,), held_after=0 if held else None)
        case Refuses(message):
            return Reply(block_reason="SAFETY", block_message=message)
        case Breaks(pieces):
            return Reply(pieces=pieces, broken_after=len(pieces))
    return Nonsense()


def failure(act: Act, *, blocks: bool) -> Failure | None:
    """The error that plays an act; None if it is none."""
    match act:
        case Refuses(message) if not blocks:
            return Failure(status=400, message=message)
        case Fails(message):
            return Failure(status=500, message=message)
        case Limits(retry_after):
            return Failure(status=429, retry_after=retry_after)
        case Distrusts():
            return Failure(status=401)
    return None


def upstream_in(texts: list[str]) -> Any:  # noqa: ANN401  JSON
    """What a model was told of the tasks before."""
    for text in texts:
        if found := re.search(r"<data>\n(.*)\n</data>", text):
            return json.loads(found[1]).get("upstream")
    return None


def free_port() -> int:
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def vertex_stage(kind: str, transport: str) -> Iterator[VertexStage]:
    with FakeVertex() as vertex:
        yield VertexStage(vertex, kind, transport)
