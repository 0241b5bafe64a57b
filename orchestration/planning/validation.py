"""Whether a proposal can be run at all, and how it is said as tasks; pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from graph.plan_request import PlanRequest
from graph.planner import plan
from state.errors import PlanError
from state.status import CoordinationStrategy
from state.task import AgentTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nodes.ports import Agents
    from state.approval import ApprovalPolicy
    from state.proposal import Proposal, ProposedTask

MOST_TASKS: Final = 50
LONGEST_INPUT: Final = 20_000
"""Characters of a task's input as JSON."""
LONGEST_CONDITION: Final = 1_000
_BY_INDEX = re.compile(r"""\b(?:outputs|outcomes)\s*\[\s*(?:"([^"]*)"|'([^']*)')\s*\]""")
_BY_NAME = re.compile(r"\b(?:outputs|outcomes)\s*\.\s*(\w+)\b(?!\s*\()")
_TEXT = re.compile(r"""r?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")


def problems_of(proposal: Proposal, agents: Agents) -> list[str]:
    """Say everything that keeps a proposal from being run; nothing if it can be.

    A proposal without tasks that says what it did not understand has no problem.

    Args:
        proposal: Of whatever planner.
        agents: Knows which agents and capabilities there are, e.g. a registry.
    """
    if not proposal.tasks:
        return [] if proposal.not_understood else ["it has no tasks, and does not say why"]
    if len(proposal.tasks) > MOST_TASKS:
        return [f"it has {len(proposal.tasks)} tasks; a plan has at most {MOST_TASKS}"]
    own = [problem for task in proposal.tasks for problem in _problems_of_size(task)]
    if own:
        return own
    request = PlanRequest(tasks_of(proposal), strategy=CoordinationStrategy.PARALLEL)
    found: list[str] = []
    try:
        plan(request, agents=agents, run_id="proposal")
    except PlanError as error:
        found += [problem.message for problem in error.problems]
    return found + list(_unforeseen(proposal.tasks))


def tasks_of(proposal: Proposal) -> list[AgentTask]:
    """Say a proposal as tasks for a parallel workflow."""
    return [agent_task(task, approval=task.requires_approval) for task in proposal.tasks]


def agent_task(task: ProposedTask, *, approval: ApprovalPolicy | bool) -> AgentTask:
    """Say a proposed task as one to be run."""
    return AgentTask(
        task.agent_id,
        dict(task.input_data),
        task_id=task.task_id,
        capability=task.capability,
        depends_on=list(task.depends_on),
        condition=task.condition,
        requires_approval=approval,
        compensate=task.compensate,
    )


def _problems_of_size(task: ProposedTask) -> Iterator[str]:
    """Check what would take the planner long, or what it does not mind."""
    at = f"task {task.task_id!r}"
    if not task.input_data:
        yield f"{at} has no input; say what its agent is to do"
    try:
        size = len(json.dumps([task.input_data, task.compensate], default=str))
    except (RecursionError, TypeError, ValueError):
        size = 0  # not JSON: the planner says where
    if size > LONGEST_INPUT:
        yield f"{at} has an input of {size:,} characters; at most {LONGEST_INPUT:,} are taken"
    if task.condition is not None and len(task.condition) > LONGEST_CONDITION:
        yield f"{at} has a condition of more than {LONGEST_CONDITION:,} characters"


def _unforeseen(tasks: Sequence[ProposedTask]) -> Iterator[str]:
    """Find conditions over tasks that may not have run by then."""
    needs = {task.task_id: set(task.depends_on) for task in tasks}
    for task in tasks:
        if task.condition is None:
            continue
        before = _all_before(task.task_id, needs)
        if missing := sorted(_tasks_in(task.condition) - before):
            yield (
                f"task {task.task_id!r}: its condition {task.condition!r} reads {missing}, which "
                f"it does not depend on; it depends on {sorted(before)}"
            )


def _all_before(id_: str, needs: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = set(needs[id_])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting |= needs.get(each, set())
    return found


def _tasks_in(condition: str) -> set[str]:
    by_index = {one or other for one, other in _BY_INDEX.findall(condition)}
    return by_index | set(_BY_NAME.findall(_TEXT.sub("''", condition)))
