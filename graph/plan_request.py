"""What a caller wants of one run, and what the planner finds while it reads that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

from nodes.expressions import IN_TURNS, VARIABLES
from state.errors import Problem
from state.failure_mode import FailureMode
from state.jsonvalue import JsonObject, NotJsonError, json_object
from state.plan import Plan
from state.plan_document import INSIDE
from state.status import CoordinationStrategy
from state.task import DEFAULT_TURNS

if TYPE_CHECKING:
    from nodes.ports import Agents
    from state.budget import Budget, BudgetDocument
    from state.plan_document import Definition, RequestDocument
    from state.task import AgentTask, Condition, Task
    from state.workflow import Aggregation, Router, Workflow


class PlanRequest(NamedTuple):
    """Everything a caller wants of one run."""

    tasks: Sequence[Task]
    strategy: CoordinationStrategy | str = CoordinationStrategy.SEQUENTIAL
    on_failure: FailureMode | str | None = None
    """By default `fail_fast` for a sequence, `continue` otherwise."""
    aggregate: Aggregation | None = None
    router: Router | None = None
    router_input: Mapping[str, Any] | None = None
    tenant: str | None = None
    user: str | None = None
    supervisor: Router | AgentTask | None = None
    """Of a cyclic plan, as are the next three."""
    start: str | None = None
    until: Condition | None = None
    max_turns: int = DEFAULT_TURNS
    definition: Definition | None = None
    parameters: Mapping[str, Any] | None = None
    request: RequestDocument | None = None
    """What was asked for in plain words, where a planner made the tasks from that."""
    session: bool = False
    retry_budget: int | None = None
    """How often the run may call an agent again; None is no limit."""
    budget: Budget | Sequence[Budget] | None = None
    """What the run may use up."""
    budgets: Sequence[BudgetDocument] = ()
    """The same, where it was planned before."""


def request_of(workflow: Workflow, **of_the_run: Unpack[OfTheRun]) -> PlanRequest:
    """Say a definition as a request."""
    return PlanRequest(
        tasks=workflow.tasks,
        strategy=workflow.strategy,
        on_failure=workflow.on_failure,
        aggregate=workflow.aggregate,
        router=workflow.router,
        router_input=workflow.input_data,
        supervisor=workflow.supervisor,
        start=workflow.start,
        until=workflow.until,
        max_turns=workflow.max_turns,
        definition={"name": workflow.name, "version": workflow.version},
        **of_the_run,
    )


class OfTheRun(TypedDict, total=False):
    """What a request takes that is no definition's."""

    tenant: str | None
    user: str | None
    parameters: Mapping[str, Any] | None
    session: bool
    retry_budget: int | None
    budget: Budget | Sequence[Budget] | None


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
    inside: str = ""
    """The path of the task whose plan this is, with a slash; empty for the whole."""
    visible: Sequence[str] = ()
    """Tasks around it whose outputs its tasks get too."""
    variables: frozenset[str] = VARIABLES
    """What expressions know here."""
    loops: bool = False
    """Whether its tasks are done again and again."""
    in_turns: bool = False
    """Whether they are, or what they are inside of is."""
    budgets: Sequence[BudgetDocument] = ()
    """Of the run as a whole."""

    def problem(self, code: str, message: str, task_id: str | None = None) -> None:
        """Note one more reason why this cannot run."""
        where = f"in {self.inside.rstrip(INSIDE)!r}: " if self.inside else ""
        path = None if task_id is None else self.inside + task_id
        self.problems.append(Problem(code, where + message, path or self.inside[:-1] or None))

    def take_turns(self) -> None:
        """Note that this is the plan of a cycle."""
        self.variables |= IN_TURNS
        self.in_turns = True

    def key(self, kind: str, id_: str = "") -> str:
        """Return the key of a callable: its kind, and the path of the task it is about."""
        path = self.inside + id_
        return f"{kind}{INSIDE}{path}" if path else kind

    def within(self, id_: str, visible: Sequence[str], *, knows: frozenset[str]) -> Draft:
        """Return the draft of the plan inside a task; it shares problems and callables."""
        return Draft(
            self.agents,
            self.run_id,
            self.problems,
            self.callables,
            inside=f"{self.inside}{id_}{INSIDE}",
            visible=visible,
            variables=self.variables | knows,
            loops=knows == IN_TURNS,
            in_turns=self.in_turns or knows == IN_TURNS,
            budgets=self.budgets,
        )


class Place(NamedTuple):
    """Where a task stands among the others."""

    id_: str
    ids: Sequence[str]
    earlier: Sequence[str]
    """Those before it, in the order they were given."""
    needs: list[str]
    strategy: CoordinationStrategy

    def upstream(self, draft: Draft) -> list[str]:
        """The tasks whose outputs it gets."""
        if self.strategy is CoordinationStrategy.SEQUENTIAL:
            own = list(self.ids if draft.loops else self.earlier)
        elif self.strategy is CoordinationStrategy.CYCLIC:
            own = list(self.ids)
        else:
            own = [*self.needs, self.id_] if draft.loops else self.needs
        if not draft.visible:
            return own
        return [*(id_ for id_ in draft.visible if id_ not in self.ids), *own]


def checked_input(value: object, at: str, id_: str | None, draft: Draft) -> JsonObject:
    """Return a copy of input data; a problem is noted where it is no JSON object."""
    try:
        return json_object(value, at=at)
    except NotJsonError as error:
        draft.problem("input_not_json", str(error), id_)
        return {}
