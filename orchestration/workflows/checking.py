"""Checks what a file asks for: agents, expressions, cycles; with the places of problems."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.documents.source import Finding
from orchestration.workflows.parameters import undemanding
from orchestration.workflows.reading import Reader, Reading
from orchestration.workflows.requests import plan_request
from orchestration.workflows.task_names import Places, WholePlace, whole_place
from state.errors import FileProblem, PlanError, WorkflowFileError
from state.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodes.ports import Agents
    from orchestration.documents.source import KeyPath
    from orchestration.workflows.reading import Definitions
    from state.errors import Problem

_OF_A_TASK: Final = {
    "agent_unavailable": ("agent_id", "capability"),
    "bad_approval": ("requires_approval",),
    "bad_concurrency": ("for_each.max_concurrency",),
    "bad_expression": ("condition", "for_each.items", "repeat.until", "input_from"),
    "bad_items": ("for_each.items",),
    "bad_retry": ("retry",),
    "bad_signal": ("wait_for_signal.signal",),
    "bad_task_id": ("task_id",),
    "bad_timeout": ("timeout_seconds",),
    "bad_turns": ("repeat.max_turns",),
    "bad_wait": ("wait",),
    "cycle": ("depends_on",),
    "duplicate_task": ("task_id",),
    "input_not_json": ("input_data",),
    "later_dependency": ("depends_on",),
    "needless_dependency": ("depends_on",),
    "unknown_agent": ("agent_id",),
    "unknown_capability": ("capability",),
    "unknown_dependency": ("depends_on",),
}
"""Keys that a problem of a task may be about; the first that is there."""
_OF_THE_WHOLE: Final = {
    "bad_aggregation": ("aggregate",),
    "bad_expression": ("router", "supervisor", "until"),
    "bad_failure_mode": ("on_failure",),
    "bad_parameters": ("parameters",),
    "bad_turns": ("max_turns",),
    "cycle": ("tasks",),
    "needless_router": ("router",),
    "needless_supervisor": ("supervisor", "start", "until", "max_turns"),
    "no_router": ("router", "strategy"),
    "unknown_start": ("start",),
    "unknown_target": ("router", "supervisor"),
}
_SAID_OF: Final = {
    "the end of the ": "until",
    "the supervisor": "supervisor",
    "start is ": "start",
    "the router": "router",
}
"""How problems of the whole say which key they are about."""
_CIRCLE: Final = re.compile(r"these tasks wait for each other: (\S+)")


def check_file(file: str, *, agents: Agents, workflows: Definitions | None = None) -> Workflow:
    """Read a workflow file and check that it could run, without running anything.

    Args:
        file: Its path.
        agents: Knows which agents and capabilities there are.
        workflows: Finds workflows that it includes by name; by default `get_workflows()`.

    Raises:
        WorkflowFileError: With every problem, also those of the files that it includes.
    """
    reading = Reader(workflows).read(file)
    problems = [*reading.problems]
    if reading.workflow is not None:
        problems += _planning(reading, reading.workflow, agents)
    if problems or reading.workflow is None:
        raise WorkflowFileError(file, in_order(problems, file))
    return reading.workflow


def in_order(problems: Iterable[FileProblem], file: str) -> list[FileProblem]:
    """Sort problems by their places, those of the file itself first."""

    def place(problem: FileProblem) -> tuple[bool, str, int, int]:
        return problem.file != file, problem.file, problem.line or 0, problem.column or 0

    return sorted(dict.fromkeys(problems), key=place)


def _planning(reading: Reading, workflow: Workflow, agents: Agents) -> list[FileProblem]:
    from graph.planner import plan  # noqa: PLC0415  nothing else here needs it

    request = plan_request(undemanding(workflow), options={"tenant": "check"})  # of any tenant
    try:
        plan(request, agents=agents, run_id="check")
    except PlanError as error:
        places = Places(reading)
        return [_placed(problem, reading, places) for problem in error.problems]
    return []


def _placed(problem: Problem, reading: Reading, places: Places) -> FileProblem:
    """Say a problem of a plan with its place in a file."""
    about, message = problem.task_id, _one_line(problem.message)
    if about is None and (circle := _CIRCLE.search(problem.message)):
        about = circle[1]
    twice = problem.code == "duplicate_task"
    place = None if about is None else places.find(about, last=twice)
    if place is None or str(about).endswith("/"):
        level = WholePlace(reading, ()) if place is None else whole_place(place)
        keys = [key for words, key in _SAID_OF.items() if words in message]
        path = _first_there(*level, [*keys, *_OF_THE_WHOLE.get(problem.code, ())], message)
        return level.reading.source.problem(Finding(path, message))
    keys = [*_OF_A_TASK.get(problem.code, ())]
    if "the compensation of task" in message:
        keys = ["compensate"]
    path = _first_there(place.reading, place.path, keys, message)
    return place.reading.source.problem(Finding(path, message))


def _one_line(message: str) -> str:
    """Leave out the lines in which CEL shows the expression again."""
    lines = [line for line in message.splitlines() if not line.startswith("| ")]
    return " ".join(" ".join(lines).split())


def _first_there(reading: Reading, path: KeyPath, keys: Iterable[str], message: str) -> KeyPath:
    """The first of some keys that the file has; one that the message names comes before."""
    there = [
        full for full in ((*path, *key.split(".")) for key in keys) if full in reading.source.spots
    ]
    named = [full for full in there if re.search(rf"\b{full[-1]}\b", message)]
    return next(iter([*named, *there]), path)
