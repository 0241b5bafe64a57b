"""A validated plan: JSON all through, so that it can be stored, compared and resumed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from state.jsonvalue import JsonObject
from state.outcome import Outcome
from state.plan_document import (
    INSIDE,
    CallableDocument,
    ExpressionDocument,
    PlanDocument,
    PlannedTask,
    Region,
    RepeatDocument,
    RouterDocument,
)
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping


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
    nests: bool = False
    """Whether any task is made of others."""
    waits: bool = False
    """Whether any task waits for a time or a signal."""
    beside: bool = False
    """Whether anything that may be asked can be asked while other tasks run."""
    wrapped: bool = False
    """Whether any task says what is to run around its call: cache, compression, context."""


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
            and not traits.nests
            and "supervision" not in document
            and not self._has_decisions()
        )

    def _has_decisions(self) -> bool:
        """Whether a person decided about any of its tasks before it was upgraded."""
        return "seed" in self.document and bool(self.document["seed"].get("approvals"))

    def shape(self) -> Hashable:
        """What the compiled graph depends on; plans of equal shape share one graph."""
        document = self.document
        layout = (
            None
            if document["strategy"] != CoordinationStrategy.PARALLEL
            else _region_shape(document["layout"], document["tasks"])
        )
        ending = (
            document["aggregate"] is not None,
            self.traits.compensates,
            supervised(document),
            self._has_decisions(),  # for which the state has a key
        )
        return (document["strategy"], self.traits.nodes, layout, ending)

    def signature(self) -> str:
        """Hash of the definition: equal for plans that differ only in run, tenant and user."""
        text = json.dumps(_definition(self.document), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def task_at(self, path: str) -> PlannedTask | None:
        """Find a task by its path, e.g. `offers/3/review` or `talk#2/buyer`; None if unknown."""
        document, left = self.document, path.split(INSIDE)
        while True:
            task = document["tasks"].get(left[0].partition("#")[0])
            if task is None or len(left) == 1:
                return task
            if "body" not in task:
                return None
            inside = 2 if "for_each" in task else 1  # the number of the item comes first
            document, left = task["body"], left[inside:]
            if not left:
                return None

    def callables(self) -> Iterator[tuple[str, CallableDocument]]:
        """Each Python callable the plan needs, with the words for its use."""
        return _callables(self.document, "")


def supervised(document: PlanDocument) -> bool:
    """Whether a supervisor decides whose turn it is."""
    supervision = document.get("supervision")
    if supervision is None:
        return False
    return supervision["router"] is not None or supervision["agent"] is not None


def path_of(document: PlanDocument, task_id: str) -> str:
    """The path of a task, where it stands inside others."""
    return path_in(document["run_id"], task_id)


def path_in(run_id: str, task_id: str) -> str:
    """The path of a task, by the run id of the plan in which it stands."""
    _, inside, path = run_id.partition(INSIDE)
    return f"{path}{INSIDE}{task_id}" if inside else task_id


def is_stale(outcome: Outcome, plan: PlanDocument) -> bool:
    """Whether an outcome is of an earlier turn."""
    return outcome.get("turn", 0) < plan.get("turn", 0)


def foreign_tasks(plan: PlanDocument) -> Collection[str]:
    """The tasks that another run did, of which this one is a fork."""
    if "seed" not in plan:
        return ()
    seed = plan["seed"]
    return seed.get("foreign", seed["outcomes"])


def own_outcomes(plan: PlanDocument, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The outcomes of a plan's own tasks, without what shows through from around it."""
    return {id_: outcomes[id_] for id_ in plan["order"] if id_ in outcomes}


def in_turn(outcome: Outcome, plan: PlanDocument) -> Outcome:
    """Return an outcome as one of the plan's present turn."""
    return {**outcome, "turn": plan["turn"]} if "turn" in plan else outcome


def asks_first(task: PlannedTask) -> bool:
    """Whether something is to be found out before anybody is asked to approve the task."""
    approval = task["approval"]
    threshold = isinstance(approval, dict) and approval["when"] is not None
    return bool(approval) and (threshold or task["condition"] is not None)


_OF_A_RUN = frozenset(
    {
        "run_id",
        "tenant",
        "user",
        "seed",
        "history",
        "definition",
        "parameters",
        "request",
        "session",
        "retry_budget",
        "budgets",
        "schema",
        "turn",
        "current",
        "handoff",
    }
)


def _definition(document: PlanDocument) -> JsonObject:
    """What of a plan is the definition's, and no single run's."""
    definition: dict[str, Any] = {
        key: value for key, value in document.items() if key not in _OF_A_RUN
    }
    if any("body" in task for task in document["tasks"].values()):
        definition["tasks"] = {
            id_: {**task, "body": _definition(task["body"])} if "body" in task else task
            for id_, task in document["tasks"].items()
        }
    return definition


def _callables(document: PlanDocument, inside: str) -> Iterator[tuple[str, CallableDocument]]:
    for use, expression in _expressions(document, inside):
        if expression is not None and expression["kind"] == "callable":
            yield use, expression
    aggregate = document["aggregate"]
    if aggregate is not None and "callable" in aggregate:
        yield f"the aggregation{_of(inside)}", aggregate["callable"]
    for id_, task in document["tasks"].items():
        if "body" in task:
            yield from _callables(task["body"], f"{inside}{id_}{INSIDE}")


def _expressions(
    document: PlanDocument, inside: str
) -> Iterator[tuple[str, RouterDocument | ExpressionDocument | None]]:
    """What may be a callable in a plan, with the words for its use."""
    for id_ in document["order"]:
        task = document["tasks"][id_]
        yield f"the condition of task {inside + id_!r}", task["condition"]
        if "repeat" in task:
            yield f"the end of the loop {inside + id_!r}", task["repeat"]["until"]
    yield f"the router{_of(inside)}", document["router"]
    if "supervision" in document:
        yield f"the supervisor{_of(inside)}", document["supervision"]["router"]
        yield f"the end of the cycle{_of(inside)}", document["supervision"]["until"]


def _of(inside: str) -> str:
    return f" of {inside.rstrip(INSIDE)!r}" if inside else ""


def _traits_of(document: PlanDocument) -> PlanTraits:
    """Look at every task once."""
    asks = compensates = nests = waits = beside = wrapped = False
    speaks = "request" in document
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
        if "budgeted" in task:
            asks = True
            nodes.append(("budget",))
        if "body" in task:
            nests = True
            inner = Plan(task["body"])
            traits = inner.traits
            nodes.append((_kind(task), inner.shape()))
            asks, waits = asks or traits.asks, waits or traits.waits
            compensates = compensates or traits.compensates
            beside = beside or traits.beside or (traits.asks and "for_each" in task)
            wrapped = wrapped or traits.wrapped
            attempts += (traits.attempts + 2) * task.get("repeat", _ONCE)["max_turns"]
        elif "wait" in task:
            asks = waits = True
            nodes.append(("wait", task["wait"]["kind"] == "signal"))
        wrapped = wrapped or bool(_OF_A_CALL & task.keys())
        speaks = speaks or "messages" in task["input"]
    beside = beside or (asks and document["strategy"] == CoordinationStrategy.PARALLEL)
    if "supervision" in document:
        attempts = (attempts + 1) * document["supervision"]["max_turns"]
    shape = tuple(nodes)
    return PlanTraits(asks, compensates, speaks, attempts, shape, nests, waits, beside, wrapped)


_OF_A_CALL = frozenset({"cache", "compress_to", "context"})
_ONCE: RepeatDocument = {"until": {"kind": "cel", "expression": "true"}, "max_turns": 1}


def _kind(task: PlannedTask) -> str:
    return "repeat" if "repeat" in task else "for_each" if "for_each" in task else "once"


def _region_shape(region: Region, tasks: Mapping[str, PlannedTask]) -> Hashable:
    if region["kind"] == "task":
        return region["tasks"][0]
    if region["kind"] == "mesh":  # built from who needs whom
        return ("mesh", *((id_, *tasks[id_]["needs"]) for id_ in region["tasks"]))
    return (region["kind"], *(_region_shape(part, tasks) for part in region["parts"]))
