"""An HTTP agent that repeats what it was told, to see whether that is told on."""

from __future__ import annotations

import asyncio
import json
import traceback

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.http import connect, problems
from state.agent_context import AgentContext
from state.errors import AgentError
from tests.integration.raw_answers import Raw, answering

SECRET = "s3cret-\\tok'en"  # noqa: S105  a test's


async def said_of(raw: Raw, **headers: str) -> str:
    """What a failing call says, with its traceback as a log would have it."""
    async with asyncio.timeout(20), answering(lambda _path: raw) as url:
        endpoint = Endpoint(kind="http", address=url, settings={"headers": headers})
        assert not list(problems(endpoint))
        connector = connect(endpoint)
        with pytest.raises(AgentError) as failed:
            await connector.call({}, AgentContext("thread", "task", "run", "key"))
        await connector.close()
        return "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize("written", [SECRET, repr(SECRET), json.dumps(SECRET)])
async def test_what_an_agent_repeats_is_not_told_on(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_TOKEN", SECRET)
    body = json.dumps({"error": {"message": f"you sent {written}"}}).encode()
    said = await said_of(Raw(body, status=400), **{"X-Desk": "${DESK_TOKEN}"})
    assert "you sent" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie", "X-Access-Token"])
async def test_credentials_that_stand_in_a_file_are_not_told_on_either(name: str) -> None:
    body = json.dumps({"error": {"message": "who is s3cret-literal of team events?"}}).encode()
    headers = {name: "Bearer s3cret-literal", "X-Team": "events"}
    said = await said_of(Raw(body, status=401), **headers)
    assert "*** of team events?" in said
    assert "s3cret" not in said


async def test_space_around_a_header_makes_no_library_quote_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESK_TOKEN", SECRET)
    headers = {"X-Desk": " Bearer ${DESK_TOKEN} "}
    async with asyncio.timeout(20), answering(lambda _path: Raw(b"{}")) as url:
        connector = connect(Endpoint(kind="http", address=url, settings={"headers": headers}))
        assert await connector.call({}, AgentContext("thread", "task", "run", "key")) == {}
        await connector.probe()
        await connector.close()
