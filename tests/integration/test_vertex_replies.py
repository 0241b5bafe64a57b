"""What agents on Vertex AI are sent, and what becomes of what they answer."""

# ruff: noqa: ANN401  any JSON

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
from orchestration.testing.fake_vertex import FakeVertex, Received, Reply
from state.agent_context import AgentContext
from state.errors import UnknownReplyError
from state.jsonvalue import JsonObject
from tests.integration.vertex_stage import GOOGLES_WARNINGS, RESOURCES

pytestmark = GOOGLES_WARNINGS
CONTEXT = AgentContext("thread-1", "book", "run-1", "run-1:book", user="ann")
ASKED: JsonObject = {"messages": [{"role": "user", "content": "two seats"}]}
TRANSPORTS = pytest.mark.parametrize("transport", ["rest", "grpc"])


@pytest.fixture
def vertex() -> Iterator[FakeVertex]:
    with FakeVertex() as vertex:
        yield vertex


async def ask(
    vertex: FakeVertex,
    kind: str,
    transport: str,
    *,
    input_data: JsonObject = ASKED,
    context: AgentContext = CONTEXT,
    **settings: Any,
) -> JsonObject:
    address = vertex.address(RESOURCES[kind], transport=transport)
    endpoint = Endpoint(kind=kind, address=address, settings=settings)
    assert list(module_of(kind).problems(endpoint)) == []
    agent = module_of(kind).connect(endpoint)
    try:
        return await agent.call(input_data, context)
    finally:
        await agent.close()


def only(vertex: FakeVertex) -> Received:
    (received,) = vertex.script.received
    return received


@TRANSPORTS
async def test_gemini_gets_instructions_history_data_and_the_question(
    vertex: FakeVertex, transport: str
) -> None:
    context = CONTEXT._replace(
        history=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
        upstream={"search": {"content": "row 7", "usage": {}}},
    )
    input_data: JsonObject = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "two seats"},
        ],
        "show": "Hamlet",
    }
    await ask(
        vertex,
        "vertex_chat",
        transport,
        input_data=input_data,
        context=context,
        system_prompt="You sell tickets.",
        temperature=0.25,
        max_output_tokens=50,
    )
    received = only(vertex)
    told: Any = received.body["systemInstruction"]
    assert [part["text"] for part in told["parts"]] == ["You sell tickets.", "Be brief."]
    hi, hello, data, question = received.texts
    assert (hi, hello, question) == ("hi", "hello", "two seats")
    assert '{"input": {"show": "Hamlet"}, "upstream": {"search": "row 7"}}' in data
    config: Any = received.body["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"]) == (0.25, 50)
    assert received.resource == "projects/p1/locations/us-central1/endpoints/99"


@TRANSPORTS
async def test_gemini_is_not_told_what_nobody_set(vertex: FakeVertex, transport: str) -> None:
    await ask(vertex, "vertex_chat", transport)
    config: Any = only(vertex).body.get("generationConfig", {})
    assert "temperature" not in config


@TRANSPORTS
async def test_a_task_without_messages_makes_sense(vertex: FakeVertex, transport: str) -> None:
    await ask(vertex, "vertex_chat", transport, input_data={"action": "send_sms"})
    (text,) = only(vertex).texts
    assert '{"input": {"action": "send_sms"}}' in text
    assert text.startswith("Do this task")


@TRANSPORTS
@pytest.mark.parametrize(
    ("prediction", "reply"),
    [
        ("two", {"content": "two"}),
        ({"generated_text": "two"}, {"generated_text": "two", "content": "two"}),
        (
            {"content": "two", "seats": 2, "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
            {"content": "two", "seats": 2, "usage": {"input_tokens": 3, "output_tokens": 4}},
        ),
        ([["two", "three"]], {"predictions": [[["two", "three"]]], "content": "two"}),
        ([0.5, 0.25], {"predictions": [[0.5, 0.25]]}),
        ({"scores": [0.5]}, {"scores": [0.5]}),
        (True, {"predictions": [True]}),
    ],
)
async def test_predictions_may_have_any_form(
    vertex: FakeVertex, transport: str, prediction: Any, reply: JsonObject
) -> None:
    vertex.script.act = Reply(value=prediction)
    assert await ask(vertex, "vertex_predict", transport) == reply


@TRANSPORTS
async def test_an_instance_has_the_fields_that_the_settings_name(
    vertex: FakeVertex, transport: str
) -> None:
    vertex.script.act = Reply(value={"label": "sold", "note": "ok"})
    reply = await ask(
        vertex,
        "vertex_predict",
        transport,
        input_data={**ASKED, "row": 7, "stop": "never", "colour": "red"},
        prompt_field="question",
        instance_fields=["row", "stop", "absent"],
        parameters={"max_tokens": 9},
        result_field="label",
    )
    (instance,) = _any(only(vertex).body["instances"])
    assert instance.pop("question").endswith("Human: two seats")
    assert instance == {"row": 7, "stop": "never", "max_tokens": 9}
    assert reply == {"label": "sold", "note": "ok", "content": "sold"}


@TRANSPORTS
async def test_an_agent_gets_the_input_the_key_the_thread_and_what_came_before(
    vertex: FakeVertex, transport: str
) -> None:
    context = CONTEXT._replace(
        history=[{"role": "user", "content": "hi"}], upstream={"search": {"found": 3}}
    )
    await ask(
        vertex,
        "vertex_agent_engine",
        transport,
        input_data={**ASKED, "show": "Hamlet"},
        context=context,
    )
    received = only(vertex)
    assert received.body["classMethod"] == "query"
    assert _any(received.body["input"])["input"] == {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "user", "content": "two seats"},
        ],
        "show": "Hamlet",
        "idempotency_key": "run-1:book",
        "thread_id": "thread-1",
        "upstream": {"search": {"found": 3}},
    }


@TRANSPORTS
async def test_an_agent_made_with_langgraph_gets_its_config(
    vertex: FakeVertex, transport: str
) -> None:
    vertex.script.methods = [takes("query", "", "input", "config")]
    context = CONTEXT._replace(history=[{"role": "user", "content": "hi"}])
    await ask(vertex, "vertex_agent_engine", transport, context=context, send_history=False)
    given = _any(only(vertex).body["input"])
    assert given["config"]["configurable"] == {"thread_id": "thread-1"}
    assert given["config"]["metadata"]["idempotency_key"] == "run-1:book"
    assert given["input"]["messages"] == ASKED["messages"]


@TRANSPORTS
async def test_an_agent_made_with_the_adk_gets_text_and_a_user(
    vertex: FakeVertex, transport: str
) -> None:
    vertex.script.methods = [
        takes("get_session", "", "user_id", "session_id"),
        takes("async_stream_query", "async_stream", "message", "user_id", "session_id"),
        takes("stream_query", "stream", "message", "user_id", "session_id"),
    ]
    event: dict[str, Any] = {
        "content": {"role": "model", "parts": [{"text": "done."}]},
        "author": "seller",
    }
    tokens: JsonObject = {"prompt_token_count": 3, "candidates_token_count": 4}
    vertex.script.act = Reply(pieces=("Booked, ", "-"), value={**event, "usage_metadata": tokens})
    reply = await ask(vertex, "vertex_agent_engine", transport)
    assert only(vertex).body["classMethod"] == "async_stream_query"
    assert only(vertex).body["input"] == {"message": "two seats", "user_id": "ann"}
    assert reply["content"] == "Booked, done."
    assert reply["author"] == "seller"
    assert reply["usage"] == {"input_tokens": 3, "output_tokens": 4}


@TRANSPORTS
async def test_an_agent_with_arguments_of_its_own_gets_those(
    vertex: FakeVertex, transport: str
) -> None:
    vertex.script.methods = [takes("book", "", "seats", "thread_id")]
    await ask(vertex, "vertex_agent_engine", transport, input_data={**ASKED, "seats": 2})
    assert only(vertex).body["input"] == {"seats": 2, "thread_id": "thread-1"}


@TRANSPORTS
@pytest.mark.parametrize(
    ("output", "reply"),
    [
        ("two", {"content": "two"}),
        ({"total_price": 120.5}, {"total_price": 120.5}),
        ({"output": "two"}, {"output": "two", "content": "two"}),
        (["two", {"n": 2}], {"content": "two", "outputs": ["two", {"n": 2}]}),
    ],
)
async def test_outputs_may_have_any_form(
    vertex: FakeVertex, transport: str, output: Any, reply: JsonObject
) -> None:
    vertex.script.act = Reply(value=output)
    assert await ask(vertex, "vertex_agent_engine", transport) == reply


@TRANSPORTS
async def test_a_number_is_no_output(vertex: FakeVertex, transport: str) -> None:
    vertex.script.act = Reply(value=7)
    with pytest.raises(UnknownReplyError, match="an agent's output"):
        await ask(vertex, "vertex_agent_engine", transport)


@TRANSPORTS
async def test_states_of_a_graph_are_no_echo(vertex: FakeVertex, transport: str) -> None:
    """A graph streams its whole state again and again, and begins with the question."""
    said: Any = {"type": "constructor", "kwargs": {"type": "ai", "content": "Two seats."}}
    asked: Any = {"type": "constructor", "kwargs": {"type": "human", "content": "two seats"}}
    heard: list[str] = []
    for messages in ([asked], [asked, said]):
        vertex.script.act = Reply(pieces=("-",), value={"messages": messages})
        context = CONTEXT._replace(emit=heard.append)
        await ask(vertex, "vertex_agent_engine", transport, context=context)
    assert heard == ["Two seats."]


def takes(name: str, mode: str, *parameters: str) -> JsonObject:
    """A method, as an engine describes it."""
    properties: JsonObject = {each: {"type": "string"} for each in parameters}
    return {
        "name": name,
        "api_mode": mode,
        "parameters": {"type": "object", "properties": properties},
    }


def _any(value: object) -> Any:
    return value
