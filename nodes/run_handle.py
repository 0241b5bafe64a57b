"""The live things of a run, which cannot stand in its state: found by the run's id.

Whoever starts or resumes a run in this process opens a handle, and the nodes look it up;
so a compiled graph holds no live object and serves every run of its shape.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nodes.brake import Brake
from nodes.stop_signal import StopSignal
from state.errors import OrchestrationError
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from nodes.ports import Agents, Clock, LeaseGuard
    from state.outcome import Outcome
    from state.plan import PlanDocument
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
    lease: LeaseGuard | None = None
    slots: AbstractAsyncContextManager[None] | None = None
    """Entered for the time of a call; bounds how many run at once."""
    brake: Brake | None = None
    """Stops the run from outside; None where nobody can."""
    stop: StopSignal | None = None
    """There only where a failure (or a quorum) ends tasks that run beside each other."""
    outcomes: Outcomes | None = None
    """Collects what is announced, for whoever wants it; it may not be saved yet."""


@dataclass(frozen=True, slots=True)
class Template:
    """A plan that a graph carries along, to make a run of its own each time."""

    document: PlanDocument
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
    run_id = state["plan"]["run_id"]
    return _HANDLES.get(run_id) or _template_handle(run_id, state)


def stop_signal(plan: PlanDocument, known: Outcomes) -> StopSignal | None:
    """The stop signal of a run whose tasks run beside each other and may end early.

    Elsewhere a task needs the one before it, and that is enough to stop.
    """
    beside = plan["strategy"] == CoordinationStrategy.PARALLEL
    return StopSignal(plan, known) if beside and plan["on_failure"]["kind"] != "continue" else None


def _template_handle(run_id: str, state: RunState) -> RunHandle:
    handle = _TEMPLATE_HANDLES.get(run_id)
    if handle is None:
        handle = template_of(run_id.partition(":")[0]).make_handle()
        handle.stop = stop_signal(state["plan"], state["outcomes"])
        _TEMPLATE_HANDLES[run_id] = handle
        if len(_TEMPLATE_HANDLES) > KEPT_HANDLES:
            _TEMPLATE_HANDLES.popitem(last=False)
    return handle
