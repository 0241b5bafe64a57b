"""An A2A agent whose answers are malformed on purpose."""

from __future__ import annotations

import asyncio
import json

import pytest

from orchestration.agents.a2a import connect
from orchestration.agents.endpoint import Endpoint
from state.agent_context import AgentContext
from state.errors import AgentError
from state.jsonvalue import JsonObject
from tests.integration.raw_answers import Raw, answering


def card(url: str) -> bytes:
    interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return json.dumps(
        {"name": "x", "version": "1", "skills": [], "supportedInterfaces": [interface]}
    ).encode()


async def call(body: bytes) -> JsonObject:
    def answer(path: str) -> Raw:
        return Raw(card(where) if path.endswith("agent-card.json") else body)

    async with asyncio.timeout(20), answering(answer) as where:
        connector = connect(Endpoint(kind="a2a", address=where))
        try:
            return await connector.call({}, AgentContext("thread", "task", "run", "key"))
        finally:
            await connector.close()


def task(state: str, *, message: str = "{}", artifacts: str = "[]") -> bytes:
    status = f'{{"state": "TASK_STATE_{state}", "message": {message}}}'
    told = f'{{"id": "t", "contextId": "c", "artifacts": {artifacts}, "status": {status}}}'
    return f'{{"jsonrpc": "2.0", "id": "1", "result": {{"task": {told}}}}}'.encode()


DEEP = "[" * 500 + "]" * 500
NAN = '{"parts": [{"data": {"a": NaN}}]}'


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        task("COMPLETED", message=f'{{"parts": [{{"data": {DEEP}}}]}}'),
        task("COMPLETED", message=NAN),
        task("FAILED", message='{"metadata": {"error": NaN}, "parts": [{"text": "no"}]}'),
        task("COMPLETED", artifacts=f'[{{"artifactId": "a", {NAN[1:]}]'),
    ],
    ids=["no end", "deep", "nan", "nan in an error", "nan in an artifact"],
)
async def test_it_is_an_error_of_an_agent_whatever_it_says(body: bytes) -> None:
    with pytest.raises(AgentError):
        await call(body)
