"""What a graph remembers between supersteps, and how parallel updates are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NotRequired, TypedDict

from state.jsonvalue import JsonObject, JsonValue
from state.outcome import ErrorRecord, Outcome, is_finished
from state.plan_document import PlanDocument
from state.status import TaskStatus


class ApprovalRecord(TypedDict):
    """What was decided about one task."""

    decision: str
    """`approve`, `edit`, `reject` or `respond`; `needless` where nobody had to be asked."""
    message: str
    """Why it is rejected, or the answer in the agent's place."""
    by: NotRequired[str]
    arguments: NotRequired[JsonObject]
    """What the agent gets in place of the task's input, if somebody edited it."""


class RouteRecord(TypedDict, total=False):
    """What the router decided: `chosen`, or why it could not; or how a cycle or loop ended."""

    chosen: str
    error: str
    ended: ErrorRecord
    """Why a cycle or a loop ended before it was done."""


class TurnRecord(TypedDict):
    """One decision in a cyclic plan: whose turn is next, and who said so."""

    turn: int
    """The turn that begins; at the end, the last one."""
    task: str | None
    """Whose turn it is; None at the end."""
    by: str
    """`start`, `handoff`, `supervisor`, `until`, `max_turns`, `failure`, `cancelled` or `end`;
    where a fork begins in the middle of a turn, `resumed`."""
    sender: str
    """Who had the turn before."""
    message: str
    reason: str


Outcomes = dict[str, Outcome]


def merge_outcomes(left: Mapping[str, Outcome], right: Mapping[str, Outcome]) -> Outcomes:
    """Join two sets of outcomes; of one task's two, the later in its life stays.

    Parallel branches write to the same key, subgraphs write back what they were given, and
    a resumed superstep may write again: so this is associative and idempotent.
    """
    merged = dict(left)
    for task_id, outcome in right.items():
        known = merged.get(task_id)
        if known is None or _age(outcome) >= _age(known):
            merged[task_id] = outcome
    return merged


def merge_approvals(
    left: Mapping[str, ApprovalRecord], right: Mapping[str, ApprovalRecord]
) -> dict[str, ApprovalRecord]:
    """Join two sets of decisions; the first decision about a task stays."""
    return {**right, **left}


_AGE: Mapping[str, int] = {TaskStatus.PENDING: 0, TaskStatus.COMPENSATED: 2}


def _age(outcome: Outcome) -> tuple[int, ...]:
    age: tuple[int, ...]
    age = (outcome.get("turn", 0), outcome["attempts"], _AGE.get(outcome["status"], 1))
    if "inner" in outcome:
        age = (*age, sum(map(_undoings, outcome["inner"].values())))
    undoing = outcome.get("compensation")
    return age if undoing is None else (*age, *_age(undoing))


def _undoings(outcome: Outcome) -> int:
    """How far undoing a task and what is inside it has come; it only grows."""
    undoing = outcome.get("compensation")
    own = 0 if undoing is None else 2 * undoing["attempts"] + is_finished(undoing)
    return own + sum(map(_undoings, outcome.get("inner", {}).values()))


class CoreState(TypedDict):
    """The state of a plain sequence; every key is JSON and is checkpointed."""

    plan: PlanDocument
    outcomes: Annotated[Outcomes, merge_outcomes]


class RunState(CoreState):
    """The state where there is an approval, a router or an aggregation too.

    Every key costs time in every superstep, so plain sequences do without.
    """

    approvals: NotRequired[Annotated[dict[str, ApprovalRecord], merge_approvals]]
    route: NotRequired[RouteRecord]
    aggregate: NotRequired[JsonValue]


class CyclicState(RunState):
    """The state of a cyclic plan."""

    turns: NotRequired[list[TurnRecord]]


class CoreOutput(TypedDict):
    """What the graph of a plain sequence hands out."""

    outcomes: Annotated[Outcomes, merge_outcomes]


class BranchOutput(CoreOutput):
    """What a subgraph writes back: only keys with a reducer, as branches run side by side."""

    approvals: NotRequired[Annotated[dict[str, ApprovalRecord], merge_approvals]]


class RunOutput(BranchOutput):
    """What the other graphs hand out."""

    route: NotRequired[RouteRecord]
    aggregate: NotRequired[JsonValue]


class CyclicOutput(RunOutput):
    """What the graph of a cyclic plan hands out."""

    turns: NotRequired[list[TurnRecord]]


class SupervisedState(RunState):
    """The state of the supervisor graph."""

    messages: NotRequired[list[JsonObject]]
    """What is asked; at the end, the answer."""


class SupervisedOutput(RunOutput):
    """What the supervisor graph hands out."""

    messages: NotRequired[list[JsonObject]]


class RunUpdate(TypedDict, total=False):
    """What a node may write."""

    plan: PlanDocument
    outcomes: Outcomes
    approvals: dict[str, ApprovalRecord]
    route: RouteRecord
    aggregate: JsonValue
