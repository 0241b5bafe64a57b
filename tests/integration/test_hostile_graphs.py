"""A LangGraph server that means no good, or is none."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.remote_graph import connect
from state.agent_context import AgentContext
from state.errors import AgentError, UnknownReplyError
from state.jsonvalue import JsonObject
from tests.integration.raw_answers import Raw, answering

THREAD: JsonObject = {"thread_id": "x", "status": "idle", "values": None, "metadata": {}}


async def call(url: str) -> JsonObject:
    settings = {"graph": "desk", "timeout_seconds": 20}
    connector = connect(Endpoint(kind="langgraph", address=url, settings=settings))
    try:
        return await connector.call({}, AgentContext("thread", "task", "run", "key"))
    finally:
        await connector.close()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"status": 7, "values": [1]}',
        b'{"status": "idle", "values": "\\ud800"}',
        b"NaN",
    ],
    ids=lambda body: body[:20].decode(),
)
async def test_what_is_no_answer_of_a_server_is_an_unknown_reply(body: bytes) -> None:
    async with asyncio.timeout(20), answering(lambda _path: Raw(body)) as url:
        with pytest.raises(UnknownReplyError):
            await call(url)


@pytest.mark.parametrize(
    "data",
    [
        "{nope",
        "[1]",
        "7",
        '{"__interrupt__": 7}',
        '{"__interrupt__": [7]}',
        '{"__interrupt__": [{"value": 1}]}',
        '{"a": NaN}',
        '{"messages": [{"type": "ai", "content": 7, "usage_metadata": [1]}]}',
    ],
)
async def test_what_is_no_state_is_an_unknown_reply(data: str) -> None:
    def answer(path: str) -> Raw:
        if path.endswith("/runs/stream"):
            return Raw(f"event: values\ndata: {data}\n\n".encode(), kind="text/event-stream")
        return Raw(json.dumps(THREAD).encode())

    async with asyncio.timeout(20), answering(answer) as url:
        with pytest.raises(UnknownReplyError):
            await call(url)


async def test_nothing_is_unpacked() -> None:
    bomb = Raw(gzip.compress(b"[" + b" " * 50_000_000 + b"]"), more="content-encoding: gzip\r\n")
    async with asyncio.timeout(20), answering(lambda _path: bomb) as url:
        with pytest.raises(UnknownReplyError, match="packed"):
            await call(url)


async def test_a_probe_that_is_answered_with_nonsense_is_an_error_of_ours() -> None:
    async with asyncio.timeout(20), answering(lambda _path: Raw(b"<html>")) as url:
        connector = connect(Endpoint(kind="langgraph", address=url, settings={"graph": "desk"}))
        with pytest.raises(AgentError):
            await connector.probe()
        await connector.close()
