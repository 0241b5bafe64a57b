from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestration.planning.validation import problems_of, tasks_of
from state.proposal import Proposal, ProposedTask
from tests.unit.orchestration.planning.requests import proposed, team


def problems(*tasks: ProposedTask) -> list[str]:
    return problems_of(Proposal(tasks=tasks), team())


def buying(task_id: str = "book", **more: object) -> ProposedTask:
    changed: dict[str, Any] = dict(more)
    return replace(proposed(task_id, "ticket_purchase", "Book 10 tickets"), **changed)


def test_a_plan_that_can_be_run_has_no_problems() -> None:
    condition = "outputs.book.total_price > 5000 && outputs.exists(name, name == 'outputs.other')"
    later = buying("later", depends_on=("book",), condition=condition)
    last = buying("last", depends_on=("later",), condition='outcomes["book"].attempts > 1')
    assert problems(buying(), later, last) == []


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (buying(capability="teleport"), "no enabled agent for 'teleport'"),
        (buying(capability=None, agent_id="nobody"), "no enabled agent for 'nobody'"),
        (buying(capability=None), "either agent_id or capability"),
        (buying(agent_id="ticketing"), "either agent_id or capability"),
        (buying("a b"), "cannot be used"),
        (buying(""), "cannot be used"),
        (buying("__x"), "cannot be used"),
        (buying(depends_on=("ghost",)), "depends on 'ghost', which is no task here"),
        (buying(condition="1 +"), "is not valid CEL"),
        (buying(condition="price > 5"), "uses ['price']"),
        (buying(condition="outputs.ghost.x > 1"), "reads ['ghost'], which it does not depend on"),
        (buying(condition="outputs['ghost'].x > 1"), "reads ['ghost']"),
        (buying(input_data={"when": object()}), "not a JSON value"),
        (buying(input_data={"n": float("nan")}), "JSON does not have"),
        (buying(input_data={}), "has no input"),
        (buying(input_data={"text": "x" * 30_000}), "at most 20,000"),
        (buying(condition="true || " * 200 + "true"), "more than 1,000 characters"),
    ],
)
def test_a_task_that_cannot_be_run_is_named(task: ProposedTask, words: str) -> None:
    assert any(words in each for each in problems(task)), problems(task)


def test_task_ids_are_used_once() -> None:
    assert "'book' is used 2 times" in problems(buying(), buying())[0]


def test_a_circle_is_named() -> None:
    found = problems(buying("a", depends_on=("b",)), buying("b", depends_on=("a",)))
    assert any("wait for each other" in each and "a -> b" in each for each in found)


def test_a_plan_has_so_many_tasks_at_most() -> None:
    assert "has 51 tasks" in problems(*(buying(f"t{n}") for n in range(51)))[0]


def test_a_plan_of_nothing_says_why() -> None:
    assert problems_of(Proposal(), team()) == ["it has no tasks, and does not say why"]
    assert problems_of(Proposal(not_understood=("What?",)), team()) == []


def test_a_proposal_becomes_tasks() -> None:
    undo: Any = {"action": "cancel_order"}
    task = buying(depends_on=("a",), condition="true", requires_approval=True, compensate=undo)
    (made,) = tasks_of(Proposal(tasks=(task,)))
    assert (made.task_id, made.capability, made.agent_id) == ("book", "ticket_purchase", None)
    assert (made.input_data, made.depends_on) == (task.input_data, ["a"])
    assert (made.condition, made.requires_approval, made.compensate) == ("true", True, undo)
