"""What may be said of a run beside its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from checkpoints.history import KeepRuns
    from orchestration.notifications import Notifier
    from state.conversation import HistoryWindow
    from state.failure_mode import FailureMode
    from state.task import AgentTask, Condition
    from state.workflow import Aggregation, Router


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


class CoordinatorSettings(TypedDict, total=False):
    """Settings of a `SimpleCoordinator` that others hand on to it."""

    max_concurrency: int | None
    lease_seconds: float | None
    keep_runs: KeepRuns | None
    history_window: HistoryWindow | None
    notifier: Notifier | None
    clock: Callable[[], float]
