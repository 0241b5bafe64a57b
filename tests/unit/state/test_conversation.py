from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.plan_request import PlanRequest
from graph.planner import plan
from orchestration import AgentRegistry, AgentSpec
from state.conversation import HistoryWindow, answered, brought, text_of
from state.errors import ConfigurationError
from state.outcome import Outcome
from state.plan_document import PlanDocument
from state.task import AgentTask

Message = dict[str, Any]


@cache
def agents() -> AgentRegistry:
    registry = AgentRegistry()
    for name in ("a", "b", "c", "chat", "other", "third"):
        registry.register(AgentSpec(name, handler=dict))
    return registry


def planned(*tasks: AgentTask) -> PlanDocument:
    return plan(PlanRequest(tasks=tasks), agents=agents(), run_id="r").plan.document


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def done(output: dict[str, Any]) -> Outcome:
    return {"status": "succeeded", "attempts": 1, "output": output, "agent": "chat"}


def said(output: dict[str, Any], *brought: Message) -> Sequence[Message]:
    document = planned(AgentTask("chat", {"messages": list(brought)}))
    return answered(document, {"chat": done(output)})


# -- what a run's tasks bring ------------------------------------------------------------


def test_messages_stand_in_the_order_of_the_tasks() -> None:
    tasks = [AgentTask("a", {"messages": [user("1"), user("2")]}), AgentTask("b")]
    tasks.append(AgentTask("c", {"messages": [user("3")]}))
    assert brought(planned(*tasks)) == [user("1"), user("2"), user("3")]


def test_what_several_tasks_are_asked_is_one_question() -> None:
    tasks = [AgentTask(name, {"messages": [user("hello")]}) for name in "abc"]
    assert brought(planned(*tasks)) == [user("hello")]


def test_a_common_beginning_is_recorded_once() -> None:
    short, long = [user("1")], [user("1"), user("2")]
    for one, other in [(short, long), (long, short)]:
        tasks = [AgentTask("a", {"messages": one}), AgentTask("b", {"messages": other})]
        assert brought(planned(*tasks)) == [user("1"), user("2")]


def test_saying_the_same_twice_is_saying_it_twice() -> None:
    assert brought(planned(AgentTask("a", {"messages": [user("yes"), user("yes")]}))) == [
        user("yes"),
        user("yes"),
    ]


@pytest.mark.parametrize("value", [None, "hello", [], ["hello"], [{"content": "x"}], {"role": "x"}])
def test_what_is_no_message_is_passed_over(value: object) -> None:
    assert brought(planned(AgentTask("a", {"messages": value}))) == []


# -- what the agents say -----------------------------------------------------------------


@pytest.mark.parametrize("field", ["content", "message", "text", "answer", "response"])
def test_an_answer_in_words_is_a_message_named_after_its_agent(field: str) -> None:
    assert said({"total": 3, field: "done"}, user("do")) == [
        {"role": "assistant", "name": "chat", "content": "done"}
    ]


def test_an_agents_own_messages_win_over_its_words() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "42"}
    named = {"role": "assistant", "name": "other", "content": "hm"}
    assert said({"content": "x", "messages": [call, result, named]}, user("do")) == [
        {**call, "name": "chat"},
        result,
        named,
    ]


def test_an_agent_that_answers_with_the_whole_conversation_is_heard_once() -> None:
    earlier = [user("before"), {"role": "assistant", "content": "then"}]
    added = {"role": "assistant", "content": "now", "name": "chat"}
    echoed = {**user("do"), "id": "given by a graph"}
    assert said({"messages": [*earlier, echoed, added]}, user("do")) == [added]
    assert said({"messages": [echoed], "content": "now"}, user("do")) == [added]


def test_a_refusal_is_an_answer_and_a_failure_is_none() -> None:
    document = planned(AgentTask("chat"), AgentTask("other"), AgentTask("third"))
    error = {"type": "E", "message": "Which order?"}
    assert answered(
        document,
        {
            "chat": {
                "status": "failed",
                "attempts": 1,
                "error": {"code": "agent_refused", "type": "E", "message": "Which order?"},
            },
            "other": {
                "status": "failed",
                "attempts": 1,
                "error": {"code": "agent_raised", "type": error["type"], "message": "secret"},
            },
        },
    ) == [{"role": "assistant", "name": "chat", "content": "Which order?"}]


@pytest.mark.parametrize("output", [{}, {"content": ""}, {"content": 3}, {"messages": "x"}])
def test_an_answer_without_words_says_nothing(output: dict[str, Any]) -> None:
    assert said(output, user("do")) == []


# -- the window --------------------------------------------------------------------------


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Turns of a user, and of an assistant that may call tools first."""
    messages: list[Message] = []
    for number in range(draw(st.integers(0, 8))):
        messages.append(user(draw(st.text(max_size=40))))
        calls = [f"{number}.{call}" for call in range(draw(st.integers(0, 3)))]
        if calls:
            messages.append({"role": "assistant", "tool_calls": [{"id": id_} for id_ in calls]})
            messages += [{"role": "tool", "tool_call_id": id_, "content": "x"} for id_ in calls]
        messages.append({"role": "assistant", "content": draw(st.text(max_size=40))})
    return messages


@given(conversations(), st.integers(0, 30), st.integers(0, 1500))
def test_the_window_keeps_its_bounds_and_never_parts_a_result_from_its_call(
    messages: list[Message], most: int, characters: int
) -> None:
    texts = [text_of(message) for message in messages]
    seen = HistoryWindow(most, characters).fit(reversed(texts))
    assert len(seen) <= most
    assert sum(len(text_of(message)) for message in seen) <= characters
    assert messages[len(messages) - len(seen) :] == seen, "the newest, in order and without gaps"
    shown: list[Message] = list(seen)
    called = {call["id"] for message in shown for call in message.get("tool_calls", ())}
    assert {m["tool_call_id"] for m in shown if m["role"] == "tool"} <= called
    left = messages[: len(messages) - len(seen)]
    if left and left[-1]["role"] != "tool":
        assert len(seen) == most or characters < sum(map(len, texts[len(left) - 1 :])), (
            "no more fit"
        )


def test_a_result_whose_call_stands_nowhere_is_left_out() -> None:
    messages = [user("1"), {"role": "tool", "tool_call_id": "lost", "content": "x"}, user("2")]
    assert HistoryWindow().fit(text_of(each) for each in reversed(messages)) == [
        user("1"),
        user("2"),
    ]


@pytest.mark.parametrize("bounds", [{"messages": -1}, {"characters": -1}])
def test_a_negative_bound_is_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=r"is -1; give 0 or more"):
        HistoryWindow(**bounds)
