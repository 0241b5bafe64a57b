"""The planner's part for tasks that are made of others: sub-workflows, loops, lists of items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from graph.expressions import planned_expression
from graph.plan_request import Place, PlanRequest, request_of
from graph.planned_task import planned_shell
from nodes.expressions import FOR_ITEMS, IN_TURNS, expression_problem
from state.failure_mode import FailureMode
from state.jsonvalue import NotJsonError, described, json_object
from state.plan_document import INSIDE, MOST_ITEMS
from state.status import CoordinationStrategy
from state.task import ForEach, Repeat, SubWorkflow, Task
from state.workflow import Workflow

if TYPE_CHECKING:
    from graph.plan_request import Draft
    from state.failure_mode import FailureKind
    from state.jsonvalue import JsonValue
    from state.plan_document import ForEachDocument, PlanDocument, PlannedTask, RepeatDocument

    Inside = Callable[[PlanRequest, Draft], PlanDocument]
    """Plans what is inside a task."""

MOST_TURNS: Final = 1000
DEEPEST: Final = 8
"""Plans inside plans; each level is a subgraph inside another."""

Nesting = SubWorkflow | Repeat | ForEach


def planned_nesting(task: Nesting, place: Place, draft: Draft, plan_inside: Inside) -> PlannedTask:
    """Plan a task and what is inside it, noting every problem of both.

    Args:
        task: What the caller gave.
        place: Where it stands.
        draft: Takes the problems.
        plan_inside: Plans a request in the draft of the task.
    """
    planned = planned_shell(task, place, draft)
    inside, knows = _inside(task)
    request = _request(inside, place.id_, draft)
    if request is None:
        return planned
    if isinstance(task, Repeat):
        _refuse_cycle(request, place.id_, draft)
    inner = draft.within(place.id_, planned["upstream"], knows=knows)
    if inner.inside.count(INSIDE) > DEEPEST:
        draft.problem(
            "too_deep", f"task {place.id_!r} is the {DEEPEST + 1}th inside another", place.id_
        )
        return planned
    planned["body"] = plan_inside(request, inner)
    if isinstance(task, Repeat):
        planned["repeat"] = _repeat(task, inner)
    if isinstance(task, ForEach):
        planned["for_each"] = _for_each(task, place.id_, draft)
    return planned


def _inside(task: Nesting) -> tuple[object, frozenset[str]]:
    """What a task is made of, and what expressions know there."""
    match task:
        case SubWorkflow():
            return task.workflow, frozenset()
        case Repeat():
            return task.tasks, IN_TURNS
        case ForEach():
            return task.tasks, FOR_ITEMS


def _request(inside: object, id_: str, draft: Draft) -> PlanRequest | None:
    """What is to be planned inside a task; a list of tasks is a sequence."""
    match inside:
        case Workflow():
            _refuse_budgets(inside, id_, draft)
            return request_of(inside)
        case Task():
            return PlanRequest([inside])
        case Sequence() if not isinstance(inside, str):
            return PlanRequest(inside)
    draft.problem(
        "bad_task",
        f"task {id_!r} has {described(inside)} inside; give a Workflow, or tasks",
        id_,
    )
    return None


def _refuse_budgets(workflow: Workflow, id_: str, draft: Draft) -> None:
    """What a budget allows is counted for runs, and what is inside a task is none."""
    if workflow.budgets:
        draft.problem(
            "budgets_inside",
            f"task {id_!r}: workflow {workflow.name!r}, which it includes, has budgets, and those "
            "are for whole runs; give them to the workflow or run that includes it",
            id_,
        )


def _repeat(task: Repeat, inner: Draft) -> RepeatDocument:
    until = planned_expression(
        task.until, at="the end of the loop", key=inner.key("until"), id_=None, draft=inner
    )
    return {"until": until, "max_turns": planned_turns(task.max_turns, "the loop", inner)}


def planned_turns(wanted: object, whose: str, draft: Draft) -> int:
    """Plan how many turns there may be."""
    if type(wanted) is int and 1 <= wanted <= MOST_TURNS:
        return wanted
    message = f"{whose}: max_turns is {described(wanted)}; give a whole number, 1 to {MOST_TURNS}"
    draft.problem("bad_turns", message)
    return 1


def _refuse_cycle(request: PlanRequest, id_: str, draft: Draft) -> None:
    """A loop and a cycle both count turns, so one plan cannot be both."""
    if request.strategy == CoordinationStrategy.CYCLIC:
        draft.problem(
            "bad_repeat",
            f"task {id_!r} repeats a cyclic workflow, whose own turns these would be; put it "
            "into a task: Repeat([SubWorkflow(...)], ...)",
            id_,
        )


def _for_each(task: ForEach, id_: str, draft: Draft) -> ForEachDocument:
    limit = task.max_concurrency
    if limit is not None and (type(limit) is not int or limit < 1):
        message = f"task {id_!r}: max_concurrency is {described(limit)}; give at least 1, or None"
        draft.problem("bad_concurrency", message, id_)
    items, mode = _items(task.items, id_, draft), _mode(task.on_failure, id_, draft)
    if mode.kind == "quorum" and isinstance(items, list) and mode.needed > len(items):
        message = f"task {id_!r}: quorum({mode.needed}) of {len(items)} items cannot be"
        draft.problem("bad_failure_mode", message, id_)
    return {
        "items": items,
        "single": isinstance(task.tasks, Task),
        "max_concurrency": limit,
        "on_failure": mode.document(),
    }


def _items(wanted: object, id_: str, draft: Draft) -> list[JsonValue] | str:
    at = f"task {id_!r}: items"
    if isinstance(wanted, str):
        if problem := expression_problem(wanted, draft.variables):
            draft.problem("bad_expression", f"{at} is not valid CEL: {problem}", id_)
        return wanted
    if not isinstance(wanted, Sequence) or isinstance(wanted, bytes | bytearray):
        message = f"{at} is {described(wanted)}; give a list, or a CEL expression for one"
        draft.problem("bad_items", message, id_)
        return []
    if len(wanted) > MOST_ITEMS:
        draft.problem("bad_items", f"{at} are {len(wanted):,}; at most {MOST_ITEMS:,}", id_)
    try:
        copied = json_object({"items": list(wanted)}, at=f"task {id_!r}")["items"]
    except NotJsonError as error:
        draft.problem("input_not_json", str(error), id_)
        return []
    return copied if isinstance(copied, list) else []


def _mode(wanted: object, id_: str, draft: Draft) -> FailureMode:
    kinds: dict[object, FailureKind] = {
        "continue": "continue",
        "fail_fast": "fail_fast",
        "all_or_nothing": "all_or_nothing",
    }
    if isinstance(wanted, FailureMode) and (
        wanted.kind in kinds or (type(wanted.needed) is int and wanted.needed >= 1)
    ):
        return wanted
    if isinstance(wanted, str) and wanted in kinds:
        return FailureMode(kinds[wanted])
    draft.problem(
        "bad_failure_mode",
        f"task {id_!r}: on_failure is {described(wanted)}; use one of {list(kinds)} or quorum(n)",
        id_,
    )
    return FailureMode("continue")
