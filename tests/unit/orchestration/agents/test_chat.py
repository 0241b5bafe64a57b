"""One message to one agent, without a workflow."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from orchestration import (
    AgentContext,
    AgentNotFoundError,
    AgentNotStartedError,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTimeoutError,
    Endpoint,
)
from orchestration.agents.chat import input_of


async def echo(input_data: dict[str, Any], context: AgentContext) -> dict[str, Any]:
    said = input_data.get("messages", [{"content": "nothing"}])[-1]["content"]
    for word in said.split():
        context.emit(word)
    return {
        "content": f"You said {said}",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "user": context.user,
        "has_deadline": context.deadline is not None,
    }


@pytest.fixture
def agent() -> AgentSpec:
    registry = AgentRegistry()
    registry.register(AgentSpec("echo", ["echoing"], handler=echo))
    return registry.route_to_agent("echoing")


def test_a_script_says_something_and_prints_the_answer(agent: AgentSpec) -> None:
    for _ in range(2):  # each in an event loop of its own
        reply = agent.chat("good day")
        assert str(reply) == reply.text == "You said good day"
    assert reply.usage == {"input_tokens": 1, "output_tokens": 2}
    assert json.loads(json.dumps(reply))["content"] == "You said good day"


async def test_in_an_event_loop_it_is_awaited_with_the_text_as_it_comes(agent: AgentSpec) -> None:
    heard: list[str] = []
    reply = await agent.achat("good day", on_token=heard.append, user="ann", timeout=5)
    assert heard == ["good", "day"]
    assert (reply["user"], reply["has_deadline"]) == ("ann", True)
    with pytest.raises(RuntimeError, match=r"await agent\.achat"):
        agent.chat("good day")


async def test_messages_and_whole_inputs_are_taken_too(agent: AgentSpec) -> None:
    assert str(await agent.achat([{"role": "user", "content": "hello"}])) == "You said hello"
    assert str(await agent.achat({"action": "wait"})) == "You said nothing"


async def test_a_specification_of_no_registry_can_be_asked_too() -> None:
    assert str(await AgentSpec("alone", handler=echo).achat("hi")) == "You said hi"


async def test_what_goes_wrong_is_raised(agent: AgentSpec) -> None:
    held = asyncio.Event()

    async def slow(_input: dict[str, Any]) -> dict[str, Any]:
        await held.wait()
        return {}

    async def refuse(_input: dict[str, Any]) -> dict[str, Any]:
        raise AgentRefusedError("no")

    with pytest.raises(AgentTimeoutError, match=r"within 0.01 s"):
        await AgentSpec("slow", handler=slow).achat("hi", timeout=0.01)
    with pytest.raises(AgentRefusedError):
        await AgentSpec("refuses", handler=refuse).achat("hi")
    assert agent.home is not None
    agent.home.unregister("echo")
    with pytest.raises(AgentNotFoundError):
        await agent.achat("anybody there?")


async def test_it_goes_the_way_of_all_calls() -> None:
    async def down(_input: dict[str, Any]) -> dict[str, Any]:
        raise AgentNotStartedError("nothing listens there")

    ends = [
        Endpoint(endpoint_id="down", handler=down, priority=1),
        Endpoint(endpoint_id="up", handler=echo),
    ]
    assert str(await AgentSpec("agent", endpoints=ends).achat("hi")) == "You said hi"


@pytest.mark.parametrize("message", [None, 5])
def test_what_is_no_message_is_named(message: object) -> None:
    with pytest.raises(TypeError, match=f"message is {message}; give text"):
        input_of(message)  # type: ignore[arg-type]


async def test_a_listener_that_would_have_to_be_awaited_is_refused(agent: AgentSpec) -> None:
    async def listen(_: str) -> None: ...

    with pytest.raises(TypeError, match="nobody would await it"):
        await agent.achat("hi", on_token=listen)  # type: ignore[arg-type]
