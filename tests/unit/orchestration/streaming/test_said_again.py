"""What an agent says that is called again, after its process died in the middle of a call."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

import pytest

from nodes.run_handle import handle_of
from orchestration import AgentContext, AgentSpec, AgentTask, WorkflowEvent
from state.jsonvalue import JsonObject
from tests.unit.orchestration.streaming.stage import Stage, all_of, lines

DONE = ["task_finished gated succeeded", "run_finished completed"]
AGAIN = "token_restart gated"


async def told_again(*scripts: Sequence[str], cut_after: int) -> list[str]:
    """What is told after so many pieces, when the agent is called a second time."""
    stage = Stage("memory://", scripts={"gated": [*scripts]}, holds_up=1)
    async with stage.open() as coordinator:
        reading, heard = coordinator.stream([AgentTask("gated")], thread_id="t"), 0
        last: WorkflowEvent | None = None
        async with aclosing(reading):
            while heard < cut_after:
                last = await anext(reading)
                heard += last.kind == "token"
        assert last is not None
        return lines(await all_of(coordinator.resume_stream("t", after=last.sequence)))


async def test_the_same_text_is_told_once() -> None:
    assert await told_again(["one ", "two "], cut_after=2) == DONE


async def test_of_a_longer_text_only_the_rest_is_told() -> None:
    longer = ["one ", "two ", "three"]
    assert await told_again(["one "], longer, cut_after=1) == [
        "token gated two",
        "token gated three",
        *DONE,
    ]


async def test_pieces_may_be_cut_differently() -> None:
    assert await told_again(["one ", "two "], ["o", "ne tw", "o three"], cut_after=2) == [
        "token gated three",
        *DONE,
    ]


async def test_another_text_begins_anew() -> None:
    assert await told_again(["one ", "two "], ["one ", "2 ", "3"], cut_after=2) == [
        AGAIN,
        "token gated one 2",
        "token gated 3",
        *DONE,
    ]


async def test_a_shorter_text_begins_anew() -> None:
    assert await told_again(["one ", "two "], ["one "], cut_after=2) == [
        AGAIN,
        "token gated one",
        *DONE,
    ]


async def test_an_agent_that_answers_from_its_records_leaves_the_text_as_it_is() -> None:
    assert await told_again(["one ", "two "], [], cut_after=2) == DONE


# -- verdicts of middleware -------------------------------------------------------------------


def verdict(word: str, **more: str) -> JsonObject:
    return {"verdict": word, **more}


@pytest.mark.parametrize("second", ["miss", "hit"])
async def test_a_verdict_stands_in_the_stream_and_is_told_again_only_if_it_differs(
    second: str,
) -> None:
    stage, words = Stage("memory://"), ["miss", second]

    async def agent(_given: JsonObject, context: AgentContext) -> JsonObject:
        tell = handle_of({"plan": {"run_id": context.run_id}}).tell  # type: ignore[typeddict-item]
        assert tell is not None
        word = words.pop(0)
        tell("cached", "cache", verdict(word, key="k"))
        if len(words) == 1:
            await stage.gate.wait()
        return {}

    stage.agents.register(AgentSpec("cached", handler=agent))
    async with stage.open() as coordinator:
        async with aclosing(coordinator.stream([AgentTask("cached")], thread_id="t")) as reading:
            told = [await anext(reading) for _ in range(3)]
        assert [event.kind for event in told] == ["run_started", "task_started", "verdict"]
        assert told[-1].task_id == "cached"
        assert told[-1].data == {"middleware": "cache", "verdict": "miss", "key": "k"}
        rest = await all_of(coordinator.resume_stream("t", after=3))
    found = [event.data["verdict"] for event in rest if event.kind == "verdict"]
    assert found == ([] if second == "miss" else ["hit"])


async def test_without_a_stream_nobody_is_told_a_verdict() -> None:
    stage, listens = Stage("memory://"), []

    async def agent(_given: JsonObject, context: AgentContext) -> JsonObject:
        listens.append(handle_of({"plan": {"run_id": context.run_id}}).tell)  # type: ignore[typeddict-item]
        return {}

    stage.agents.register(AgentSpec("cached", handler=agent))
    async with stage.open() as coordinator:
        await coordinator.execute_sequential([AgentTask("cached")])
    assert listens == [None]
