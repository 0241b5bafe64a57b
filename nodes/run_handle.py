"""The live things of a run, which cannot stand in its state: found by the run's id.

Whoever starts or resumes a run in this process opens a handle, and the nodes look it up;
so a compiled graph holds no live object and serves every run of its shape.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from checkpoints.spending import MemorySpending
from nodes.brake import Brake
from nodes.budgeting import BudgetLayer, Budgets
from nodes.concurrency import Both, ConcurrencyLimit
from nodes.middleware import Chain
from nodes.ports import NO_TERMS, Terms
from nodes.retry_budget import budget_of
from nodes.stop_signal import StopSignal
from state.errors import OrchestrationError
from state.plan import is_stale
from state.plan_document import INSIDE
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from nodes.ports import Agents, Clock, Delegation, LeaseGuard
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.plan_document import PlanDocument, ScopeSeed
    from state.run_state import Outcomes, RunState

KEPT_HANDLES: Final = 1000
"""Handles kept for runs of templates, whose end nobody reports."""


class SystemClock:
    """The machine's clock, or another that says what time it is."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """`now` gives seconds since the epoch."""
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Final = SystemClock()


@dataclass(slots=True, kw_only=True)
class RunHandle:
    """What the nodes of one run use beside their state."""

    agents: Agents
    clock: Clock = SYSTEM_CLOCK
    callables: Mapping[str, Callable[..., object]] = field(default_factory=dict)
    observe: Callable[[str, Outcome], None] | None = None
    """Told each outcome as soon as it is known, before it is saved."""
    say: Callable[[AgentContext, str], None] | None = None
    """Told the pieces of an agent's text as they come, after what it was called with."""
    ready: Callable[[AgentContext], Awaitable[None]] | None = None
    """Awaited before an agent is called that is listened to, so that its beginning is told."""
    tell: Callable[[str, str, JsonObject], None] | None = None
    """Told what middleware found, after the path of the task and the middleware's name: at
    least its `verdict`, in one word."""
    terms: Terms = NO_TERMS
    """Under what calls are made."""
    chain: Chain | None = None
    """What runs around calls; None where nothing does."""
    budgets: Budgets | None = None
    """What the run may use up; None is no limit."""
    lease: LeaseGuard | None = None
    slots: AbstractAsyncContextManager[None] | None = None
    """Entered for the time of a call; bounds how many run at once."""
    brake: Brake | None = None
    """Stops the run from outside; None where nobody can."""
    stop: StopSignal | None = None
    """There only where a failure (or a quorum) ends tasks that run beside each other."""
    outcomes: Outcomes | None = None
    """Collects what is announced, for whoever wants it; it may not be saved yet."""
    scopes: dict[str, RunHandle] = field(default_factory=dict)
    """Of the plans inside its tasks, by path; only of the run as a whole."""
    plan: PlanDocument | None = None
    """The plan inside a task that this is the handle of."""
    delegation: Delegation | None = None
    """Makes plans inside the graph; only there where requests are planned inside one."""
    seeds: Mapping[str, ScopeSeed] = field(default_factory=dict)
    """How plans inside tasks stood before an upgrade, by path."""

    def scope(self, path: str, plan: PlanDocument, known: Outcomes) -> RunHandle:
        """Return the handle of the plan inside a task; only for the handle of the whole run.

        Args:
            path: Of the task.
            plan: The plan inside it, as it stands in the state.
            known: What became of its tasks so far.
        """
        found = self.scopes.get(path)
        if found is None:
            around, _, last = path.rpartition(INSIDE)
            found = _inside(self.scopes.get(around, self), last, plan, known)
            self.scopes[path] = found
        return found


@dataclass(frozen=True, slots=True)
class Template:
    """A plan that a graph carries along, to make a run of its own each time."""

    document: PlanDocument | None
    """None where each run makes its own."""
    make_handle: Callable[[], RunHandle]


class NoRunHandleError(OrchestrationError):
    """Raised when a graph runs that nobody in this process started or can serve."""

    code = "no_run_handle"


_HANDLES: dict[str, RunHandle] = {}
_TEMPLATES: dict[str, Template] = {}
_TEMPLATE_HANDLES: OrderedDict[str, RunHandle] = OrderedDict()


@contextmanager
def open_handle(run_id: str, handle: RunHandle) -> Iterator[None]:
    """Make `handle` the one of `run_id` in this process while the context lasts."""
    _HANDLES[run_id] = handle
    try:
        yield
    finally:
        del _HANDLES[run_id]


def offer_template(key: str, template: Template) -> None:
    """Let runs of the template be made, and served, under `key` from now on."""
    _TEMPLATES[key] = template


def template_of(key: str) -> Template:
    """Find a template.

    Raises:
        NoRunHandleError: Nobody offered it in this process.
    """
    if key not in _TEMPLATES:
        raise NoRunHandleError(
            f"this graph was compiled for the plan {key!r}, which this process does not have; "
            "compile it here, or run it with a SimpleCoordinator"
        )
    return _TEMPLATES[key]


def handle_of(state: RunState) -> RunHandle:
    """Find the handle of the run whose state this is.

    Raises:
        NoRunHandleError: Nobody in this process started it or can serve it.
    """
    plan = state["plan"]
    run_id = plan["run_id"]
    found = _HANDLES.get(run_id)
    if found is not None:
        return found
    whole, inside, path = run_id.partition(INSIDE)
    if not inside:
        return _template_handle(whole, state["outcomes"])
    return _whole(whole).scope(path, plan, state["outcomes"])


def handle_around(plan: PlanDocument) -> RunHandle:
    """Find the handle of the plan around this one, which is inside a task; let go of its own.

    Raises:
        NoRunHandleError: Nobody in this process started the run or can serve it.
    """
    run_id, _, path = plan["run_id"].partition(INSIDE)
    whole = _whole(run_id)
    whole.scopes.pop(path, None)
    return whole.scopes.get(path.rpartition(INSIDE)[0], whole)


def _whole(run_id: str) -> RunHandle:
    return _HANDLES.get(run_id) or _template_handle(run_id, {})


def stop_signal(
    plan: PlanDocument, known: Outcomes, around: StopSignal | None = None
) -> StopSignal | None:
    """The stop signal of a run whose tasks run beside each other and may end early.

    Elsewhere a task needs the one before it, and that is enough to stop.
    """
    beside = plan["strategy"] == CoordinationStrategy.PARALLEL
    judges = beside and plan["on_failure"]["kind"] != "continue"
    if not judges and around is None:
        return None
    own = {  # neither what shows through from around the plan, nor what an earlier turn came to
        id_: known[id_] for id_ in plan["order"] if id_ in known and not is_stale(known[id_], plan)
    }
    return StopSignal(plan, own, around=around, judges=judges)


def _inside(around: RunHandle, name: str, plan: PlanDocument, known: Outcomes) -> RunHandle:
    """Make the handle of a plan inside a task from the one around it."""
    slots, tell = around.slots, around.observe
    items = plan.get("for_each")
    if items is not None and items["max_concurrency"] is not None:
        limit = ConcurrencyLimit(items["max_concurrency"])
        slots = limit if slots is None else Both(limit, slots)

    def observe(task_id: str, outcome: Outcome) -> None:
        if tell is not None:
            tell(f"{name}{INSIDE}{task_id}", outcome)

    return replace(
        around,
        observe=None if tell is None else observe,
        slots=slots,
        stop=stop_signal(plan, known, around.stop),
        outcomes=None,
        scopes={},
        plan=plan,
    )


def _template_handle(run_id: str, known: Outcomes) -> RunHandle:
    handle = _TEMPLATE_HANDLES.get(run_id)
    if handle is None:
        template = template_of(run_id.partition(":")[0])
        handle = template.make_handle()
        if template.document is not None:
            handle.stop = stop_signal(template.document, known)
            handle.terms = Terms(budget=budget_of(template.document, known))
            if "budgets" in template.document:
                _count_here(handle, template.document, run_id)
        _TEMPLATE_HANDLES[run_id] = handle
        if len(_TEMPLATE_HANDLES) > KEPT_HANDLES:
            _TEMPLATE_HANDLES.popitem(last=False)
    return handle


def _count_here(handle: RunHandle, document: PlanDocument, run_id: str) -> None:
    """Let a template's run have its budgets, though there is no database to count in."""
    plan: PlanDocument = {**document, "run_id": run_id}
    handle.budgets = Budgets(plan, thread_id=run_id, store=MemorySpending(), clock=handle.clock)
    handle.chain = Chain([BudgetLayer(handle.budgets)], inner=handle.chain)
