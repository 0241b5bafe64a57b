"""What happens in a run, as a stream of events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from state.compensation import next_compensation, place_of
from state.jsonvalue import json_object
from state.outcome import is_finished
from state.plan import is_stale, own_outcomes, path_of
from state.plan_document import AGAIN, COMPENSATE, CYCLIC_NODES, ENTER, INSIDE, ITEM
from state.result import TaskResult, settled_status
from state.waiting import asked_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import Outcome
    from state.plan import Plan
    from state.plan_document import PlanDocument
    from state.run_state import Outcomes, TurnRecord

EventKind = Literal[
    "run_started",
    "turn_started",
    "turns_ended",
    "task_started",
    "token",
    "task_retrying",
    "task_finished",
    "task_waiting",
    "approval_requested",
    "compensation_started",
    "compensation_retrying",
    "compensation_finished",
    "run_finished",
]


@dataclass(frozen=True, slots=True)
class WorkflowEvent:
    """One thing that happened; `sequence` counts from 1 within the stream."""

    sequence: int
    kind: EventKind
    thread_id: str
    task_id: str = ""
    """Of a task inside others its path, e.g. `offers/3/price` or `talk#2/buyer`."""
    data: JsonObject = field(default_factory=dict)
    """`run_started`: `order`, `strategy`. `turn_started`, `turns_ended`: `turn` and `by`, and of
    a cycle a `TurnRecord`. `task_started`, `compensation_started`: `attempt`. `token`: `text`,
    a piece of what the agent answers, in order; another attempt begins anew. `task_finished`,
    `task_retrying`, `compensation_finished`, `compensation_retrying`: a `TaskResult`.
    `task_waiting`: `due_at` (seconds since the epoch) and `signal`, each may be none.
    `approval_requested`: `id`, `value`. `run_finished`: the `WorkflowResult`. What happens in a
    turn has `turn` too."""

    def as_json(self) -> JsonObject:
        """The event as a JSON object."""
        return {
            "sequence": self.sequence,
            "kind": self.kind,
            "thread_id": self.thread_id,
            "task_id": self.task_id,
            "data": self.data,
        }


class Piece(NamedTuple):
    """A piece of an agent's text."""

    path: str
    """Of its task."""
    text: str


class EventTranslator:
    """Says LangGraph's `tasks` stream in the project's terms, each fact once.

    A subgraph's node reports again what its inner nodes did; what was said is left out. Whose
    plan a node works on stands in what it was given, so that is kept until the node ends.
    """

    def __init__(self, thread_id: str, plan: Plan) -> None:
        self._thread_id = thread_id
        self._plan = plan
        self._count = 0
        self._told: set[tuple[str, str, int, int]] = set()
        self._begun: dict[str, Begun] = {}

    def event(
        self, kind: EventKind, task_id: str = "", data: JsonObject | None = None
    ) -> WorkflowEvent:
        """Number the next event."""
        self._count += 1
        return WorkflowEvent(self._count, kind, self._thread_id, task_id, data or {})

    def translate(self, payload: dict[str, Any]) -> Iterator[WorkflowEvent]:
        """Say one payload of the `tasks` stream as events; often as none."""
        if "triggers" in payload:
            yield from self._started(payload)
            return
        begun = self._begun.pop(payload["id"], None)
        if begun is not None:
            yield from self._finished(payload, begun)
        for interrupt in payload.get("interrupts", ()):
            value = interrupt["value"]
            if _is_wait(self._plan, value):  # it was said when the wait began
                continue
            task_id = value.get("task_id", "") if isinstance(value, dict) else ""
            if self._is_new("interrupt", interrupt["id"], 0):
                data: JsonObject = {"id": interrupt["id"], "value": value}
                yield self.event("approval_requested", task_id, data)

    def _started(self, payload: dict[str, Any]) -> Iterator[WorkflowEvent]:
        name, given = payload["name"], payload["input"]
        plan = self._plan_in(given)
        if plan is None:  # a node of a graph that is an agent
            return
        outcomes: Outcomes = given.get("outcomes", {})
        undoes = _undone_next(plan, outcomes) if name == COMPENSATE else None
        self._begun[payload["id"]] = Begun(plan, undoes)
        if undoes is not None:
            task, _, around = place_of(plan, outcomes, undoes)
            attempt = _attempts(around[task["id"]].get("compensation")) + 1
            path = path_of(plan, undoes)
            if self._is_new("undo", path, attempt):
                yield self.event("compensation_started", path, {"attempt": attempt})
        elif name in plan["tasks"]:
            known = outcomes.get(name)
            stale = known is not None and is_stale(known, plan)
            attempt, path = 1 if stale else _attempts(known) + 1, path_of(plan, name)
            if self._is_new("start", path, attempt, turn=plan.get("turn", 0)):
                yield self.event("task_started", path, {"attempt": attempt, **_turn(plan)})

    def _finished(self, payload: dict[str, Any], begun: Begun) -> Iterator[WorkflowEvent]:
        name, result = payload["name"], payload.get("result")
        outcomes = result.get("outcomes", {}) if isinstance(result, dict) else {}
        if not isinstance(outcomes, dict):  # an `Overwrite`: the node around says it again
            outcomes = {}
        if name == COMPENSATE:
            yield from self._undone(begun, outcomes)
        elif name.endswith(ITEM):
            yield from self._items_ended(begun.plan, outcomes)
        else:
            yield from self._ended(begun.plan, outcomes)
        if isinstance(result, dict):
            yield from self._turned(name, result, begun.plan)

    def _ended(self, plan: PlanDocument, outcomes: Outcomes) -> Iterator[WorkflowEvent]:
        for task_id, outcome in outcomes.items():
            if task_id not in plan["tasks"] or is_stale(outcome, plan):
                continue  # it shows through from around the plan, or from an earlier turn
            path, waits = path_of(plan, task_id), _wait_begun(plan, task_id, outcome)
            if waits is None:
                yield from self._end(path, outcome, _turn(plan))
            elif self._is_new("wait", path, 0, turn=outcome.get("turn", 0)):
                yield self.event("task_waiting", path, {**waits, **_turn(plan)})

    def _items_ended(self, plan: PlanDocument, outcomes: Outcomes) -> Iterator[WorkflowEvent]:
        """Tell of items; of a single task's, that task was told of."""
        if plan["scope"].get("single"):
            return
        path = plan["run_id"].partition(INSIDE)[2]
        for outcome in outcomes.values():
            yield from self._end(path, outcome, _turn(plan))

    def _end(self, path: str, outcome: Outcome, turn: JsonObject) -> Iterator[WorkflowEvent]:
        kind: EventKind = "task_finished" if is_finished(outcome) else "task_retrying"
        if self._is_new(kind, path, outcome["attempts"], turn=outcome.get("turn", 0)):
            yield self.event(kind, path, {**TaskResult(path, outcome).as_json(), **turn})

    def _undone(self, begun: Begun, outcomes: Outcomes) -> Iterator[WorkflowEvent]:
        if begun.undoes is None or not outcomes:
            return
        task, _, around = place_of(begun.plan, outcomes, begun.undoes)
        outcome, path = around[task["id"]], path_of(begun.plan, begun.undoes)
        undoing = outcome["compensation"]
        kind: EventKind = (
            "compensation_finished" if is_finished(undoing) else "compensation_retrying"
        )
        if self._is_new(kind, path, undoing["attempts"]):
            yield self.event(kind, path, TaskResult(path, outcome).as_json())

    def _turned(
        self, name: str, result: dict[str, Any], before: PlanDocument
    ) -> Iterator[WorkflowEvent]:
        """Tell of a turn that begins: of a cycle with who has it and why, of a loop its number."""
        if "turns" in result and name in CYCLIC_NODES:
            record: TurnRecord = result["turns"][-1]
            data = json_object(record, at="turn")
            if record["task"] is None:
                yield self.event("turns_ended", before["run_id"].partition(INSIDE)[2], data)
            else:
                yield self.event("turn_started", path_of(before, record["task"]), data)
        plan = result.get("plan")
        if plan is not None and "repeat" in plan and name.endswith((ENTER, AGAIN)):
            path = plan["run_id"].partition(INSIDE)[2].rpartition("#")[0]
            yield self.event("turn_started", path, {"turn": plan["turn"], "by": "loop"})

    def _plan_in(self, given: object) -> PlanDocument | None:
        """The plan that a node was given; None where it is no node of this run."""
        plan = given.get("plan") if isinstance(given, dict) else None
        if not isinstance(plan, dict) or "run_id" not in plan:
            return None
        whole = str(plan["run_id"]).partition(INSIDE)[0]
        return cast("PlanDocument", plan) if whole == self._plan.run_id else None

    def _is_new(self, kind: str, name: str, number: int, *, turn: int = 0) -> bool:
        key = (kind, name, number, turn)
        if key in self._told:
            return False
        self._told.add(key)
        return True


class Begun(NamedTuple):
    """What a node was given that runs now."""

    plan: PlanDocument
    undoes: str | None
    """The path of the task that it undoes."""


def _wait_begun(plan: PlanDocument, task_id: str, outcome: Outcome) -> JsonObject | None:
    """What a task waits for that has just begun to; None if this is something else."""
    wait = plan["tasks"][task_id].get("wait")
    if wait is None or is_finished(outcome):
        return None
    name = wait["signal"] if wait["kind"] == "signal" else None
    return {"due_at": outcome.get("next_due_at"), "signal": name}


def _is_wait(plan: Plan, value: JsonValue) -> bool:
    """Whether an interrupt is the wait of a task, and so asks nobody."""
    task_id = value.get("task_id") if isinstance(value, dict) else None
    task = plan.task_at(task_id) if isinstance(task_id, str) else None
    return task is not None and asked_by(task, value) is not None


def _undone_next(plan: PlanDocument, outcomes: Outcomes) -> str | None:
    """Say which task the compensation node begins to undo; it decides as is done here."""
    own = own_outcomes(plan, outcomes)
    return next_compensation(plan, own, status=settled_status(plan, own))


def _attempts(known: Outcome | None) -> int:
    return 0 if known is None else known["attempts"]


def _turn(plan: PlanDocument) -> JsonObject:
    return {"turn": plan["turn"]} if "turn" in plan else {}
