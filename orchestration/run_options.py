"""What may be said of a run beside its tasks, and what of that is refused."""

from __future__ import annotations

import difflib
import secrets
from typing import TYPE_CHECKING, Final, TypedDict

from state.errors import ConfigurationError, PlanError, Problem
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from checkpoints.history import KeepRuns
    from orchestration.notifications import Notifier
    from orchestration.optimizations import Optimizer
    from state.budget import Budget
    from state.conversation import HistoryWindow
    from state.failure_mode import FailureMode
    from state.task import AgentTask, Condition
    from state.workflow import Aggregation, Router


LONGEST_THREAD_ID: Final = 200
DEFAULT_BATCH_CONCURRENCY: Final = 8
"""Requests of a batch at the same time."""


class RunOptions(TypedDict, total=False):
    """Keyword arguments that every way of running tasks takes."""

    thread_id: str | None
    """Under which id to keep the run; by default a new one."""
    on_failure: FailureMode | str | None
    """`continue`, `fail_fast`, `all_or_nothing` or `quorum(n)`."""
    aggregate: Aggregation | None
    """`collect`, `merge`, `first_success`, `majority`, or a callable that gets the outputs."""
    tenant: str | None
    user: str | None
    supervisor: Router | AgentTask | None
    """Of a cycle, as are the next three: says after each turn whose turn is next."""
    start: str | None
    """Whose turn is first."""
    until: Condition | None
    """What ends the cycle, asked after each turn."""
    max_turns: int
    session: bool
    """Whether `coordinator.turns` keeps what the run comes to when its thread begins another."""
    retry_budget: int | None
    """How often the run may call an agent again, over all of its tasks: retries and failovers,
    also after a crash. None is no limit, beside that of each task."""
    budget: Budget | Sequence[Budget] | None
    """What the run, its thread or its tenant may use up: tokens, money, time, calls."""


class CoordinatorSettings(TypedDict, total=False):
    """Settings of a `SimpleCoordinator` that others hand on to it."""

    optimizer: Optimizer | None
    max_concurrency: int | None
    lease_seconds: float | None
    keep_runs: KeepRuns | None
    history_window: HistoryWindow | None
    notifier: Notifier | None
    clock: Callable[[], float]


def new_id() -> str:
    """Return an id that no thread and no run has."""
    return secrets.token_hex(16)


def check_options(options: RunOptions) -> None:
    """Return if these are options, and the thread id is one.

    Raises:
        PlanError: One is unknown, so that it would be left out without a word.
    """
    known = RunOptions.__annotations__
    found = [_unknown_option(name, known) for name in options if name not in known]
    if found:
        raise PlanError(found)
    check_thread_id(options.get("thread_id"))


def _unknown_option(name: str, known: Iterable[str]) -> Problem:
    meant = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"use one of {sorted(known)}"
    return Problem("unknown_option", f"the option {name!r} is unknown; {hint}")


def check_thread_id(thread_id: str | None) -> None:
    """Return if a caller's thread id can be used.

    Raises:
        PlanError: It is empty, too long, or no text.
    """
    if thread_id is None:
        return
    if not isinstance(thread_id, str) or not 0 < len(thread_id.strip()) <= LONGEST_THREAD_ID:
        message = (
            f"thread id {thread_id!r} cannot be used; give 1 to {LONGEST_THREAD_ID} characters"
        )
        raise PlanError([Problem("bad_thread_id", message)])


def check_optimizer(optimizer: object) -> None:
    """Return if this is an optimizer, or none.

    Raises:
        ConfigurationError: It is something else.
    """
    if optimizer is None:
        return
    from orchestration.optimizations import Optimizer  # noqa: PLC0415  only where used

    if not isinstance(optimizer, Optimizer):
        raise ConfigurationError(f"optimizer is {described(optimizer)}; give an Optimizer, or None")


def refuse_twice(*said: object) -> None:
    """Return if nothing was said beside a definition that the definition says.

    Raises:
        PlanError: Something was.
    """
    if any(each is not None for each in said):
        message = (
            "strategy, router and input_data are said by the definition; leave them out, or give "
            "a list of tasks"
        )
        raise PlanError([Problem("said_twice", message)])
