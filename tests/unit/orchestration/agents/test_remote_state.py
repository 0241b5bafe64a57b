"""States of graphs on a server, as replies."""

# ruff: noqa: ANN401  anything may be said

from __future__ import annotations

from typing import Any

import pytest

from orchestration.agents.remote_state import reply_in, text_in
from orchestration.agents.remote_thread import thread_id_of
from state.errors import UnknownReplyError


def message(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "content": content, "additional_kwargs": {}, "id": "1", **more}


def deep(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return {"deep": value}


def test_messages_become_those_of_openai_and_the_last_one_is_the_text() -> None:
    state = {
        "messages": [
            message("human", "two seats"),
            message(
                "ai",
                "",
                tool_calls=[{"id": "c1", "name": "book", "args": {"seats": 2}}],
                usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            ),
            message("tool", "booked", tool_call_id="c1"),
            message(
                "ai",
                [{"type": "text", "text": "Two "}, {"type": "text", "text": "seats."}],
                usage_metadata={"input_tokens": 10, "output_tokens": 1, "total_tokens": 11},
            ),
        ],
        "order": {"id": 7},
    }
    reply = reply_in(state, where="there")
    messages: Any = reply["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[1]["tool_calls"][0]["function"]["name"] == "book"
    assert reply["content"] == "Two seats."
    assert reply["usage"] == {"input_tokens": 13, "output_tokens": 5}
    assert reply["order"] == {"id": 7}


def test_what_a_state_says_itself_counts() -> None:
    state = {"messages": [message("ai", "well")], "content": "mine", "usage": None}
    assert reply_in(state, where="there") | {"messages": 0} == {
        "content": "mine",
        "usage": None,
        "messages": 0,
    }


@pytest.mark.parametrize(
    "state",
    [
        None,
        "text",
        [1],
        {"x": float("nan")},
        {"messages": [message("tool", "no call id")]},
        {"messages": [message("ai", "x", usage_metadata=7)]},
        {"messages": [message("ai", "x", tool_calls=[7])]},
        deep(900),
    ],
)
def test_states_that_are_no_replies(state: Any) -> None:
    with pytest.raises(UnknownReplyError, match="there"):
        reply_in(state, where="there")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ([message("AIMessageChunk", "Two "), {}], "Two "),
        ([message("AIMessageChunk", [{"type": "text", "text": "Two"}]), {}], "Two"),
        ([message("AIMessageChunk", [{"type": "image"}, "x"]), {}], ""),
        ([message("ai", "whole"), {}], ""),
        ([], ""),
        ({"a": 1}, ""),
        (None, ""),
    ],
)
def test_pieces_are_those_of_models_only(event: Any, text: str) -> None:
    assert text_in(event) == text


def test_a_key_has_one_thread() -> None:
    assert thread_id_of("run:task") == thread_id_of("run:task")
    assert thread_id_of("run:task") != thread_id_of("run:other")
