from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from nodes.compression import compress
from nodes.compression.spans import turns_of, views_of
from tests.unit.nodes.compression.histories import openai_call, problems_of

USER = {"role": "user", "content": "Where is my order?"}
ANSWER = {"role": "assistant", "content": "On its way."}


def call(*ids: str, said: str | None = None) -> dict[str, Any]:
    calls = [openai_call(each, {"order_id": each}) for each in ids]
    return {"role": "assistant", "content": said, "tool_calls": calls}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": f"result of {call_id}"}


def repaired(*messages: object) -> list[Any]:
    return compress(messages, max_tokens=10_000).messages


def test_parallel_calls_and_all_their_results_are_one_group() -> None:
    views = views_of([USER, call("a", "b"), result("b"), result("a"), ANSWER, USER])
    groups = [[(group.first, group.end) for group in turn.groups] for turn in turns_of(views)]
    assert groups == [[(0, 1), (1, 4), (4, 5)], [(5, 6)]]


def test_a_valid_history_is_left_as_it_is() -> None:
    messages = [USER, call("a", "b"), result("b"), result("a"), ANSWER, USER]
    assert all(one is other for one, other in zip(repaired(*messages), messages, strict=True))


def test_a_result_without_its_call_goes() -> None:
    assert repaired(USER, result("a"), ANSWER) == [USER, ANSWER]
    assert repaired(result("a"), USER) == [USER]


def test_a_result_behind_another_turn_has_lost_its_call() -> None:
    assert repaired(USER, call("a"), USER, result("a")) == [
        USER,
        {"role": "assistant", "content": "[no result of look_up]"},
        USER,
    ]


def test_of_parallel_calls_those_without_a_result_go() -> None:
    messages = repaired(USER, call("a", "b", said="I look."), result("b"))
    assert messages == [USER, call("b", said="I look."), result("b")]


def test_a_call_that_still_waits_goes_and_what_was_said_stays() -> None:
    assert repaired(USER, call("a")) == [USER]
    assert repaired(USER, call("a", said="I look.")) == [
        USER,
        {"role": "assistant", "content": "I look."},
    ]


def test_a_second_result_for_one_call_goes() -> None:
    assert repaired(USER, call("a"), result("a"), result("a")) == [USER, call("a"), result("a")]


def test_a_lost_result_between_two_turns_of_the_assistant_becomes_the_users() -> None:
    messages = repaired(USER, ANSWER, result("a"), ANSWER)
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    assert messages[2]["content"] == "[result of a call that is gone] result of a"


def test_orphans_among_blocks_go_and_the_rest_of_the_message_stays() -> None:
    used = {"type": "tool_use", "id": "a", "name": "look_up", "input": {}}
    said = {"type": "text", "text": "I look."}
    answers = [
        {"type": "tool_result", "tool_use_id": each, "content": f"result of {each}"}
        for each in ("a", "b")
    ]
    messages = repaired(
        USER,
        {"role": "assistant", "content": [said, used, {**used, "id": "c"}]},
        {"role": "user", "content": answers},
    )
    assert messages == [
        USER,
        {"role": "assistant", "content": [said, used]},
        {"role": "user", "content": answers[:1]},
    ]


def test_legacy_calls_are_matched_by_name() -> None:
    made = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}
    found = {"role": "function", "name": "f", "content": "found"}
    assert repaired(USER, made, found) == [USER, made, found]
    assert repaired(USER, made, {**found, "name": "g"}, ANSWER) == [USER, ANSWER]


@pytest.mark.parametrize("is_invalid", [False, True])
def test_calls_of_message_objects_go_everywhere_they_stand(is_invalid: bool) -> None:  # noqa: FBT001
    listed = {"name": "f", "args": {}, "id": "a", "type": "tool_call"}
    bad = {"name": "f", "args": "{", "id": "b", "error": None, "type": "invalid_tool_call"}
    asked = AIMessage(
        "I look.",
        tool_calls=[listed],
        invalid_tool_calls=[bad] if is_invalid else [],
        additional_kwargs={"tool_calls": [openai_call("a", {})], "kept": 1},
    )
    (_, answered) = repaired(HumanMessage("Hi"), asked)
    assert answered.content == "I look."
    assert answered.tool_calls == answered.invalid_tool_calls == []
    assert answered.additional_kwargs == {"kept": 1}
    whole = repaired(HumanMessage("Hi"), asked, ToolMessage("ok", tool_call_id="a"))
    assert list(problems_of(whole)) == []
    assert [each["id"] for each in whole[1].tool_calls] == ["a"]
