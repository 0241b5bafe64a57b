"""A validated plan: JSON all through, so that it can be stored, compared and resumed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, NotRequired, TypedDict

from state.approval import PolicyDocument
from state.failure_mode import FailureModeDocument
from state.jsonvalue import JsonObject
from state.outcome import Outcome
from state.retry import RetryDocument
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

PLAN_SCHEMA = 2
"""Version of the documents below; stored with every plan."""

AGGREGATE, COMPENSATE, ROUTER, LOADER = "aggregate", "compensate", "router", "plan"
RESERVED_NODES = frozenset({AGGREGATE, COMPENSATE, ROUTER, LOADER})
"""Names of nodes that are no task."""


class CelDocument(TypedDict):
    """An expression in the Common Expression Language."""

    kind: Literal["cel"]
    expression: str


class CallableDocument(TypedDict):
    """A Python callable, found by its key in the process that started the thread."""

    kind: Literal["callable"]
    key: str
    """Unique within the plan, e.g. `condition/finance`."""
    name: str
    takes_argument: bool


class MapDocument(TypedDict):
    """CEL expressions tried in order; the first that holds gives its target."""

    kind: Literal["map"]
    cases: list[list[str]]
    """Pairs of expression and target."""


ExpressionDocument = CelDocument | CallableDocument
RouterDocument = CelDocument | CallableDocument | MapDocument


class AggregateDocument(TypedDict):
    """How the outputs become one value."""

    kind: Literal["collect", "merge", "first_success", "majority", "callable"]
    callable: NotRequired[CallableDocument]


class Work(TypedDict):
    """What an agent is to be called for: a task, or the compensation of one."""

    agent: str | None
    capability: str | None
    input: JsonObject
    timeout_seconds: float | None
    retry: RetryDocument | None


class PlannedTask(Work):
    """One task of a plan."""

    id: str
    needs: list[str]
    """Tasks that must not have failed."""
    upstream: list[str]
    """Tasks whose outputs the agent gets."""
    condition: ExpressionDocument | None
    approval: PolicyDocument | bool | None
    """Read it with `policy_of`: plans of schema 1 only say whether one is needed."""
    compensate: NotRequired[Work]
    """How to undo it; only there where it can be."""


class Region(TypedDict):
    """A part of a plan's shape.

    `task` is a leaf. `series` runs its parts one after another, `parallel` all at once and
    without waiting for each other; the tasks of a `mesh` cannot be told apart like that.
    """

    kind: Literal["task", "series", "parallel", "mesh"]
    tasks: list[str]
    """Every task in it, in plan order."""
    parts: NotRequired[list[Region]]


class Seed(TypedDict):
    """What a run begins with that is a fork of another."""

    outcomes: dict[str, Outcome]
    route: NotRequired[dict[str, str]]


class PlanDocument(TypedDict):
    """A whole plan, as it stands in the state and in the thread's row."""

    schema: int
    run_id: str
    strategy: str
    """A `CoordinationStrategy`, as plain text."""
    order: list[str]
    tasks: dict[str, PlannedTask]
    layout: Region
    waits: dict[str, list[str]]
    """Which task will wait for which others without building on them."""
    on_failure: FailureModeDocument
    aggregate: AggregateDocument | None
    router: RouterDocument | None
    router_input: JsonObject | None
    tenant: str | None
    user: str | None
    seed: NotRequired[Seed]
    """There only in a fork; what it holds is not done again."""
    history: NotRequired[list[JsonObject]]
    """The thread's last messages; only in the state, and only where there are some."""


class PlanTraits(NamedTuple):
    """What a plan's tasks have in common."""

    asks: bool
    """Whether anybody may have to approve something."""
    compensates: bool
    """Whether any task can be undone."""
    speaks: bool
    """Whether any task brings messages."""
    attempts: int
    """How many calls of agents it can take at most, compensations included."""
    nodes: Hashable
    """The part of its shape that is each task's own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A validated plan. Treat `document` as frozen: runs and checkpoints share it."""

    document: PlanDocument
    _traits: PlanTraits | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def run_id(self) -> str:
        """The run this plan was made for; part of every idempotency key."""
        return self.document["run_id"]

    @property
    def strategy(self) -> CoordinationStrategy:
        """Which graph it is compiled into."""
        return CoordinationStrategy(self.document["strategy"])

    def tasks(self) -> Iterator[PlannedTask]:
        """The tasks in the order they were given."""
        return (self.document["tasks"][id_] for id_ in self.document["order"])

    @property
    def traits(self) -> PlanTraits:
        """What is often asked of it, found out once."""
        if self._traits is None:
            object.__setattr__(self, "_traits", _traits_of(self.document))
        assert self._traits is not None  # noqa: S101  as it was set just now
        return self._traits

    def is_plain(self) -> bool:
        """Whether it needs the least state: no approval, router, aggregation or compensation."""
        document, traits = self.document, self.traits
        return (
            document["aggregate"] is None
            and document["router"] is None
            and not traits.asks
            and not traits.compensates
        )

    def shape(self) -> Hashable:
        """What the compiled graph depends on; plans of equal shape share one graph."""
        document = self.document
        layout = (
            None
            if document["strategy"] != CoordinationStrategy.PARALLEL
            else _region_shape(document["layout"], document["tasks"])
        )
        ending = (document["aggregate"] is not None, self.traits.compensates)
        return (document["strategy"], self.traits.nodes, layout, ending)

    def signature(self) -> str:
        """Hash of the definition: equal for plans that differ only in run, tenant and user."""
        definition = {
            key: value
            for key, value in self.document.items()
            if key not in {"run_id", "tenant", "user", "seed", "history"}
        }
        text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def callables(self) -> Iterator[tuple[str, CallableDocument]]:
        """Each Python callable the plan needs, with the words for its use."""
        for task in self.tasks():
            condition = task["condition"]
            if condition is not None and condition["kind"] == "callable":
                yield f"the condition of task {task['id']!r}", condition
        router = self.document["router"]
        if router is not None and router["kind"] == "callable":
            yield "the router", router
        aggregate = self.document["aggregate"]
        if aggregate is not None and "callable" in aggregate:
            yield "the aggregation", aggregate["callable"]


def asks_first(task: PlannedTask) -> bool:
    """Whether something is to be found out before anybody is asked to approve the task."""
    approval = task["approval"]
    threshold = isinstance(approval, dict) and approval["when"] is not None
    return bool(approval) and (threshold or task["condition"] is not None)


def _traits_of(document: PlanDocument) -> PlanTraits:
    """Look at every task once."""
    asks = compensates = speaks = False
    attempts = 0
    nodes: list[tuple[object, ...]] = []
    for id_ in document["order"]:
        task = document["tasks"][id_]
        retry, approval, undo = task["retry"], task["approval"], task.get("compensate")
        attempts += 1 if retry is None else retry["max_attempts"]
        if undo is not None:
            compensates = True
            attempts += undo["retry"]["max_attempts"] if undo["retry"] else 1
        if approval:
            asks = True
            nodes.append((id_, retry is not None, asks_first(task)))
        else:
            nodes.append((id_, retry is not None))
        speaks = speaks or "messages" in task["input"]
    return PlanTraits(asks, compensates, speaks, attempts, tuple(nodes))


def _region_shape(region: Region, tasks: Mapping[str, PlannedTask]) -> Hashable:
    if region["kind"] == "task":
        return region["tasks"][0]
    if region["kind"] == "mesh":  # built from who needs whom
        return ("mesh", *((id_, *tasks[id_]["needs"]) for id_ in region["tasks"]))
    return (region["kind"], *(_region_shape(part, tasks) for part in region["parts"]))
