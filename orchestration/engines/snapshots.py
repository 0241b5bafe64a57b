"""What a checkpoint says of a run: what is known, what it waits for, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from langgraph.types import StateSnapshot

from checkpoints.history import Answers
from state.conversation import answered, brought
from state.errors import CallableLostError
from state.jsonvalue import json_like
from state.outcome import is_finished
from state.plan import own_outcomes
from state.plan_document import INSIDE
from state.result import NOT_REACHED, PendingInterrupt, TaskResult, WorkflowResult, workflow_status
from state.run_state import Outcomes, merge_outcomes
from state.status import TaskStatus

if TYPE_CHECKING:
    from langgraph.types import Interrupt

    from state.jsonvalue import JsonValue
    from state.outcome import Outcome
    from state.plan import Plan
    from state.plan_document import PlanDocument

STATE_KEYS = {"router": "route", "aggregate": "aggregate"}
"""Where the state holds what a callable decided, by the callable's key."""

Next = Literal["start", "continue", "wait", "finished"]


def belongs_to(snapshot: StateSnapshot, plan: Plan) -> bool:
    """Whether the checkpoint is of this run, and not of the thread's run before."""
    document: PlanDocument | None = snapshot.values.get("plan")
    return document is not None and document["run_id"] == plan.run_id


def known_outcomes(snapshot: StateSnapshot) -> Outcomes:
    """Everything durable of a run: the state, and the writes of a superstep under way.

    What became of tasks inside others is left out, until those have an outcome themselves.
    """
    known: Outcomes = dict(snapshot.values.get("outcomes", {}))
    plan = snapshot.values.get("plan")
    for task in snapshot.tasks:
        written = task.result.get("outcomes") if isinstance(task.result, Mapping) else None
        if isinstance(written, Mapping):  # not an `Overwrite`, with which a run begins
            known = merge_outcomes(known, written)
        if isinstance(task.state, StateSnapshot) and _is_of(plan, task.state):
            known = merge_outcomes(known, known_outcomes(task.state))
    return known


def _is_of(plan: PlanDocument | None, state: StateSnapshot) -> bool:
    """Whether a subgraph works on this plan, and not on one inside a task."""
    inner: PlanDocument | None = state.values.get("plan")
    return inner is None or plan is None or inner["run_id"] == plan["run_id"]


def scopes_in(snapshot: StateSnapshot) -> Iterator[tuple[PlanDocument, Outcomes]]:
    """The plans inside tasks that are under way, the outer ones first, with what is known."""
    plan = snapshot.values.get("plan")
    for task in snapshot.tasks:
        if not isinstance(task.state, StateSnapshot):
            continue
        if not _is_of(plan, task.state):
            yield task.state.values["plan"], known_outcomes(task.state)
        yield from scopes_in(task.state)


def with_inner(known: Outcomes, scopes: Iterable[tuple[PlanDocument, Outcomes]]) -> Outcomes:
    """Add what is known inside of tasks that are under way, for whoever looks on."""
    whole: Outcomes = {**known}
    for plan, found in scopes:
        *around, last = plan["run_id"].partition(INSIDE)[2].split(INSIDE)
        place = whole
        for part in around:
            place = place.setdefault(part.partition("#")[0], _under_way({}))["inner"]
        pending = dict.fromkeys(plan["order"], NOT_REACHED)
        place[last.partition("#")[0]] = _under_way({**pending, **own_outcomes(plan, found)})
    return whole


def _under_way(inner: Outcomes) -> Outcome:
    return {"status": TaskStatus.PENDING.value, "attempts": 0, "inner": inner}


def next_step(snapshot: StateSnapshot, plan: Plan) -> Next:
    """Say how a thread goes on.

    A run is over when it has no tasks; `snapshot.next` may be empty before that. Tasks that
    are all done belong to a superstep whose writes were saved, and its checkpoint not.
    """
    if not belongs_to(snapshot, plan):
        return "start"
    if not snapshot.tasks:
        return "finished"
    asking = [task for task in snapshot.tasks if task.interrupts]
    unfinished = [task for task in snapshot.tasks if task.result is None and not task.interrupts]
    return "wait" if asking and not unfinished else "continue"


def pending_interrupts(interrupts: Iterable[Interrupt]) -> tuple[PendingInterrupt, ...]:
    """Say LangGraph's interrupts in the project's terms."""
    pending = []
    for each in interrupts:
        value = json_like(each.value)  # an agent that is a graph may ask with anything
        pending.append(PendingInterrupt(each.id, task_of(value), value))
    return tuple(pending)


def task_of(question: JsonValue) -> str:
    """The task that a question names, or nothing."""
    task_id = question.get("task_id") if isinstance(question, dict) else None
    return task_id if isinstance(task_id, str) else ""


def check_callables(
    thread_id: str, plan: Plan, snapshot: StateSnapshot, here: Mapping[str, object]
) -> None:
    """Return if every Python callable that the rest of the run needs is in this process.

    Raises:
        CallableLostError: Naming each that is not.
    """
    begun = belongs_to(snapshot, plan)
    values: Mapping[str, Any] = snapshot.values if begun else plan.document.get("seed", {})
    known = known_outcomes(snapshot) if begun else values.get("outcomes", {})
    lost = []
    cyclic = "supervision" in plan.document
    for use, document in plan.callables():
        kind, _, path = document["key"].partition(INSIDE)
        task_id = path.partition(INSIDE)[0]
        if task_id:
            done = not cyclic and is_finished(known.get(task_id))
        else:
            done = bool(values.get(STATE_KEYS.get(kind, "")))
        if not done and document["key"] not in here:
            lost.append(use)
    if lost:
        raise CallableLostError(thread_id, lost)


def result_of(
    thread_id: str, plan: Plan, values: Mapping[str, Any], interrupts: Iterable[Interrupt]
) -> WorkflowResult:
    """Sum up what a run came to."""
    outcomes: Outcomes = values.get("outcomes", {})
    pending = pending_interrupts(interrupts)
    ended = (values.get("route") or {}).get("ended")
    return WorkflowResult(
        thread_id,
        workflow_status(plan, outcomes, interrupted=bool(pending), ended=ended),
        tuple([TaskResult(id_, outcomes.get(id_)) for id_ in plan.document["order"]]),
        pending,
        values.get("aggregate"),
        plan.document["waits"],
        error=ended,
        turns=tuple(values.get("turns", ())),
    )


def said_in(plan: Plan, outcomes: Outcomes) -> Answers | None:
    """What a finished run adds to its thread's messages; None if its tasks brought none."""
    if not plan.traits.speaks:
        return None
    before = brought(plan.document)
    return Answers(plan.run_id, len(before), answered(plan.document, outcomes))


def turn_of(plan: Plan, result: WorkflowResult, said: Answers | None) -> Answers | None:
    """What a finished run adds to its thread, with its result where that is kept."""
    if "session" not in plan.document:
        return said
    said = said or Answers(plan.run_id, 0, ())
    return said._replace(result=result.as_json())
