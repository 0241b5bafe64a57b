"""A workflow definition: tasks and how they belong together, under a name and a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from state.status import CoordinationStrategy
from state.task import DEFAULT_TURNS

if TYPE_CHECKING:
    from state.budget import Budget
    from state.failure_mode import FailureMode
    from state.task import AgentTask, Condition, Task

Aggregation = str | Callable[..., object]
"""`collect`, `merge`, `first_success`, `majority`, `summary`, or a callable that gets outputs."""
Router = str | Mapping[str, str] | Callable[[dict[str, Any]], str]
"""A CEL expression, a map of CEL conditions to targets, or a callable."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A definition that can be run, drawn, nested into others, and changed under its name.

    Give a new `version` whenever it changes; threads keep the version that they began with.
    """

    name: str
    """Letters, digits, `_`, `-` and `.`."""
    version: str = "1"
    tasks: Sequence[Task] = ()
    strategy: CoordinationStrategy | str = CoordinationStrategy.SEQUENTIAL
    on_failure: FailureMode | str | None = None
    """By default `fail_fast` for a sequence or a cycle, `continue` otherwise."""
    aggregate: Aggregation | None = None
    router: Router | None = None
    """Of a conditional workflow."""
    input_data: Mapping[str, Any] | None = None
    """What the router sees; by default the first task's."""
    supervisor: Router | AgentTask | None = None
    """Of a cyclic workflow: says after each turn whose turn is next, or that it is finished."""
    start: str | None = None
    """Of a cyclic workflow: whose turn is first; by default the supervisor's choice, or the
    first task."""
    until: Condition | None = None
    """Of a cyclic workflow: what ends it, asked after each turn."""
    max_turns: int = DEFAULT_TURNS
    """Of a cyclic workflow."""
    parameters: Mapping[str, Any] | None = None
    """JSON Schema of the parameters of a run, which expressions know as `parameters`."""
    budgets: Sequence[Budget] = ()
    """What a run of it may use up, unless the run has a budget of its own. With some it cannot be
    inside another."""
    description: str = ""
