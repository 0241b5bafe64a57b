"""Which task is undone next (saga): a pure decision over a plan and its outcomes."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final

from state.outcome import is_finished
from state.plan import foreign_tasks
from state.status import CoordinationStrategy, TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from state.outcome import Outcome
    from state.plan import PlanDocument

UNDOES: Final = frozenset(
    {WorkflowStatus.REJECTED, WorkflowStatus.FAILED, WorkflowStatus.CANCELLED}
)
"""How a workflow must have come out for what it achieved to be undone."""


def next_compensation(
    plan: PlanDocument, outcomes: Mapping[str, Outcome], *, status: WorkflowStatus
) -> str | None:
    """Return the task that is to be undone next; None if nothing is left to undo.

    What finished last is undone first, one task after another. A task is undone if it
    succeeded and says how (`compensate`); one whose compensation finally failed is left.

    Args:
        plan: Says which tasks can be undone.
        outcomes: What became of the tasks, by task id.
        status: How the workflow came out, apart from its compensations.
    """
    if status not in UNDOES or not any(task.get("compensate") for task in plan["tasks"].values()):
        return None
    foreign = foreign_tasks(plan)
    for task_id in reversed(finish_order(plan, outcomes)):
        if task_id in foreign:
            continue
        if plan["tasks"][task_id].get("compensate") and _can_be_undone(outcomes.get(task_id)):
            return task_id
    return None


def uncompensated(outcome: Outcome) -> bool:
    """Whether the task should have been undone and could not be: its effect stands."""
    undoing = outcome.get("compensation")
    return (
        undoing is not None and is_finished(undoing) and outcome["status"] != TaskStatus.COMPENSATED
    )


def finish_order(plan: PlanDocument, outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return the plan's tasks in the order in which they finished.

    Clocks of two machines may differ, so a task never comes before what it builds on,
    whatever its times say. What finished at the same moment comes in plan order.
    """
    place = {task_id: number for number, task_id in enumerate(plan["order"])}
    keys: dict[str, tuple[float, int, int]] = {}
    for task_id, before in _built_on(plan):
        known = [keys[other] for other in before]
        outcome = outcomes.get(task_id)
        finished = 0.0 if outcome is None else outcome.get("finished_at", 0.0)
        keys[task_id] = (
            max([finished, *(moment for moment, _, _ in known)]),
            max([0, *(depth + 1 for _, depth, _ in known)]),
            place[task_id],
        )
    return sorted(keys, key=keys.__getitem__)


def _built_on(plan: PlanDocument) -> Iterator[tuple[str, list[str]]]:
    """Each task with those that were over before it began, these first."""
    order = plan["order"]
    if plan["strategy"] != CoordinationStrategy.PARALLEL:
        for number, task_id in enumerate(order):
            yield task_id, order[max(0, number - 1) : number]
        return
    needs = {task_id: plan["tasks"][task_id]["needs"] for task_id in order}
    for task_id in TopologicalSorter(needs).static_order():
        yield task_id, needs[task_id]


def _can_be_undone(outcome: Outcome | None) -> bool:
    if outcome is None or outcome["status"] != TaskStatus.SUCCEEDED:
        return False
    if not outcome["attempts"]:  # a person answered in the agent's place
        return False
    undoing = outcome.get("compensation")
    return undoing is None or not is_finished(undoing)
