"""What a caller wants of one run, and what the planner finds while it reads that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from state.errors import Problem
from state.failure_mode import FailureMode
from state.jsonvalue import JsonObject, NotJsonError, json_object
from state.plan import Plan
from state.status import CoordinationStrategy
from state.task import AgentTask

if TYPE_CHECKING:
    from nodes.ports import Agents
    from state.workflow import Aggregation, Router


class PlanRequest(NamedTuple):
    """Everything a caller wants of one run."""

    tasks: Sequence[AgentTask]
    strategy: CoordinationStrategy | str = CoordinationStrategy.SEQUENTIAL
    on_failure: FailureMode | str | None = None
    """By default `fail_fast` for a sequence, `continue` otherwise."""
    aggregate: Aggregation | None = None
    router: Router | None = None
    router_input: Mapping[str, Any] | None = None
    tenant: str | None = None
    user: str | None = None


class Planned(NamedTuple):
    """A plan, and the live objects it refers to by key."""

    plan: Plan
    callables: Mapping[str, Callable[..., object]]


@dataclass(slots=True)
class Draft:
    """What the planner has found so far."""

    agents: Agents
    run_id: str
    problems: list[Problem] = field(default_factory=list)
    callables: dict[str, Callable[..., object]] = field(default_factory=dict)

    def problem(self, code: str, message: str, task_id: str | None = None) -> None:
        """Note one more reason why this cannot run."""
        self.problems.append(Problem(code, message, task_id))


def checked_input(value: object, at: str, id_: str | None, draft: Draft) -> JsonObject:
    """Return a copy of input data; a problem is noted where it is no JSON object."""
    try:
        return json_object(value, at=at)
    except NotJsonError as error:
        draft.problem("input_not_json", str(error), id_)
        return {}
