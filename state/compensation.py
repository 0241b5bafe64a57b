"""Which task is undone next (saga): a pure decision over a plan and its outcomes."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final

from state.outcome import is_finished
from state.plan import foreign_tasks
from state.plan_document import INSIDE
from state.status import CoordinationStrategy, TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from state.outcome import Outcome
    from state.plan_document import PlanDocument, PlannedTask

UNDOES: Final = frozenset(
    {WorkflowStatus.REJECTED, WorkflowStatus.FAILED, WorkflowStatus.CANCELLED}
)
"""How a workflow must have come out for what it achieved to be undone."""


def next_compensation(
    plan: PlanDocument, outcomes: Mapping[str, Outcome], *, status: WorkflowStatus
) -> str | None:
    """Return the path of the task that is to be undone next; None if nothing is left to undo.

    What finished last is undone first, one task after another. A task is undone if it
    succeeded and says how (`compensate`); one whose compensation finally failed is left. Of a
    task that is made of others and does not say how, those are undone.

    Args:
        plan: Says which tasks can be undone.
        outcomes: What became of the tasks, by task id.
        status: How the workflow came out, apart from its compensations.
    """
    if status not in UNDOES:
        return None
    if not any(task.get("compensate") or "body" in task for task in plan["tasks"].values()):
        return None
    return _next_of(plan, outcomes, left_out=foreign_tasks(plan))


def _next_of(
    plan: PlanDocument, outcomes: Mapping[str, Outcome], *, left_out: Collection[str] = ()
) -> str | None:
    for task_id in reversed(finish_order(plan, outcomes)):
        outcome = outcomes.get(task_id)
        if outcome is None or task_id in left_out:
            continue
        task = plan["tasks"][task_id]
        if task.get("compensate") and _succeeded(outcome):  # wins over what is inside
            if _can_be_undone(outcome):
                return task_id
        elif (inside := _next_inside(task, outcome)) is not None:
            return f"{task_id}{INSIDE}{inside}"
    return None


def _next_inside(task: PlannedTask, outcome: Outcome) -> str | None:
    """The path, from the task on, of what is undone next inside it."""
    if "body" not in task or "repeat" in task or "inner" not in outcome:
        return None  # of a loop only the last turn is known
    inner = outcome["inner"]
    if "for_each" not in task:
        return _next_of(task["body"], inner)
    for number in sorted(inner, key=lambda each: _finish(inner[each], each), reverse=True):
        found = _next_of(task["body"], inner[number].get("inner", {}))
        if found is not None:
            return f"{number}{INSIDE}{found}"
    return None


def _finish(item: Outcome, number: str) -> tuple[float, int]:
    return item.get("finished_at", 0.0), int(number)


def place_of(
    plan: PlanDocument, outcomes: Mapping[str, Outcome], path: str
) -> tuple[PlannedTask, str, Mapping[str, Outcome]]:
    """Find what is to be undone.

    Returns:
        The task as planned, the run id of the plan it is in, and the outcomes there.
    """
    document, run_id = plan, plan["run_id"]
    task_id, inside, left = path.partition(INSIDE)
    while inside:
        task = document["tasks"][task_id]
        outcomes, run_id = outcomes[task_id]["inner"], f"{run_id}{INSIDE}{task_id}"
        if "for_each" in task:
            number, _, left = left.partition(INSIDE)
            outcomes, run_id = outcomes[number]["inner"], f"{run_id}{INSIDE}{number}"
        document = task["body"]
        task_id, inside, left = left.partition(INSIDE)
    return document["tasks"][task_id], run_id, outcomes


def with_undoing(
    plan: PlanDocument, outcomes: Mapping[str, Outcome], path: str, undoing: Outcome
) -> dict[str, Outcome]:
    """Return outcomes after an attempt to undo the task at a path.

    What is made of others is `compensated` once everything in it is that can be.
    """
    task_id, inside, left = path.partition(INSIDE)
    task, outcome = plan["tasks"][task_id], outcomes[task_id]
    if not inside:
        changed: Outcome = {**outcome, "compensation": undoing}
        if undoing["status"] == TaskStatus.SUCCEEDED:
            changed["status"] = TaskStatus.COMPENSATED.value
    elif "for_each" in task:
        number, _, left = left.partition(INSIDE)
        item = outcome["inner"][number]
        inner = with_undoing(task["body"], item["inner"], left, undoing)
        item = _around(item, inner, more=_next_of(task["body"], inner) is not None)
        items: Outcome = {**outcome, "inner": {**outcome["inner"], number: item}}
        changed = _around(outcome, items["inner"], more=_next_inside(task, items) is not None)
    else:
        inner = with_undoing(task["body"], outcome["inner"], left, undoing)
        changed = _around(outcome, inner, more=_next_of(task["body"], inner) is not None)
    return {**outcomes, task_id: changed}


def _around(outcome: Outcome, inner: dict[str, Outcome], *, more: bool) -> Outcome:
    changed: Outcome = {**outcome, "inner": inner}
    if not more and _succeeded(outcome) and not _stands_inside(inner):
        changed["status"] = TaskStatus.COMPENSATED.value
    return changed


def _stands_inside(inner: Mapping[str, Outcome]) -> bool:
    """Whether anything inside should have been undone and could not be."""
    return any(
        uncompensated(outcome) or _stands_inside(outcome.get("inner", {}))
        for outcome in inner.values()
    )


def undoing_begun(outcome: Outcome) -> bool:
    """Whether anybody began to undo the task, or anything inside it."""
    return "compensation" in outcome or any(map(undoing_begun, outcome.get("inner", {}).values()))


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


def _succeeded(outcome: Outcome) -> bool:
    return outcome["status"] in {TaskStatus.SUCCEEDED, TaskStatus.COMPENSATED}


def _can_be_undone(outcome: Outcome) -> bool:
    if outcome["status"] != TaskStatus.SUCCEEDED:
        return False
    if not outcome["attempts"]:  # a person answered in the agent's place
        return False
    undoing = outcome.get("compensation")
    return undoing is None or not is_finished(undoing)
